// errno as Python code sees it. The binary's C library numbers errno as WASI does, but only hands the numbers
// of system calls through to OSError, while MicroPython's errno module has Linux's numbers: so system calls
// answer in Linux's.
#pragma once

#include <cerrno>
#include <cstdint>

#include "core/base/file_system.hpp"

namespace mqboard::python {

// Positive errno for a failure of the file system.
constexpr std::int32_t errno_of(FsError error) {
  switch (error) {
    case FsError::not_found:
      return ENOENT;
    case FsError::exists:
      return EEXIST;
    case FsError::not_a_directory:
      return ENOTDIR;
    case FsError::is_a_directory:
      return EISDIR;
    case FsError::not_empty:
      return ENOTEMPTY;
    case FsError::no_space:
      return ENOSPC;
    case FsError::access:
      return EACCES;
    case FsError::escapes:
      return EACCES;
    case FsError::invalid:
      return EINVAL;
    case FsError::too_long:
      return ENAMETOOLONG;
    case FsError::too_many_open:
      return EMFILE;
    case FsError::io:
      return EIO;
  }
  return EIO;
}

}  // namespace mqboard::python
