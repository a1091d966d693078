// Writing JSON (RFC 8259) for -o json: values are built as text. Reading it is board_status.cpp's business.
#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mqboard::cli::json {

// Text that is JSON already.
struct Value {
  std::string text;

  Value(std::string_view string);  // quoted; ill-formed UTF-8 becomes U+FFFD
  Value(const std::string& string) : Value(std::string_view(string)) {}
  Value(const char* string) : Value(std::string_view(string)) {}
  Value(bool flag) : text(flag ? "true" : "false") {}
  Value(std::integral auto number) : text(std::to_string(number)) {}
  static Value number(double value);
  static Value raw(std::string json);
  static Value null() { return raw("null"); }

 private:
  Value() = default;
};

using Field = std::pair<std::string_view, Value>;

[[nodiscard]] Value object(std::span<const Field> fields);
[[nodiscard]] inline Value object(std::initializer_list<Field> fields) {
  return object(std::span<const Field>(fields.begin(), fields.size()));
}
[[nodiscard]] Value array(std::span<const Value> values);

}  // namespace mqboard::cli::json
