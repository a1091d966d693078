#include "board/text.hpp"

#include "core/base/utf8.hpp"

namespace mqboard::board {
namespace {

void append_escaped(std::string& out, char character) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto code = static_cast<unsigned char>(character);
  if (code < 0x20 || code == 0x7f) {
    out += "\\u00";
    out += kDigits[code >> 4];
    out += kDigits[code & 15];
  } else {
    out += character;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t good = text.size();
    if (!is_utf8(as_bytes(text))) {
      good = 0;
      while (good < text.size()) {
        std::size_t next = good + 1;
        while (next <= text.size() && next - good <= 4 && !is_utf8(as_bytes(text.substr(good, next - good))))
          ++next;
        if (next > text.size() || next - good > 4) break;
        good = next;
      }
    }
    for (const char character : text.substr(0, good)) append_escaped(out, character);
    if (good < text.size()) out += "\xef\xbf\xbd", ++good;
    text.remove_prefix(good);
  }
  out += '"';
}

}  // namespace mqboard::board
