// The v1 wire as a board serves it (docs/WIRE.md, "v1"): framing, request streams, replies.
//
// Sans-I/O: the owner hands in MQTT messages and publishes what comes out. Nothing here allocates. Not
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"
#include "core/command/topic.hpp"
#include "core/command/transfer.hpp"

namespace mqboard::command::v1 {

inline constexpr std::size_t kHeaderBytes = 2;
inline constexpr std::uint16_t kSequenceMask = 0x7fff;
inline constexpr std::uint16_t kOutsideSequence = 0x7fff;  // in replies only
inline constexpr std::size_t kRequestChunk = 1400;
inline constexpr std::size_t kReplyChunk = 2800;

// Two bytes, big endian: bit 15 = last, bits 0-14 = sequence number.
struct Header {
  bool last = false;
  std::uint16_t sequence = 0;
  bool operator==(const Header&) const = default;
};
inline constexpr Header kSingle{true, kOutsideSequence};  // ffff: the whole reply in one message

[[nodiscard]] std::array<std::uint8_t, kHeaderBytes> encode(Header header);
[[nodiscard]] std::optional<Header> decode(Bytes message);  // nothing when shorter than a header

// Texts of err replies, which have no header.
using ErrorText = FixedText<kMaxCommand + kMaxPath + 256>;
[[nodiscard]] ErrorText protocol_error(std::string_view command, std::string_view why);
[[nodiscard]] ErrorText unsupported_command(std::string_view command);
// "OSError: [Errno 2] ENOENT: <path>" for file errors, "<command>: <text>" for the rest.
[[nodiscard]] ErrorText operation_error(std::string_view command, std::string_view path,
                                        const Status& status);

// Orders the messages of requests. A stream is known by command and id; its messages count from 0.
//
//   - a repeated message is ignored; a repeat of the last message of a finished request asks for its reply
//   again;
//   - a gap, a missing first message or a changed tail kills the stream: `refuse` once, then `ignore`;
//   - retained messages are refused (`refuse`), messages without a header ignored;
//   - an eval with an empty tail (`.../<id>/`) is the watchdog's loop-back, always a new request;
//   - until the first message without DUP, messages with DUP are ignored: they may be what crashed the last
//   boot;
//   - the sequence number wraps after 0x7fff. A message after the wrap with number 0 and the last flag is
//   refused: a
//     sender unaware of the limit would produce it in the middle of its file, and it would end it short.
//
// At most kMaxStreams are known at once. A new one displaces, in this order: the finished or dead stream
// unused for longest, the open stream idle for longest if idle for kAbandonedAfter (reported in
// Admission::displaced). When neither exists the new request is refused: a flood cannot push out work in
// progress.
class RequestAssembler {
 public:
  static constexpr std::size_t kMaxStreams = 8;
  static constexpr Millis kAbandonedAfter{60'000};
  static constexpr std::size_t kRememberedReply = 256;

  using Stream = std::uint8_t;  // 0 .. kMaxStreams-1; an index for the owner's receivers

  enum class Verdict : std::uint8_t {
    begin,         // first message of a request: data is its content
    more,          // next message
    repeat_reply,  // publish reply() again; when that is empty, it was too long to remember: run a get again
    ignore,
    refuse,  // publish `why` as protocol_error
  };

  struct Message {
    RequestTopic topic{};
    Bytes payload{};
    bool retained = false;
    bool dup = false;
  };

  struct Admission {
    Verdict verdict = Verdict::ignore;
    Stream stream = 0;
    Header header{};
    Bytes data{};                       // borrowed from the payload
    std::optional<Stream> displaced{};  // its receiver must be aborted before `stream` is used
    FixedText<80> why{};
  };

  [[nodiscard]] Admission admit(const Message& message, TimePoint now);

  // A stream whose next message has not come for kAbandonedAfter, if there is one: fail() it.
  [[nodiscard]] std::optional<Stream> abandoned(TimePoint now) const;

  // The request failed (an err reply was sent): its further messages are ignored.
  void fail(Stream stream);
  // The request is answered. The reply (with its header) is remembered when it has at most kRememberedReply
  // bytes.
  void finish(Stream stream, Bytes reply);
  [[nodiscard]] Bytes reply(Stream stream) const;
  // The id to reply to.
  [[nodiscard]] std::string_view id(Stream stream) const;
  [[nodiscard]] std::string_view command(Stream stream) const;

 private:
  enum class State : std::uint8_t { free, open, complete, finished, dead };  // complete: awaits its answer
  struct Entry {
    State state = State::free;
    RequestId id;
    FixedText<kMaxCommand> command;
    std::uint32_t tail_crc = 0;
    std::uint64_t next = 0;  // messages accepted; the sequence number expected is next mod 0x8000
    TimePoint used{};
    std::uint16_t reply_bytes = 0;
    std::array<std::uint8_t, kRememberedReply> reply{};

    [[nodiscard]] bool abandoned(TimePoint now) const {
      return state == State::open && now - used >= kAbandonedAfter;
    }
  };

  Admission open(const Message& message, Header header, TimePoint now);
  Admission resume(Stream stream, const Message& message, Header header, TimePoint now);
  Admission refuse(Stream stream, Header header, std::string_view why);
  [[nodiscard]] std::optional<Stream> find(const RequestTopic& topic) const;
  [[nodiscard]] std::optional<Stream> vacant(TimePoint now) const;

  std::array<Entry, kMaxStreams> entries_{};
  bool settled_ = false;  // a message without DUP was seen
};

// Feeds the messages of one put or ota to a sink and says what to reply. For ota the sink checks the hash of
// what it reads back against the one in the topic's tail.
class PutReceiver {
 public:
  explicit PutReceiver(TransferSink& sink) : sink_(sink) {}

