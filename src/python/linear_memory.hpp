// The memory of one interpreter instance as the host sees it: 32-bit addresses, every access checked.
//
// The generated C checks its own accesses; the host's go through this class, so that an address the
// interpreter hands out wrongly ends that interpreter (Trap) and never reaches memory of the process.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::python {

using Address = std::uint32_t;

// Ends an interpreter instance: thrown out of translated code, through it, to the call that entered it. The
// instance may not be entered again.
struct Trap {
  const char* cause;  // static text
};

class LinearMemory {
 public:
  // `data` and `size` are the instance's fields; the memory may grow but does not move.
  LinearMemory(std::uint8_t* const* data, const std::uint32_t* size) : data_(data), size_(size) {}

  [[nodiscard]] std::uint32_t size() const { return *size_; }

  MutableBytes bytes(Address address, std::uint32_t count) const {
    if (address > *size_ || count > *size_ - address) throw Trap{"host access out of bounds"};
    return {*data_ + address, count};
  }
  [[nodiscard]] std::string_view text(Address address, std::uint32_t count) const {
    return as_text(bytes(address, count));
  }
  [[nodiscard]] std::string_view c_string(Address address) const {
    const MutableBytes rest = bytes(address, *size_ - std::min(address, *size_));
    const void* end = std::memchr(rest.data(), 0, rest.size());
    if (end == nullptr) throw Trap{"unterminated string"};
    return as_text(rest.first(static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - rest.data())));
  }

  template<class Integer>
  [[nodiscard]] Integer load(Address address) const {
    Integer value;
    std::memcpy(&value, bytes(address, sizeof value).data(), sizeof value);
    return value;
  }
  template<class Integer>
  void store(Address address, Integer value) const {
    std::memcpy(bytes(address, sizeof value).data(), &value, sizeof value);
  }

 private:
  static_assert(std::endian::native == std::endian::little, "linear memory is little-endian");

  std::uint8_t* const* data_;
  const std::uint32_t* size_;
};

}  // namespace mqboard::python
