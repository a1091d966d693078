#include "cli/json.hpp"

#include <cmath>

#include <fmt/core.h>

#include "core/base/json_text.hpp"

namespace mqboard::cli::json {

Value::Value(std::string_view string) {
  text.reserve(string.size() + 2);
  append_json_string(text, string);
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
