#include "cli/json.hpp"

#include <cmath>

#include <fmt/core.h>

#include "core/base/utf8.hpp"

namespace mqboard::cli::json {

namespace {

void append_escaped(std::string& out, char c) {
  switch (c) {
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
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  } else {
    out += c;
  }
}

// Length of the UTF-8 sequence at the front of `text`, 0 when there is none.
std::size_t sequence_at(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (is_utf8(as_bytes(text.substr(0, length)))) return length;
  }
  return 0;
}

}  // namespace

Value::Value(std::string_view string) {
  text.reserve(string.size() + 2);
  text += '"';
  while (!string.empty()) {
    const std::size_t length = sequence_at(string);
    if (length == 0) {
      text += "\xef\xbf\xbd";
    } else if (length == 1) {
      append_escaped(text, string.front());
    } else {
      text += string.substr(0, length);
    }
    string.remove_prefix(length == 0 ? 1 : length);
  }
  text += '"';
}

Value Value::number(double value) { return raw(std::isfinite(value) ? fmt::format("{}", value) : "null"); }

Value Value::raw(std::string json) {
  Value value;
  value.text = std::move(json);
  return value;
}

Value object(std::span<const Field> fields) {
  std::string text = "{";
  for (const Field& field : fields) {
    if (text.size() > 1) text += ", ";
    text += Value(field.first).text;
    text += ": ";
    text += field.second.text;
  }
  return Value::raw(text + "}");
}

Value array(std::span<const Value> values) {
  std::string text = "[";
  for (const Value& value : values) {
    if (text.size() > 1) text += ", ";
    text += value.text;
  }
  return Value::raw(text + "]");
}

}  // namespace mqboard::cli::json
