// The board's flash file system as the rest of the house sees it. Declared here because its users (command
// receivers, the interpreter, boot records) and its implementations (port/linux, the faulty flash of
// port/sim) may not see each other.
//
// Paths: UTF-8, '/' separated, at most kMaxPath bytes, no NUL. A leading '/' means the flash root; "" and "/"
// are the root itself. An implementation resolves every path beneath the flash root, following no link out of
// it, and answers FsError::escapes for one that would leave it.
//
// Durability: what write() stored may be lost, torn or reordered by a power cut until sync() returned; names
// made by open(create), rename, remove, mkdir and rmdir until sync_directory() of the directory returned.
// rename replaces an existing file atomically. replace-a-file is therefore: write new file, sync, rename,
// sync_directory.
//
// Threads: an implementation's doc says whether it may be shared; a FileId belongs to the thread using it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace mqboard {

inline constexpr std::size_t kMaxPath = 512;
inline constexpr std::size_t kMaxFileName = 255;

enum class FsError : std::uint8_t {
  not_found,        // ENOENT: the file or a directory on the way to it does not exist
  exists,           // EEXIST
  not_a_directory,  // ENOTDIR
  is_a_directory,   // EISDIR: a file operation was tried on a directory
  not_empty,        // ENOTEMPTY
  no_space,         // ENOSPC: disk full, or the board's flash quota used up
  access,           // EACCES, EPERM, EROFS
  escapes,          // EXDEV, ELOOP: the path leads out of the flash root
  invalid,          // EINVAL: malformed path, seek or argument
  too_long,         // ENAMETOOLONG
  too_many_open,    // EMFILE
  io,               // EIO and whatever else the medium reports
};

// The field's usual words, e.g. "No such file or directory"; and the errno name, e.g. "ENOENT". Never null.
std::string_view describe(FsError error);
std::string_view errno_name(FsError error);

template<class Value>
using FsResult = Result<Value, FsError>;

struct FileInfo {
  enum class Kind : std::uint8_t { file, directory } kind = Kind::file;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_s = 0;  // seconds since 1970-01-01 UTC
  std::uint64_t inode = 0;
};

struct FlashSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

enum class FileId : std::int32_t {};

// Any combination that makes sense; `read` or `write` must be among them.
enum class OpenMode : std::uint8_t {
  read = 1,
  write = 2,
  create = 4,     // create when missing
  truncate = 8,   // discard what was there
  append = 16,    // every write goes to the end
  exclusive = 32  // with create: fail with `exists` when present
};
constexpr OpenMode operator|(OpenMode a, OpenMode b) {
  return static_cast<OpenMode>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(OpenMode set, OpenMode flag) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(flag)) != 0;
}

enum class SeekFrom : std::uint8_t { start, current, end };

// Receives the entries of a directory, "." and ".." left out, in no particular order. Return false to stop.
class DirectoryVisitor {
 public:
  virtual bool entry(std::string_view name, const FileInfo& info) = 0;

 protected:
  ~DirectoryVisitor() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual FsResult<FileId> open(std::string_view path, OpenMode mode) = 0;
  virtual FsResult<std::size_t> read(FileId file, MutableBytes into) = 0;  // 0 at the end of the file
  virtual FsResult<std::size_t> write(FileId file,
                                      Bytes data) = 0;  // may be short; 0 never, for data not empty
  virtual FsResult<std::uint64_t> seek(FileId file, std::int64_t offset, SeekFrom from) = 0;
  virtual FsResult<void> truncate(FileId file, std::uint64_t size_bytes) = 0;
  virtual FsResult<void> sync(FileId file) = 0;
  virtual FsResult<FileInfo> stat(FileId file) = 0;
  virtual FsResult<void> close(FileId file) = 0;  // the id is gone even when an error is returned

  virtual FsResult<FileInfo> stat(std::string_view path) = 0;
  virtual FsResult<void> list(std::string_view directory, DirectoryVisitor& visitor) = 0;
  virtual FsResult<void> make_directory(std::string_view path) = 0;
  virtual FsResult<void> remove_file(std::string_view path) = 0;
  virtual FsResult<void> remove_directory(std::string_view path) = 0;
  virtual FsResult<void> rename(std::string_view from, std::string_view to) = 0;
  virtual FsResult<void> sync_directory(std::string_view path) = 0;
  virtual FsResult<FlashSpace> space() = 0;
};

}  // namespace mqboard
