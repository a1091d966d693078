# Compiler, warnings, sanitizers and ccache: the flags every target of ours shares (interface target mqb_flags).
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(MQB_CCACHE ccache)
if(MQB_CCACHE)
  # The same object for the same source, wherever the tree and its build folder stand.
  set(mqb_launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${MQB_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${mqb_launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${mqb_launcher})
endif()

add_library(mqb_flags INTERFACE)
target_compile_options(mqb_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                                           -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # When optimising, GCC 12 warns of overlaps and bounds inside its own std::string (GCC bug 105651 and kin).
  target_compile_options(mqb_flags INTERFACE -Wno-psabi -fpch-preprocess
    $<$<NOT:$<CONFIG:Debug>>:-Wno-restrict> $<$<NOT:$<CONFIG:Debug>>:-Wno-array-bounds>
    $<$<NOT:$<CONFIG:Debug>>:-Wno-stringop-overflow> $<$<NOT:$<CONFIG:Debug>>:-Wno-stringop-overread>)
endif()
if(MQB_WERROR)
  target_compile_options(mqb_flags INTERFACE -Werror)
endif()

if(MQB_SANITIZE)
  # vptr checks need RTTI, which core's classes do not have.
  add_compile_options(-fsanitize=${MQB_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MQB_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # At -O1 GCC 12 takes the frame of an Asio coroutine, freed by its promise's own operator delete, for a mismatch.
    target_compile_options(mqb_flags INTERFACE -Wno-mismatched-new-delete)
    if(MQB_SANITIZE MATCHES thread)
      # Asio's fences, which ThreadSanitizer does not model.
      target_compile_options(mqb_flags INTERFACE -Wno-tsan)
    endif()
  endif()
endif()

# core/ must stay fit for a microcontroller: no exceptions, no RTTI, ever.
add_library(mqb_core_flags INTERFACE)
target_link_libraries(mqb_core_flags INTERFACE mqb_flags)
add_library(mqb_no_exceptions INTERFACE)
target_compile_options(mqb_no_exceptions INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
                                                   $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
