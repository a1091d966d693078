// Finds packets in a byte stream, however it is cut (section 2.1 and 2.2 of 3.1.1, 2.1 of 5.0).
//
// A packet that lies whole in the input is shown where it lies, without a copy. One that arrives in pieces is
// put together in the borrowed buffer. A PUBLISH larger than that buffer is shown as its head with the first
// bytes of payload, then the rest of the payload as it arrives. Any other packet larger than the buffer is a
// violation.
#pragma once

#include "core/mqtt/packet.hpp"
#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt {

struct Frame {
  enum class Kind : std::uint8_t {
    none,    // the input is used up
    packet,  // `bytes`: the whole body
    head,  // `bytes`: a large PUBLISH body up to somewhere in its payload; `missing` bytes follow, maybe none
    body,  // `bytes`: more payload; `missing` bytes follow
    malformed  // `violation`; the stream cannot be read on
  } kind = Kind::none;
  std::uint8_t first = 0;  // first byte of the packet, of kinds packet and head
  Violation violation = Violation::none;
  Bytes bytes{};
  std::uint32_t missing = 0;

  [[nodiscard]] PacketType type() const { return static_cast<PacketType>(first >> 4); }
};

class Framer {
 public:
  explicit Framer(MutableBytes buffer) : buffer_(buffer) {}

  // Forgets everything: a new stream begins. Packets larger than `maximum_packet_bytes` are a violation.
  void reset(Wire wire, std::uint32_t maximum_packet_bytes);

  // Shows the next frame. May take bytes of an incomplete packet off `input` into the buffer; the shown frame
  // itself stays until consume(). Calling again without consume() shows the same.
  Frame peek(Bytes& input);

  // Goes past the frame just shown. The frame's bytes stay readable until the next peek().
  void consume(Bytes& input);

  [[nodiscard]] bool inside_packet() const { return header_used_ != 0 || missing_ != 0; }

 private:
  bool take_header(Bytes& input);
  Frame peek_large(Bytes& input);
  [[nodiscard]] std::size_t head_size(Bytes start) const;
  void fill(Bytes& input, std::size_t target);
  Frame malformed(Violation violation);
  Frame shown(Frame::Kind kind, Bytes bytes, std::uint32_t missing, std::size_t input_bytes);

  MutableBytes buffer_;
  Wire wire_;
  std::uint32_t maximum_packet_bytes_ = 0;
  std::uint8_t header_[5] = {};
  std::uint8_t header_used_ = 0;  // bytes of the fixed header seen
  bool header_complete_ = false;
  Violation violation_ = Violation::none;
  std::uint32_t remaining_ = 0;  // of the packet, by its header
  std::size_t buffered_ = 0;     // bytes of the body in the buffer
  std::uint32_t missing_ = 0;    // payload of a large PUBLISH still to come
  std::size_t shown_input_ = 0;  // what consume() takes off the input
  std::uint32_t shown_missing_ = 0;
};

}  // namespace mqboard::mqtt
