// The board's flash as a directory of a Linux file system.
//
// Every path is resolved by the kernel beneath the root (openat2, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS): a
// symbolic link or ".." that leads out answers FsError::escapes, also while somebody renames directories
// underneath. Links that stay inside are followed. Only regular files and directories exist here: a FIFO,
// socket or device answers FsError::access, is left out of listings, and never blocks an open.
//
// Capacity: with Options::capacity_bytes the flash is full at that size, whatever the host still has: each
// file costs its size in blocks of kFlashBlock, at least one, and each directory one; a removed file costs
// until its last FileId is closed. The tree is counted once, when it is opened, and then kept up to date by
// what goes through this object: let nobody else write there. Without a capacity the disk's own limit counts.
//
// Threads: safe to share; calls on different FileIds run in parallel. A FileId is used by one thread at a
// time. Names are created with mode 0666 (0777) under the process's umask.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/file_system.hpp"
#include "port/linux/fd.hpp"

struct stat;

namespace mqboard::port {

inline constexpr std::uint64_t kFlashBlock = 4096;

class LinuxFlash final : public FileSystem {
 public:
  struct Options {
    std::uint64_t capacity_bytes = 0;  // 0: as large as the disk
    std::size_t max_open_files = 64;   // more answer FsError::too_many_open; at most 65535
    bool read_from_medium = false;     // after a sync, read what storage holds rather than the page cache
  };

  // `root` must be an existing directory. Fails with FsError::io on a kernel older than 5.6 (no openat2).
  static FsResult<std::unique_ptr<LinuxFlash>> open_root(const std::string& root, const Options& options);
  static FsResult<std::unique_ptr<LinuxFlash>> open_root(const std::string& root) {
    return open_root(root, Options{});
  }

  FsResult<FileId> open(std::string_view path, OpenMode mode) override;
  FsResult<std::size_t> read(FileId file, MutableBytes into) override;
  FsResult<std::size_t> write(FileId file, Bytes data) override;
  FsResult<std::uint64_t> seek(FileId file, std::int64_t offset, SeekFrom from) override;
  FsResult<void> truncate(FileId file, std::uint64_t size_bytes) override;
  FsResult<void> sync(FileId file) override;
  FsResult<FileInfo> stat(FileId file) override;
  FsResult<void> close(FileId file) override;

  FsResult<FileInfo> stat(std::string_view path) override;
  FsResult<void> list(std::string_view directory, DirectoryVisitor& visitor) override;
  FsResult<void> make_directory(std::string_view path) override;
  FsResult<void> remove_file(std::string_view path) override;
  FsResult<void> remove_directory(std::string_view path) override;
  FsResult<void> rename(std::string_view from, std::string_view to) override;
  FsResult<void> sync_directory(std::string_view path) override;
  FsResult<FlashSpace> space() override;

 private:
  struct OpenFile {
    Fd fd;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint16_t generation = 0;  // makes the FileId of a closed file invalid
  };

  LinuxFlash(Fd root, const Options& options);

  [[nodiscard]] FsResult<Fd> resolve(std::string_view path, int flags) const;
  [[nodiscard]] FsResult<int> descriptor(FileId file) const;
  FsResult<FileId> keep(Fd fd, const struct ::stat& info);

  // Capacity. All of these are called with mutex_ held.
  [[nodiscard]] bool limited() const { return options_.capacity_bytes != 0; }
  [[nodiscard]] std::uint64_t free_bytes() const;
  [[nodiscard]] bool is_open(const struct ::stat& info) const;
  FsResult<void> reserve(std::uint64_t old_size, std::uint64_t new_size);
  void release_if_gone(int fd);

  FsResult<std::size_t> write_limited(int fd, Bytes data);

  const Fd root_;
  const Options options_;
  mutable std::mutex mutex_;  // guards what follows, and every change of a file's size when limited()
  std::vector<OpenFile> files_;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace mqboard::port
