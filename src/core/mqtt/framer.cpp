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
  if (header_used_ == 0 && input.size() >= 2 && input[1] < 0x80) {  // what almost every packet looks like
    header_[0] = input[0];
    header_used_ = 2;
    header_complete_ = true;
    remaining_ = input[1];
    input = input.subspan(2);
    if (2 + remaining_ > maximum_packet_bytes_) violation_ = Violation::packet_too_large;
    return true;
  }
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
  if (remaining_ > buffer_.size()) return peek_large(input);
  if (buffered_ == 0 && input.size() >= remaining_) {
    return shown(Frame::Kind::packet, input.first(remaining_), 0, remaining_);
  }
  fill(input, remaining_);
  if (buffered_ < remaining_) return {};
  return shown(Frame::Kind::packet, buffer_.first(remaining_), 0, 0);
}

// What is accepted, and why not, depends on the buffer alone, not on how the input happened to be cut.
Frame Framer::peek_large(Bytes& input) {
  if (header_[0] >> 4 != static_cast<int>(PacketType::publish)) return malformed(Violation::packet_too_large);
  Bytes start = buffered_ == 0 ? input.first(std::min<std::size_t>(input.size(), remaining_)) : Bytes{};
  std::size_t in_place = start.size();
  std::size_t head = head_size(start);
  if (head == 0 && start.size() < buffer_.size()) {
    fill(input, buffer_.size());
    start = buffer_.first(buffered_);
    in_place = 0;
    head = head_size(start);
    if (head == 0 && buffered_ < buffer_.size()) return {};
  }
  if (head == 0) return malformed(Violation::packet_too_large);
  if (head > remaining_) return malformed(Violation::truncated);
  return shown(Frame::Kind::head, start, remaining_ - static_cast<std::uint32_t>(start.size()), in_place);
}

// Bytes in front of the payload; 0 unless all of them are in `start`, as far as the buffer could hold it, or
// it shows that they are more than the packet has.
std::size_t Framer::head_size(Bytes start) const {
  start = start.first(std::min(start.size(), buffer_.size()));
  if (start.size() < 2) return 0;
  std::size_t size = 2u + (static_cast<std::size_t>(start[0]) << 8 | start[1]);
  if ((header_[0] & 0b0110) != 0) size += 2;
  if (wire_.v5() && size <= remaining_) {
    if (size > start.size()) return 0;
    const Varint properties = read_varint(start.subspan(size));
    if (properties.state == Varint::State::needs_more) return 0;
    const bool malformed = properties.state == Varint::State::malformed;
    size += malformed ? remaining_ : properties.size + properties.value;
  }
  return size <= start.size() || size > remaining_ ? size : 0;
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
