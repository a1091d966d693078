#include "core/base/utf8.hpp"

#include <algorithm>

namespace mqboard {

// RFC 3629, section 4.
std::size_t utf8_sequence(Bytes text) {
  const std::uint8_t first = text[0];
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  const std::uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (text[1] < low || text[1] > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((text[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

bool is_utf8(Bytes text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text = text.subspan(length);
  }
  return true;
}

std::size_t utf8_prefix(Bytes text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && (text[end] & 0xC0) == 0x80) --end;
  return (text[end] & 0xC0) == 0x80 ? limit : end;
}

}  // namespace mqboard
