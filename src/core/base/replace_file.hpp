// Replacing a file so that a power cut at any instant leaves the old content or the new, never a mixture.
//
// The steps: write `<path>.new` beside it, sync, rename over `path`, sync_directory. Either all of them are
// known done (success), or `path` still is what it was, or, when only the last step failed, it is new but may
// be old again after a power cut. A left-over `<path>.new` is overwritten by the next replacement. One
// replacement of a path at a time.
#pragma once

#include "core/base/file_system.hpp"

namespace mqboard {

inline constexpr std::string_view kReplacementSuffix = ".new";

// A replacement being written piece by piece, for content that does not fit memory. Destroying it before
// commit() removes what was written. Uses `files` for its lifetime; allocates nothing.
class FileReplacement {
 public:
  explicit FileReplacement(FileSystem& files) : files_(files) {}
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;
  ~FileReplacement() { abandon(); }

  // Starts over. Fails with too_long when path and suffix exceed kMaxPath, invalid for an empty path, and
  // with what FileSystem::open answers.
  FsResult<void> begin(std::string_view path);
  FsResult<void> write(Bytes data);  // all of it, or an error
  FsResult<void> commit();           // sync, close, rename, sync the directory
  void abandon();

  [[nodiscard]] bool active() const { return active_; }

 private:
  [[nodiscard]] std::string_view path() const { return {name_, path_size_}; }
  [[nodiscard]] std::string_view temporary() const { return {name_, path_size_ + kReplacementSuffix.size()}; }

  FileSystem& files_;
  FileId file_{};
  bool active_ = false;
  std::size_t path_size_ = 0;
  char name_[kMaxPath];
};

// The directory `path` is in: "" for one in the root.
std::string_view parent_directory(std::string_view path);

FsResult<void> write_all(FileSystem& files, FileId file, Bytes data);

// Replaces `path` by `data` in one call.
FsResult<void> replace_file(FileSystem& files, std::string_view path, Bytes data);

// Reads all of `path` into the front of `into`. Fails with no_space when the file is larger.
FsResult<Bytes> read_file(FileSystem& files, std::string_view path, MutableBytes into);

}  // namespace mqboard
