// Variable byte integers (3.1.1 section 2.2.3, 5.0 section 1.5.5): 7 bits a byte, least significant group
// first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

constexpr std::size_t varint_size(std::uint32_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

// Writes `value` (below 2^28) to `out`, which has room for four bytes; returns how many were used.
constexpr std::size_t write_varint(std::uint32_t value, std::uint8_t* out) {
  std::size_t used = 0;
  for (; value >= 0x80; value >>= 7) out[used++] = static_cast<std::uint8_t>(value | 0x80);
  out[used++] = static_cast<std::uint8_t>(value);
  return used;
}

struct Varint {
  enum class State : std::uint8_t { complete, needs_more, malformed } state = State::needs_more;
  std::uint8_t size = 0;  // bytes it takes
  std::uint32_t value = 0;

  // Longer than necessary, which 5.0 forbids [MQTT-1.5.5-1].
  [[nodiscard]] bool overlong() const { return size != varint_size(value); }
};

constexpr Varint read_varint(Bytes input) {
  Varint result;
  for (std::size_t i = 0; i < 4 && i < input.size(); ++i) {
    result.value |= static_cast<std::uint32_t>(input[i] & 0x7F) << (7 * i);
    if (input[i] < 0x80) {
      result.state = Varint::State::complete;
      result.size = static_cast<std::uint8_t>(i + 1);
      return result;
    }
  }
  if (input.size() >= 4) result.state = Varint::State::malformed;
  return result;
}

}  // namespace mqboard::mqtt
