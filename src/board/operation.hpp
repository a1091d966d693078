// What runs behind one v2 channel: an operation of core/command/operations.hpp and the stream it answers
// with.
//
// An Operation is made from a request, receives the opener's further records, and writes records into its
// Reply until it finishes it with a status. Nothing waits: an operation that has more to say than the reply
// has room for, or much work, goes on when pump() is called again.
// Threads: the I/O thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/file_system.hpp"
#include "core/base/time.hpp"
#include "core/command/channel.hpp"
#include "core/command/operations.hpp"

namespace mqboard::board {

// An operation's stream to the opener: records in memory, then perhaps a file. Bytes are kept until the peer
// has them.
class ReplyStream final : public command::ByteSource {
 public:
  // How much may wait in memory before an operation holds back.
  static constexpr std::size_t kRoom = 64 * 1024;

  ReplyStream() = default;
  ~ReplyStream() { close_file(); }
  ReplyStream(const ReplyStream&) = delete;
  ReplyStream& operator=(const ReplyStream&) = delete;

  void append(Bytes bytes) { memory_.append(as_text(bytes)); }
  // The rest of the stream is `bytes` of `file` from `offset`. Takes the file over.
  void append_file(FileSystem& files, FileId file, std::uint64_t offset, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t total() const { return base_ + memory_.size() + file_bytes_; }
  [[nodiscard]] std::size_t room() const { return memory_.size() < kRoom ? kRoom - memory_.size() : 0; }

  bool read(std::uint64_t offset, MutableBytes into) override;
  void release(std::uint64_t offset) override;

 private:
  void close_file();
  bool read_file(std::uint64_t offset, MutableBytes into);

  std::string memory_;
  std::uint64_t base_ = 0;  // place in the stream of the memory's first byte
  FileSystem* files_ = nullptr;
  FileId file_{};
  std::uint64_t file_offset_ = 0, file_bytes_ = 0;
};

class Reply {
 public:
  [[nodiscard]] std::size_t room() const { return stream_.room(); }

  void record(command::RecordKind kind, Bytes payload);
  void record(command::RecordKind kind, std::string_view text) { record(kind, as_bytes(text)); }
  void fields(command::RecordKind kind, const std::function<void(command::FieldWriter&)>& write);
  void body(FileSystem& files, FileId file, std::uint64_t offset, std::uint64_t bytes);
  void body(std::string_view content);

  // The operation is over; nothing may be written after it. Calls after the first are ignored.
  void finish(const command::Status& status);
  void finish() { finish(command::Status{}); }
  [[nodiscard]] bool finished() const { return status_.has_value(); }
  [[nodiscard]] const std::optional<command::Status>& status() const { return status_; }

  // Of the channel. The functions hold as long as its operation.
  struct Opener {
    std::string session;
    std::function<TimePoint()> heard_at;
    std::function<void()> ask;  // for a sign of life
  };
  [[nodiscard]] const Opener& opener() const { return opener_; }

  // Calls Operation::pump() soon, from any thread, unless the channel is gone by then.
  [[nodiscard]] const std::function<void()>& wake() const { return wake_; }

 private:
  friend class ChannelService;

  ReplyStream stream_;
  std::optional<command::Status> status_;
  std::function<void()> wake_;
  Opener opener_;
};

class Operation {
 public:
  virtual ~Operation() = default;

  // A record of the opener's after the request.
  virtual void piece(const command::RecordReader::Piece& piece) { static_cast<void>(piece); }
  // The opener's stream has ended.
  virtual void ended() {}
  // There is room in the reply, or somebody called wake(). Also called once after the operation was made.
  virtual void pump() {}
  // The opener wants it stopped. The operation finishes its reply, at once or soon.
  virtual void cancel(Reply& reply) { reply.finish({command::StatusCode::cancelled, ""}); }
};

struct Services;  // services.hpp

// SHA-256 of a whole file.
FsResult<Sha256> hash_file(FileSystem& files, std::string_view path);

// Null when the request is of another kind; an operation that is over at once has finished the reply.
std::unique_ptr<Operation> make_file_operation(const command::Request& request, Services& services,
                                               Reply& reply);
std::unique_ptr<Operation> make_transfer_operation(const command::Request& request, Services& services,
                                                   Reply& reply);
std::unique_ptr<Operation> make_python_operation(const command::Request& request, Services& services,
                                                 Reply& reply);
std::unique_ptr<Operation> make_board_operation(const command::Request& request, Services& services,
                                                Reply& reply);

}  // namespace mqboard::board
