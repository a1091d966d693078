#include "port/linux/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>

#include "core/base/utf8.hpp"

namespace mqboard::port {
namespace {

// The kernel answers EAGAIN when a rename or mount anywhere raced with a ".." in the path.
constexpr int kMaxResolveAttempts = 1000;

}  // namespace

FsError fs_error(int error_number) {
  switch (error_number) {
    case ENOENT:
      return FsError::not_found;
    case EEXIST:
      return FsError::exists;
    case ENOTDIR:
      return FsError::not_a_directory;
    case EISDIR:
      return FsError::is_a_directory;
    case ENOTEMPTY:
      return FsError::not_empty;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return FsError::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
    case ETXTBSY:
    case ENXIO:
      return FsError::access;
    case EXDEV:
    case ELOOP:
      return FsError::escapes;
    case EINVAL:
      return FsError::invalid;
    case ENAMETOOLONG:
      return FsError::too_long;
    case EMFILE:
    case ENFILE:
      return FsError::too_many_open;
    default:
      return FsError::io;
  }
}

FsResult<std::string> relative_path(std::string_view path) {
  if (path.size() > kMaxPath) return Failure{FsError::too_long};
  if (path.find('\0') != std::string_view::npos || !is_utf8(as_bytes(path))) return Failure{FsError::invalid};
  const std::size_t first = path.find_first_not_of('/');
  if (first == std::string_view::npos) return ".";
  return std::string(path.substr(first, path.find_last_not_of('/') + 1 - first));
}

FsResult<Fd> open_beneath(int root, const std::string& relative, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < kMaxResolveAttempts; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) return Failure{fs_error(errno)};
  }
  return Failure{FsError::io};
}

FsResult<Place> place_beneath(int root, std::string_view path) {
  auto relative = relative_path(path);
  if (!relative) return Failure{relative.error()};
  const std::size_t slash = relative->rfind('/');
  const bool nested = slash != std::string::npos;
  std::string name = nested ? relative->substr(slash + 1) : *relative;
  if (name == "." || name == "..") return Failure{FsError::invalid};
  auto directory = open_beneath(root, nested ? relative->substr(0, slash) : ".", O_PATH | O_DIRECTORY);
  if (!directory) return Failure{directory.error()};
  return Place{std::move(*directory), std::move(name)};
}

}  // namespace mqboard::port
