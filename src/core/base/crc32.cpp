#include "core/base/crc32.hpp"

#include <array>

namespace mqboard {
namespace {

// A table by nibble: 64 bytes of read-only data, small enough for a microcontroller.
constexpr std::array<std::uint32_t, 16> make_table() {
  std::array<std::uint32_t, 16> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 4; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr auto kTable = make_table();

}  // namespace

std::uint32_t crc32(Bytes data, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  for (const std::uint8_t byte : data) {
    crc = (crc >> 4) ^ kTable[(crc ^ byte) & 15];
    crc = (crc >> 4) ^ kTable[(crc ^ (byte >> 4)) & 15];
  }
  return ~crc;
}

}  // namespace mqboard
