// Text as it stands inside a JSON string (RFC 8259, section 7), piece by piece: whoever writes owns the
// memory.
#pragma once

#include <array>
#include <string_view>

namespace mqboard {

using JsonEscape = std::array<char, 6>;

// Takes a piece off the front of `text`, which must not be empty, and returns what stands for it: a run of
// characters that stand for themselves, one escaped character, or U+FFFD for a byte that is not UTF-8. The
// result lies in `text` or in `escape`.
[[nodiscard]] std::string_view take_json_piece(std::string_view& text, JsonEscape& escape);

// Appends `text` as a JSON string, quotes included.
template<class String>
void append_json_string(String& out, std::string_view text) {
  JsonEscape escape;
  out += '"';
  while (!text.empty()) out += take_json_piece(text, escape);
  out += '"';
}

}  // namespace mqboard
