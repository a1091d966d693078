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

void Encoder::connack_reason(ReasonCode code) {
  u8(wire_.v5() ? static_cast<std::uint8_t>(code) : connack_return_code(code));
}

}  // namespace mqboard::mqtt
