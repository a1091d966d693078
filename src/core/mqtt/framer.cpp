#include "core/mqtt/framer.hpp"

#include <algorithm>
#include <cstring>

#include "core/mqtt/decoder.hpp"

namespace mqboard::mqtt {

void Framer::reset(Wire wire, std::uint32_t maximum_packet_bytes) {
  *this = Framer{buffer_};
  wire_ = wire;
  maximum_packet_bytes_ = maximum_packet_bytes;
}

Frame Framer::malformed(Violation violation) {
  violation_ = violation;
  return {.kind = Frame::Kind::malformed, .violation = violation};
}

Frame Framer::shown(Frame::Kind kind, Bytes bytes, std::uint32_t missing, std::size_t input_bytes) {
  shown_input_ = input_bytes;
  shown_missing_ = missing;
  return {.kind = kind, .first = header_[0], .bytes = bytes, .missing = missing};
}

// Collects the fixed header; true once it is complete and acceptable.
bool Framer::take_header(Bytes& input) {
  while (!header_complete_ && !input.empty()) {
    header_[header_used_++] = input[0];
    input = input.subspan(1);
    if (header_used_ < 2) continue;
    const Varint length = read_varint({header_ + 1, header_used_ - 1u});
    if (length.state == Varint::State::needs_more) continue;
    header_complete_ = true;
    remaining_ = length.value;
    const std::uint64_t total = std::uint64_t{header_used_} + remaining_;
    if (length.state == Varint::State::malformed || (wire_.v5() && length.overlong())) {
      violation_ = Violation::remaining_length;
    } else if (total > maximum_packet_bytes_) {
      violation_ = Violation::packet_too_large;
    }
  }
  return header_complete_;
}

void Framer::fill(Bytes& input, std::size_t target) {
  const std::size_t count = std::min(target - buffered_, input.size());
  if (count != 0) std::memcpy(buffer_.data() + buffered_, input.data(), count);
  buffered_ += count;
  input = input.subspan(count);
}

Frame Framer::peek(Bytes& input) {
  if (violation_ != Violation::none) return malformed(violation_);
  if (missing_ != 0) {
    const std::size_t count = std::min<std::size_t>(missing_, input.size());
    if (count == 0) return {};
    return shown(Frame::Kind::body, input.first(count), missing_ - static_cast<std::uint32_t>(count), count);
  }
  if (!take_header(input)) return {};
  if (violation_ != Violation::none) return malformed(violation_);
  if (buffered_ == 0 && input.size() >= remaining_) {
    return shown(Frame::Kind::packet, input.first(remaining_), 0, remaining_);
  }
  if (remaining_ > buffer_.size()) return peek_large(input, remaining_);
  fill(input, remaining_);
  if (buffered_ < remaining_) return {};
  return shown(Frame::Kind::packet, buffer_.first(remaining_), 0, 0);
}

Frame Framer::peek_large(Bytes& input, std::size_t total) {
  if (header_[0] >> 4 != static_cast<int>(PacketType::publish)) return malformed(Violation::packet_too_large);
  if (buffered_ == 0 && publish_head_size(header_[0], input, wire_) != 0) {
    return shown(Frame::Kind::head, input, static_cast<std::uint32_t>(total - input.size()), input.size());
  }
  fill(input, buffer_.size());
  const Bytes start = buffer_.first(buffered_);
  if (publish_head_size(header_[0], start, wire_) == 0) {
    return buffered_ == buffer_.size() ? malformed(Violation::packet_too_large) : Frame{};
  }
  return shown(Frame::Kind::head, start, static_cast<std::uint32_t>(total - buffered_), 0);
}

void Framer::consume(Bytes& input) {
  input = input.subspan(shown_input_);
  missing_ = shown_missing_;
  shown_input_ = 0;
  shown_missing_ = 0;
  buffered_ = 0;
  header_used_ = 0;
  header_complete_ = false;
}

}  // namespace mqboard::mqtt
