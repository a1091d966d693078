# MicroPython as an object library, mqb_micropython, made at build time from the npm package pinned in
# third_party/micropython (official WebAssembly build) by wasm2c and src/python/translate. Why and how:
# docs/PYTHON.md. Neither the package nor the generated C is part of the repository.
find_program(MQB_NPM npm REQUIRED)
find_program(MQB_WASM2C wasm2c REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(MQB_PYTHON3 ${Python3_EXECUTABLE} CACHE INTERNAL "for mqb_rom, which other rooms call")
find_path(MQB_WASM2C_INCLUDE wasm-rt.h PATHS /usr/src/wasm2c /usr/include /usr/share/wabt/wasm2c REQUIRED)

set(mqb_mp_dir ${CMAKE_BINARY_DIR}/third_party/micropython)
set(mqb_mp_pin ${CMAKE_SOURCE_DIR}/third_party/micropython)
set(mqb_mp_wasm ${mqb_mp_dir}/node_modules/@micropython/micropython-webassembly-pyscript/micropython.wasm)

add_custom_command(OUTPUT ${mqb_mp_wasm}
  COMMAND ${CMAKE_COMMAND} -E copy ${mqb_mp_pin}/package.json ${mqb_mp_pin}/package-lock.json ${mqb_mp_dir}
  COMMAND ${MQB_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${mqb_mp_wasm}
  DEPENDS ${mqb_mp_pin}/package.json ${mqb_mp_pin}/package-lock.json
  WORKING_DIRECTORY ${mqb_mp_dir}
  COMMENT "Fetching MicroPython (npm, pinned by integrity hash)" VERBATIM)
file(MAKE_DIRECTORY ${mqb_mp_dir}/generated)

set(mqb_mp_translate ${CMAKE_SOURCE_DIR}/src/python/translate/translate.py)
add_custom_command(OUTPUT ${mqb_mp_dir}/generated/micropython.c ${mqb_mp_dir}/generated/micropython.h
  COMMAND ${MQB_WASM2C} ${mqb_mp_wasm} -o plain.c
  COMMAND ${Python3_EXECUTABLE} ${mqb_mp_translate} ${mqb_mp_wasm} plain.c plain.h
          generated/micropython.c generated/micropython.h
  COMMAND ${CMAKE_COMMAND} -E rm plain.c plain.h
  DEPENDS ${mqb_mp_wasm} ${mqb_mp_translate}
  WORKING_DIRECTORY ${mqb_mp_dir}
  COMMENT "Translating MicroPython to C" VERBATIM)

# Optimised in every build type, without sanitizers: its stack frames are what the collector reads, and a debug
# build of it would be of no use to anyone. Its exceptions (setjmp, traps) are C++ exceptions of the host.
add_library(mqb_micropython OBJECT ${mqb_mp_dir}/generated/micropython.c)
target_include_directories(mqb_micropython SYSTEM PUBLIC ${mqb_mp_dir}/generated ${MQB_WASM2C_INCLUDE})
target_compile_definitions(mqb_micropython PUBLIC WASM_RT_MEMCHECK_SIGNAL_HANDLER=0 WASM_RT_USE_STACK_DEPTH_COUNT=0)
target_compile_options(mqb_micropython PRIVATE -O2 -g0 -w -fexceptions -fno-sanitize=all -fomit-frame-pointer)

# mqb_rom(<target> DIR <folder> NAME <name>): embeds every .py file beneath <folder> in <target> as
# mqboard::rom::<name>, declared in the header "rom/<name>.hpp" (src/python/rom.hpp says what for).
function(mqb_rom target)
  cmake_parse_arguments(rom "" "DIR;NAME" "" ${ARGN})
  cmake_path(ABSOLUTE_PATH rom_DIR BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${rom_DIR}/*.py)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/rom/${rom_NAME})
  set(script ${CMAKE_SOURCE_DIR}/src/python/translate/embed.py)
  add_custom_command(OUTPUT ${out}.cpp ${out}.hpp
    COMMAND ${MQB_PYTHON3} ${script} ${rom_NAME} ${rom_DIR} ${out}
    DEPENDS ${files} ${script}
    COMMENT "Embedding Python ROM ${rom_NAME}" VERBATIM)
  target_sources(${target} PRIVATE ${out}.cpp ${out}.hpp)
  target_include_directories(${target} PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
