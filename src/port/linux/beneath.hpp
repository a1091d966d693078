// Resolving a path so that it cannot leave a directory: openat2 with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/base/file_system.hpp"
#include "port/linux/fd.hpp"

namespace mqboard::port {

// The FsError an errno of the file system calls stands for.
FsError fs_error(int error_number);

// `path` as openat2 takes it: leading slashes (the flash root) and trailing ones dropped, "." for the root
// itself. Fails with invalid (NUL inside, not UTF-8) or too_long.
FsResult<std::string> relative_path(std::string_view path);

// Opens `relative` (from relative_path) beneath `root`, close-on-exec. `mode` counts with O_CREAT only.
FsResult<Fd> open_beneath(int root, const std::string& relative, int flags, mode_t mode = 0);

// The directory a name lives in, opened O_PATH, and the name itself: what mkdirat, unlinkat and renameat
// take. Fails with invalid when the last component is "." or "..", or the path is the root.
struct Place {
  Fd directory;
  std::string name;
};
FsResult<Place> place_beneath(int root, std::string_view path);

}  // namespace mqboard::port
