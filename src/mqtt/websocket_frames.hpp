// The frames of WebSocket (RFC 6455, section 5) as a client of MQTT reads and writes them; no I/O.
//
// MQTT uses WebSocket as a byte stream: packets travel in binary messages whose boundaries mean nothing
// [MQTT-6.0.0-2], so a reader only strips headers, wherever the stream happens to be cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

enum class FrameKind : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

constexpr std::size_t kMaxControlBytes = 125;  // payload of close, ping and pong
using MaskingKey = std::array<std::uint8_t, 4>;

// Strips the frames of a server. It keeps one control frame at most, whatever the server sends.
class FrameReader {
 public:
  // Takes everything but message payload out of `bytes`, in place, and returns how many bytes of payload are
  // left at their front. What follows the end of the stream (see ended()) is ignored.
  std::size_t strip(MutableBytes bytes);

  // The stream is over: the server closed it, or broke the protocol.
  [[nodiscard]] bool ended() const { return state_ == State::closed || state_ == State::broken; }
  [[nodiscard]] bool broken() const { return state_ == State::broken; }
  // Why: the rule broken, or the server's status code and words. For errors.
  [[nodiscard]] const std::string& reason() const { return reason_; }

  // The payload of the latest ping not yet asked for: it wants a pong that carries the same.
  std::optional<Bytes> take_ping();

 private:
  enum class State : std::uint8_t { header, payload, closed, broken };

  void read_header(std::uint8_t byte);
  void header_complete();
  void frame_complete();
  void fail(std::string_view rule);

  State state_ = State::header;
  FrameKind kind_ = FrameKind::continuation;
  bool inside_message_ = false;  // a fragmented message is not complete
  std::array<std::uint8_t, 10> header_{};
  std::size_t header_bytes_ = 0;
  std::uint64_t payload_left_ = 0;
  std::array<std::uint8_t, kMaxControlBytes> control_{};
  std::size_t control_bytes_ = 0;
  std::array<std::uint8_t, kMaxControlBytes> ping_{};
  std::size_t ping_bytes_ = 0;
  bool pinged_ = false;
  std::string reason_;
};

constexpr std::size_t kMaxFrameHeader = 14;

// Writes the header of an unfragmented client frame, at most kMaxFrameHeader bytes; returns its length.
std::size_t write_frame_header(FrameKind kind, std::size_t payload_bytes, const MaskingKey& key,
                               MutableBytes into);

// Masks a frame's payload (section 5.3).
void mask(MutableBytes payload, const MaskingKey& key);

}  // namespace mqboard::mqtt
