#include "core/base/file_system.hpp"

#include <array>

namespace mqboard {
namespace {

struct Words {
  std::string_view description;
  std::string_view name;
};

// In the order of FsError.
constexpr std::array<Words, 12> kWords{{
    {"No such file or directory", "ENOENT"},
    {"File exists", "EEXIST"},
    {"Not a directory", "ENOTDIR"},
    {"Is a directory", "EISDIR"},
    {"Directory not empty", "ENOTEMPTY"},
    {"No space left on flash", "ENOSPC"},
    {"Permission denied", "EACCES"},
    {"Path leads out of the flash directory", "EXDEV"},
    {"Invalid argument", "EINVAL"},
    {"Name too long", "ENAMETOOLONG"},
    {"Too many open files", "EMFILE"},
    {"Input/output error", "EIO"},
}};
static_assert(kWords.size() == static_cast<std::size_t>(FsError::io) + 1);

}  // namespace

std::string_view describe(FsError error) { return kWords[static_cast<std::size_t>(error)].description; }
std::string_view errno_name(FsError error) { return kWords[static_cast<std::size_t>(error)].name; }

}  // namespace mqboard
