#include "core/base/json_text.hpp"

#include "core/base/utf8.hpp"

namespace mqboard {
namespace {

constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

bool stands_for_itself(char character) {
  const auto code = static_cast<unsigned char>(character);
  return code >= 0x20 && code != 0x7f && character != '"' && character != '\\';
}

std::string_view escaped(char character, JsonEscape& escape) {
  switch (character) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(character);
  escape = {'\\', 'u', '0', '0', kDigits[code >> 4], kDigits[code & 15]};
  return {escape.data(), escape.size()};
}

}  // namespace

std::string_view take_json_piece(std::string_view& text, JsonEscape& escape) {
  std::size_t plain = 0;
  while (plain < text.size() && stands_for_itself(text[plain])) {
    const std::size_t length = utf8_sequence(as_bytes(text.substr(plain)));
    if (length == 0) break;
    plain += length;
  }
  const std::string_view front = text.substr(0, plain);
  if (plain != 0) {
    text.remove_prefix(plain);
    return front;
  }
  const char odd = text.front();
  text.remove_prefix(1);
  return stands_for_itself(odd) ? kReplacementCharacter : escaped(odd, escape);
}

}  // namespace mqboard
