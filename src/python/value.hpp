// The values that cross the border between C++ and Python, in both directions.
//
// int is 64 bits wide: a Python integer beyond that raises OverflowError on its way out. bytes, bytearray and
// memoryview all arrive in C++ as bytes; bytes from C++ arrive in Python as `bytes`. Every crossing costs one
// copy: arguments of a host function are borrowed straight from the interpreter's memory.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/bytes.hpp"

namespace mqboard::python {

struct None {
  friend bool operator==(None, None) { return true; }
};

using ByteString = std::vector<std::uint8_t>;

// An owned value: what C++ hands to Python. A std::string must be UTF-8; other text raises UnicodeError
// there.
using Value = std::variant<None, bool, std::int64_t, double, std::string, ByteString>;

// A borrowed value: what Python hands to C++. Valid until the host function returns.
using Argument = std::variant<None, bool, std::int64_t, double, std::string_view, Bytes>;

Value to_owned(const Argument& argument);

// An exception raised in Python by C++.
struct Exception {
  enum class Type : std::uint8_t {
    os_error,  // OSError(code) when `code` is not 0, else OSError(message)
    value_error,
    type_error,
    key_error,
    index_error,
    attribute_error,
    not_implemented_error,
    runtime_error,
    memory_error,
    timeout_error  // asyncio.TimeoutError
  };

  Type type = Type::runtime_error;
  std::string message;
  int code = 0;  // os_error only: errno as Linux numbers it; Python sees the same number in e.errno
};

using HostResult = std::expected<Value, Exception>;

std::unexpected<Exception> os_error(int code, std::string message = {});
std::unexpected<Exception> value_error(std::string message);
std::unexpected<Exception> type_error(std::string message);
std::unexpected<Exception> runtime_error(std::string message);

}  // namespace mqboard::python
