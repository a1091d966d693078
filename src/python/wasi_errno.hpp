// errno as the binary numbers it.
#pragma once

#include <cstdint>

#include "core/base/file_system.hpp"

namespace mqboard::python::wasi {

inline constexpr std::int32_t kAccess = 2;
inline constexpr std::int32_t kBadDescriptor = 8;
inline constexpr std::int32_t kExists = 20;
inline constexpr std::int32_t kInvalid = 28;
inline constexpr std::int32_t kIo = 29;
inline constexpr std::int32_t kIsDirectory = 31;
inline constexpr std::int32_t kTooManyOpen = 33;
inline constexpr std::int32_t kNameTooLong = 37;
inline constexpr std::int32_t kNotFound = 44;
inline constexpr std::int32_t kNoSpace = 51;
inline constexpr std::int32_t kNotSupported = 52;
inline constexpr std::int32_t kNotDirectory = 54;
inline constexpr std::int32_t kNotEmpty = 55;
inline constexpr std::int32_t kRange = 68;
inline constexpr std::int32_t kReadOnly = 69;
inline constexpr std::int32_t kCrossDevice = 75;

constexpr std::int32_t from(FsError error) {
  switch (error) {
    case FsError::not_found: return kNotFound;
    case FsError::exists: return kExists;
    case FsError::not_a_directory: return kNotDirectory;
    case FsError::is_a_directory: return kIsDirectory;
    case FsError::not_empty: return kNotEmpty;
    case FsError::no_space: return kNoSpace;
    case FsError::access: return kAccess;
    case FsError::escapes: return kAccess;
    case FsError::invalid: return kInvalid;
    case FsError::too_long: return kNameTooLong;
    case FsError::too_many_open: return kTooManyOpen;
    case FsError::io: return kIo;
  }
  return kIo;
}

}  // namespace mqboard::python::wasi
