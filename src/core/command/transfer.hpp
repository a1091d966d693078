// Where the bytes of put and ota go and the bytes of get come from, shared by v1 and v2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/file_system.hpp"
#include "core/base/hasher.hpp"
#include "core/command/status.hpp"

namespace mqboard::command {

using mqboard::Hasher;
using mqboard::Sha256;

// Lower or upper case; nothing unless exactly 64 digits.
[[nodiscard]] std::optional<Sha256> parse_hex(std::string_view hex);
[[nodiscard]] FixedText<64> to_hex(const Sha256& hash);

// The receiving end of one transfer: a file (FileSink) or a firmware slot (the board's). Calls come in the
// order write* (commit | abort). After a failed write the owner calls abort. commit makes the content durable
// and visible in one step, or fails and leaves what was there before.
class TransferSink {
 public:
  virtual Status write(Bytes data) = 0;
  virtual Status commit() = 0;
  virtual void abort() = 0;

 protected:
  ~TransferSink() = default;
};

// Writes a file beside its target and renames it into place: temporary file, sync, read back when a hash is
// expected, rename, sync of the directory. The target keeps its old content, readable, until then. A
// temporary's name is recognisable (is_temporary_name) and at most kMaxFileName long.
//
//   create   for v1: a temporary nobody can resume; abort, destruction and the next boot's clean-up remove
//   it. resume   for v2: the temporary belongs to (path, expected content hash). suspend() and destruction
//   keep it, a
//            later resume() with the same two finds what is there. abort() removes it.
//
// Borrows the file system, the hasher and the scratch buffer (>= 512 bytes; larger is faster); allocates
// nothing.
class FileSink final : public TransferSink {
 public:
  FileSink(FileSystem& files, Hasher& hasher, MutableBytes scratch);
  ~FileSink();
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  // `unique` tells apart temporaries of simultaneous transfers to one target.
  Status create(std::string_view path, std::uint32_t unique);

  struct Prefix {
    std::uint64_t bytes = 0;  // already on flash
    Sha256 hash{};            // of those bytes
  };
  // Opens what an earlier attempt left, or an empty temporary. A temporary longer than `content_bytes` is
  // emptied. The caller compares the prefix with its source, then restart()s or appends.
  Result<Prefix, Status> resume(std::string_view path, const Sha256& content, std::uint64_t content_bytes);
  Status restart();  // discards the prefix

  Status write(Bytes data) override;
  Status commit() override;
  void abort() override;
  void suspend();

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Status prepare(std::string_view path);
  Status fail(FsError error);
  Result<Sha256, FsError> hash_file();
  void close();

  FileSystem& files_;
  Hasher& hasher_;
  MutableBytes scratch_;
  FixedText<kMaxPath> path_;
  FixedText<kMaxPath + kMaxFileName> temporary_;
  std::optional<Sha256> expected_;
  FileId file_{};
  std::uint64_t bytes_ = 0;
  bool open_ = false;
  bool resumable_ = false;
};

// Whether the last component of a path is a temporary of FileSink, and whether one that can be resumed.
enum class TemporaryKind : std::uint8_t { none, plain, resumable };
[[nodiscard]] TemporaryKind temporary_kind(std::string_view file_name);

// Removes temporaries that crashes left beneath `directory`: plain ones always, resumable ones last modified
// before `keep_since_s` (seconds since 1970). Call when no transfer is open. Returns how many it removed;
// directories nested deeper than 16 are left alone.
FsResult<std::size_t> remove_stale_temporaries(FileSystem& files, std::string_view directory,
                                               std::int64_t keep_since_s);

}  // namespace mqboard::command
