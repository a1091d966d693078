#include "core/mqtt/encoder.hpp"

#include <algorithm>

#include "core/mqtt/reason_table.hpp"

namespace mqboard::mqtt {

void Encoder::put_across(Bytes data) {
  while (!data.empty()) {
    if (room_ == 0) {
      const MutableBytes piece = more_ != nullptr ? more_->next() : MutableBytes{};
      if (piece.empty()) {
        overflowed_ = true;
        return;
      }
      at_ = piece.data();
      room_ = piece.size();
    }
    const std::size_t count = std::min(room_, data.size());
    std::memcpy(at_, data.data(), count);
    at_ += count;
    room_ -= count;
    data = data.subspan(count);
  }
}

void Encoder::properties(PropertyView view, PropertyView own) {
  if (!wire_.v5()) return;
  const Bytes first = own.encoded();
  const Bytes second = view.encoded();
  too_long_ |= first.size() + second.size() > kMaxRemainingLength;
  varint(static_cast<std::uint32_t>((first.size() + second.size()) & kMaxRemainingLength));
  put(first.data(), first.size());
  put(second.data(), second.size());
}

std::size_t body_size(const Encodable& packet, Wire wire) {
  Encoder counter{wire};
  packet.write(counter, packet.packet);
  return counter.too_long() ? std::size_t{kMaxRemainingLength} + 1 : counter.size();
}

std::size_t encode(const Encodable& packet, std::size_t body, Wire wire, MutableBytes out,
                   PayloadMode payload) {
  if (body > kMaxRemainingLength) return 0;
  const std::size_t header = packet_size(body) - body;
  const std::size_t total = header + body - (payload == PayloadMode::elsewhere ? packet.payload_bytes : 0);
  if (total > out.size()) return 0;
  out[0] = packet.first;
  write_varint(static_cast<std::uint32_t>(body), out.data() + 1);
  Encoder encoder{wire, out.subspan(header), payload};
  packet.write(encoder, packet.packet);
  return total;
}

void Encoder::connack_reason(ReasonCode code) {
  u8(wire_.v5() ? static_cast<std::uint8_t>(code) : connack_return_code(code));
}

}  // namespace mqboard::mqtt
