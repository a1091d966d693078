// Python source embedded in the program: the read-only file system every interpreter sees at /rom, first in
// sys.path after the script's own directory and before what is frozen into MicroPython.
//
// A room adds a folder of .py files with mqb_rom(<target> DIR <folder> NAME <name>)
// (cmake/MqbMicroPython.cmake): it generates the header "rom/<name>.hpp" declaring `extern const
// mqboard::python::Rom mqboard::rom::<name>`.
#pragma once

#include <span>
#include <string_view>

namespace mqboard::python {

struct RomFile {
  std::string_view path;  // relative, e.g. "asyncio/__init__.py"
  std::string_view text;
};

using Rom = std::span<const RomFile>;

}  // namespace mqboard::python
