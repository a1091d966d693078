#include "mqtt/websocket_frames.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::mqtt {
namespace {

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kKind = 0x0F;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kTwoByteLength = 126;
constexpr std::uint8_t kEightByteLength = 127;

bool is_control(FrameKind kind) { return kind >= FrameKind::close; }

// How long a header is, as far as its first bytes tell.
std::size_t header_size(Bytes header) {
  if (header.size() < 2) return 2;
  const std::uint8_t length = header[1] & 0x7F;
  if (length == kEightByteLength) return 10;
  return length == kTwoByteLength ? 4 : 2;
}

}  // namespace

std::size_t FrameReader::strip(MutableBytes bytes) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < bytes.size() && !ended();) {
    if (state_ == State::header) {
      read_header(bytes[at++]);
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size() - at));
    if (is_control(kind_)) {
      std::memcpy(control_.data() + control_bytes_, bytes.data() + at, count);
      control_bytes_ += count;
    } else {
      std::memmove(bytes.data() + kept, bytes.data() + at, count);
      kept += count;
    }
    at += count;
    payload_left_ -= count;
    if (payload_left_ == 0) frame_complete();
  }
  return kept;
}

void FrameReader::read_header(std::uint8_t byte) {
  header_[header_bytes_++] = byte;
  if (header_bytes_ == header_size(Bytes(header_).first(header_bytes_))) header_complete();
}

void FrameReader::header_complete() {
  Reader reader(Bytes(header_).first(header_bytes_));
  const std::uint8_t first = reader.u8();
  const std::uint8_t second = reader.u8();
  payload_left_ = second & 0x7F;
  if (header_bytes_ == 4) payload_left_ = reader.u16();
  if (header_bytes_ == 10) payload_left_ = reader.u64();
  const bool shortest = header_bytes_ == 2 || payload_left_ >= (header_bytes_ == 4 ? 126U : 65'536U);
  header_bytes_ = 0;
  kind_ = static_cast<FrameKind>(first & kKind);
  const bool final = (first & kFinal) != 0;

  if ((first & kReserved) != 0) return fail("reserved bits set without an extension");
  if ((second & kMasked) != 0) return fail("masked frame from a server");
  if (!shortest || payload_left_ >> 63U != 0) return fail("malformed frame length");
  switch (kind_) {
    case FrameKind::continuation:
      if (!inside_message_) return fail("continuation of no message");
      inside_message_ = !final;
      break;
    case FrameKind::binary:
      if (inside_message_) return fail("message within a message");
      inside_message_ = !final;
      break;
    case FrameKind::text:
      return fail("text instead of binary data [MQTT-6.0.0-1]");
    case FrameKind::close:
    case FrameKind::ping:
    case FrameKind::pong:
      if (!final || payload_left_ > kMaxControlBytes) return fail("malformed control frame");
      control_bytes_ = 0;
      break;
    default:
      return fail("unknown kind of frame");
  }
  state_ = State::payload;
  if (payload_left_ == 0) frame_complete();
}

// A frame has ended; if it was a control frame, it takes effect.
void FrameReader::frame_complete() {
  state_ = State::header;
  if (kind_ == FrameKind::ping) {
    ping_ = control_;
    ping_bytes_ = control_bytes_;
    pinged_ = true;
  }
  if (kind_ != FrameKind::close) return;
  if (control_bytes_ == 1) return fail("malformed close frame");
  state_ = State::closed;
  reason_ = "server closed the WebSocket";
  if (control_bytes_ == 0) return;
  Reader reader(Bytes(control_).first(control_bytes_));
  reason_ += " with code " + std::to_string(reader.u16());
  const std::string_view words = as_text(reader.rest());
  if (!words.empty()) reason_.append(": ").append(words);
}

void FrameReader::fail(std::string_view rule) {
  state_ = State::broken;
  reason_.assign("server violated WebSocket: ").append(rule);
}

std::optional<Bytes> FrameReader::take_ping() {
  if (!pinged_) return std::nullopt;
  pinged_ = false;
  return Bytes(ping_).first(ping_bytes_);
}

std::size_t write_frame_header(FrameKind kind, std::size_t payload_bytes, const MaskingKey& key,
                               MutableBytes into) {
  Writer writer(into);
  writer.u8(static_cast<std::uint8_t>(kFinal | static_cast<std::uint8_t>(kind)));
  if (payload_bytes < kTwoByteLength) {
    writer.u8(static_cast<std::uint8_t>(kMasked | payload_bytes));
  } else if (payload_bytes <= 0xFFFF) {
    writer.u8(kMasked | kTwoByteLength);
    writer.u16(static_cast<std::uint16_t>(payload_bytes));
  } else {
    writer.u8(kMasked | kEightByteLength);
    writer.u64(payload_bytes);
  }
  writer.bytes(key);
  return writer.size();
}

void mask(MutableBytes payload, const MaskingKey& key) {
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= key[i % key.size()];
}

}  // namespace mqboard::mqtt