  struct Step {
    Status status{};        // when not ok the sink was aborted; publish operation_error and fail the stream
    Bytes reply{};          // empty, or ffff and "SEQ <n>" or "OK"; borrowed until the next call
    bool finished = false;  // the reply is the final one: finish the stream with it
  };
  Step message(const RequestAssembler::Admission& admission);

 private:
  void write_reply(std::string_view text);

  TransferSink& sink_;
  std::array<std::uint8_t, 16> reply_{};
  std::size_t reply_bytes_ = 0;
};

// Sends a file as get replies: chunks numbered from 0, then an empty one flagged last. Pulled by the owner
// when its publish window has room. After the sequence number 0x7ffe follows 0, since 0x7fff means "outside
// the sequence".
class GetSender {
 public:
  explicit GetSender(FileSystem& files) : files_(files) {}
  ~GetSender() { close(); }
  GetSender(const GetSender&) = delete;
  GetSender& operator=(const GetSender&) = delete;

  Status open(std::string_view path);  // refuses a directory
  // Fills `into` with the next message, its data as large as fits (use kHeaderBytes + kReplyChunk for the
  // original CLI). An empty result: all was sent. On failure the file is closed; publish the status as err
  // reply.
  Result<Bytes, Status> next(MutableBytes into);
  [[nodiscard]] bool finished() const { return !open_; }
  void close();

 private:
  FileSystem& files_;
  FixedText<kMaxPath> path_;
  FileId file_{};
  std::uint16_t sequence_ = 0;
  bool open_ = false;
};

// Frames the output of an eval. A result that is complete before it was necessary to send anything goes out
// as one `ffff` message, as the original's does, whatever its length up to the buffer's. Output that is
// longer, or that the owner wants seen while the code still runs, is streamed as get is: numbered from 0, the
// end flagged last. The original CLI joins either. It would take a message of 4 to 9 bytes beginning with
// "SEQ " for an acknowledgement, so such output is sent in two pieces.
//
// Borrows its buffer: kHeaderBytes plus the largest data of a message. Returned messages live until the next
// call.
class EvalReply {
 public:
  explicit EvalReply(MutableBytes buffer);

  // Takes as much as fits and says how much; when less than offered: take flush() and offer the rest again.
  std::size_t append(Bytes output);
  [[nodiscard]] bool has_output() const { return used_ != sent_; }
  // The output so far as a message that is not the last; empty when there is none.
  Bytes flush();
  // The end. Call until finished(); usually once.
  Bytes finish();
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool streamed() const { return streamed_; }

 private:
  Bytes message(Header header, std::size_t bytes);
  void settle();  // what the last message borrowed makes room
  [[nodiscard]] bool looks_like_acknowledgement() const;

  MutableBytes buffer_;
  std::size_t used_ = 0;  // bytes of output held, after the header's place
  std::size_t sent_ = 0;  // bytes of it that the last returned message borrows
  std::uint16_t sequence_ = 0;
  bool streamed_ = false;
  bool finished_ = false;
};

}  // namespace mqboard::command::v1
