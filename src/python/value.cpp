#include "python/value.hpp"

#include "python/host_module.hpp"

namespace mqboard::python {

Value to_owned(const Argument& argument) {
  if (const auto* text = std::get_if<std::string_view>(&argument)) return std::string(*text);
  if (const auto* bytes = std::get_if<Bytes>(&argument)) return ByteString(bytes->begin(), bytes->end());
  if (const auto* boolean = std::get_if<bool>(&argument)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&argument)) return *integer;
  if (const auto* number = std::get_if<double>(&argument)) return *number;
  return None{};
}

std::unexpected<Exception> os_error(int code, std::string message) {
  return std::unexpected(Exception{Exception::Type::os_error, std::move(message), code});
}
std::unexpected<Exception> value_error(std::string message) {
  return std::unexpected(Exception{Exception::Type::value_error, std::move(message)});
}
std::unexpected<Exception> type_error(std::string message) {
  return std::unexpected(Exception{Exception::Type::type_error, std::move(message)});
}
std::unexpected<Exception> runtime_error(std::string message) {
  return std::unexpected(Exception{Exception::Type::runtime_error, std::move(message)});
}

namespace {

[[noreturn]] void wrong_type(std::size_t index, const char* wanted) {
  throw Exception{Exception::Type::type_error, "argument " + std::to_string(index + 1) + ": " + wanted};
}

const Argument& at(const Call& call, std::size_t index) {
  if (index >= call.args().size()) wrong_type(index, "missing");
  return call.args()[index];
}

template<class Wanted>
Wanted get(const Call& call, std::size_t index, const char* wanted) {
  const auto* value = std::get_if<Wanted>(&at(call, index));
  if (value == nullptr) wrong_type(index, wanted);
  return *value;
}

}  // namespace

bool Call::boolean(std::size_t index) const {
  if (const auto* integer = std::get_if<std::int64_t>(&at(*this, index))) return *integer != 0;
  return get<bool>(*this, index, "expected bool");
}

std::int64_t Call::integer(std::size_t index) const {
  if (const auto* boolean = std::get_if<bool>(&at(*this, index))) return *boolean ? 1 : 0;
  return get<std::int64_t>(*this, index, "expected int");
}

double Call::number(std::size_t index) const {
  if (const auto* number = std::get_if<double>(&at(*this, index))) return *number;
  return static_cast<double>(get<std::int64_t>(*this, index, "expected float"));
}

std::string_view Call::text(std::size_t index) const {
  return get<std::string_view>(*this, index, "expected str");
}

Bytes Call::bytes(std::size_t index) const {
  if (const auto* text = std::get_if<std::string_view>(&at(*this, index))) return as_bytes(*text);
  return get<Bytes>(*this, index, "expected bytes");
}

bool Call::given(std::size_t index) const {
  return index < args().size() && !std::holds_alternative<None>(args()[index]);
}

}  // namespace mqboard::python
