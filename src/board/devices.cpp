#include "board/devices.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "board/text.hpp"

namespace mqboard::board {

python::Exception not_named(std::string_view name, std::string_view kind, std::string_view shown,
                            std::string_view example) {
  return {python::Exception::Type::value_error,
          concat(shown, "(", name, ") doesn't exist: board.toml says which device it is, e.g. [", kind, "] ",
                 name, " = \"", example, "\"")};
}

const std::string& device_named(const DeviceNames& names, std::string_view name, std::string_view kind,
                                std::string_view shown, std::string_view example) {
  const auto found = std::ranges::find(names, name, &DeviceNames::value_type::first);
  if (found == names.end()) throw not_named(name, kind, shown, example);
  return found->second;
}

std::unexpected<python::Exception> no_device(int code, std::string_view device) {
  const bool gone = code == ENOENT || code == ENXIO || code == ENOTDIR;
  return python::os_error(gone ? ENODEV : code, concat(device, ": ", std::strerror(code)));
}

}  // namespace mqboard::board
