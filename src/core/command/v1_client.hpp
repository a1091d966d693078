// The v1 wire as whoever commands a board sees it (docs/WIRE.md, "v1"): collecting replies, pacing puts.
//
// Sans-I/O, allocation-free, not thread-safe. The board may be ours or the original; nothing here trusts it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/command/v1.hpp"

namespace mqboard::command::v1 {

// Puts the replies to one request in order.
class ReplyCollector {
 public:
  // Acknowledgements ("SEQ <n>") are recognised for put and ota only: for eval they are output like any
  // other.
  enum class Expect : std::uint8_t { output, acknowledgements };
  explicit ReplyCollector(Expect expect) : expect_(expect) {}

  enum class Kind : std::uint8_t {
    ignored,       // duplicate, too short, or after the end
    data,          // the next piece
    acknowledged,  // the board has message number `sequence`
    done,          // the final piece, possibly empty: success
    failed,        // err reply: data is the board's text
    broken,        // a piece of the reply is missing: the board or the broker lost a message
  };
  struct Event {
    Kind kind = Kind::ignored;
    Bytes data{};  // borrowed from the payload
    std::uint16_t sequence = 0;
  };

  [[nodiscard]] Event reply(ReplyKind kind, Bytes payload);
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  Event output(Bytes payload);

  Expect expect_;
  std::uint64_t next_ = 0;  // pieces taken; the number expected is next_ mod 0x7fff
  bool ended_ = false;
};

// Cuts a file into put or ota messages and paces them: at most `window` messages beyond the last known to
// have been processed. What proves processing is an acknowledgement (any ota; put to a board of ours), or,
// for put to an original board, the reply to an eval sent in between (a barrier): the board handles messages
// in order.
class PutSender {
 public:
  enum class Proof : std::uint8_t { acknowledgement, barrier };
  struct Pacing {
    std::size_t chunk_bytes = kRequestChunk;
    std::uint32_t window = 16;
    Proof proof = Proof::acknowledgement;
  };
  // An original board cannot count beyond 0x7fff: a larger file must not be sent to it.
  [[nodiscard]] static bool fits_original(std::uint64_t total_bytes, std::size_t chunk_bytes = kRequestChunk);

  PutSender(std::uint64_t total_bytes, Pacing pacing);

  struct Slice {
    Header header{};
    std::uint64_t offset = 0;
    std::size_t bytes = 0;  // 0 for an empty file
  };
  // The next message, or nothing: window full or all sent.
  [[nodiscard]] std::optional<Slice> next();

  // The window is full and nothing but a barrier will open it: send an eval, call barrier_passed() on its
  // reply.
  [[nodiscard]] bool wants_barrier() const;
  void barrier_sent();
  void barrier_passed();

  void acknowledged(std::uint16_t sequence);  // from ReplyCollector; stale and impossible ones are ignored

  [[nodiscard]] bool all_sent() const { return next_ == messages_; }
  [[nodiscard]] std::uint64_t bytes_proven() const;  // for the progress bar

 private:
  std::uint64_t total_bytes_;
  Pacing pacing_;
  std::uint64_t messages_;
  std::uint64_t next_ = 0;    // messages sent
  std::uint64_t proven_ = 0;  // messages known to be processed
  std::uint64_t barrier_at_ = 0;
  bool barrier_pending_ = false;
};

}  // namespace mqboard::command::v1
