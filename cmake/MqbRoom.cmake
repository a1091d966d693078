# mqb_room(<name> [CORE] [THREADED] SOURCES file... [PUBLIC dep...] [PRIVATE dep...] [TESTS file...] [TEST_DEPS dep...])
#
# One room of the house as a static library mqb_<name>, its includes rooted at src/, and its unit tests (files beside
# the code, x_test.cpp) as one program mqb_<name>_test whose cases ctest lists as <name>.Suite.Case.
# CORE compiles the library without exceptions and RTTI. THREADED marks the tests for the ThreadSanitizer run
# (ctest label "threaded", build target unit_threaded). Every unit test has the ctest label "unit".
include(GoogleTest)

if(MQB_BUILD_TESTS)
  add_custom_target(unit_threaded)
endif()

function(mqb_room name)
  cmake_parse_arguments(room "CORE;THREADED" "" "SOURCES;PUBLIC;PRIVATE;TESTS;TEST_DEPS" ${ARGN})
  set(target mqb_${name})
  if(room_SOURCES)
    add_library(${target} STATIC ${room_SOURCES})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${room_PUBLIC} PRIVATE mqb_flags ${room_PRIVATE})
    if(room_CORE)
      target_link_libraries(${target} PRIVATE mqb_no_exceptions)
    endif()
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${room_PUBLIC})
  endif()
  if(room_TESTS AND MQB_BUILD_TESTS)
    set(threaded)
    if(room_THREADED)
      set(threaded THREADED)
    endif()
    mqb_unit_test(${target}_test ${threaded} PREFIX ${name} SOURCES ${room_TESTS} DEPS ${target} ${room_TEST_DEPS})
  endif()
endfunction()

# mqb_unit_test(<target> [THREADED] PREFIX p SOURCES file... DEPS dep...): a GoogleTest program, its cases listed in ctest.
function(mqb_unit_test target)
  cmake_parse_arguments(unit "THREADED" "PREFIX" "SOURCES;DEPS" ${ARGN})
  add_executable(${target} ${unit_SOURCES})
  target_link_libraries(${target} PRIVATE mqb_flags ${unit_DEPS} GTest::gmock GTest::gtest_main)
  if(MQB_SANITIZE)
    # Sanitizers' instrumentation makes GCC 12 see uninitialised members of a moved std::expected.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
  set(labels unit)
  if(unit_THREADED)
    list(APPEND labels threaded)
    add_dependencies(unit_threaded ${target})
  endif()
  gtest_discover_tests(${target} TEST_PREFIX "${unit_PREFIX}." DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
                       PROPERTIES TIMEOUT 300 LABELS "${labels}")
endfunction()
