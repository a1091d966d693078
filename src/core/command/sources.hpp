// The usual things a channel sends: a text made beforehand, live output, a file.
//
// All borrow their memory and allocate nothing. The owner tells the channel what exists:
// channel.supply(source.total()).
#pragma once

#include <cstdint>

#include "core/command/channel.hpp"

namespace mqboard::command {

// Grows until the buffer is full and forgets nothing: requests, listings, short results.
class BufferSource final : public ByteSource {
 public:
  explicit BufferSource(MutableBytes buffer) : buffer_(buffer) {}

  // All of it or, when it does not fit, nothing and false.
  bool append(Bytes data);
  void clear() { used_ = 0; }
  [[nodiscard]] std::uint64_t total() const { return used_; }
  [[nodiscard]] std::size_t room() const { return buffer_.size() - used_; }

  bool read(std::uint64_t offset, MutableBytes into) override;

 private:
  MutableBytes buffer_;
  std::size_t used_ = 0;
};

// Keeps what the peer has not acknowledged: output, log lines. When full the writer waits for the peer.
class RingSource final : public ByteSource {
 public:
  explicit RingSource(MutableBytes buffer) : buffer_(buffer) {}

  // Takes as much as there is room for and says how much.
  std::size_t write(Bytes data);
  void clear() { begin_ = end_ = 0; }
  [[nodiscard]] std::uint64_t total() const { return end_; }
  [[nodiscard]] std::size_t room() const { return buffer_.size() - static_cast<std::size_t>(end_ - begin_); }

  bool read(std::uint64_t offset, MutableBytes into) override;
  void release(std::uint64_t offset) override;

 private:
  MutableBytes buffer_;
  std::uint64_t begin_ = 0;  // places in the stream
  std::uint64_t end_ = 0;
};

// `head`, borrowed (records that announce the body), then the file from `start`. The file is borrowed open,
// and must not shrink meanwhile.
class FileSource final : public ByteSource {
 public:
  FileSource(FileSystem& files, FileId file, Bytes head, std::uint64_t start)
      : files_(files), file_(file), head_(head), start_(start) {}

  // With a file of so many bytes in all.
  [[nodiscard]] std::uint64_t total(std::uint64_t file_bytes) const {
    return head_.size() + file_bytes - start_;
  }

  bool read(std::uint64_t offset, MutableBytes into) override;

 private:
  FileSystem& files_;
  FileId file_;
  Bytes head_;
  std::uint64_t start_;
  std::uint64_t at_ = ~std::uint64_t{0};  // where the file stands: sequential reads spare the seek
};

}  // namespace mqboard::command
