// Borrowed byte sequences and the bounds-checked reader and writer every codec in core uses.
//
// A Reader or Writer never allocates and never touches memory outside its span. A failed operation sets a
// sticky failure that the caller checks once at the end; after it every further read yields zero or an empty
// span.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace mqboard {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads big-endian fields off the front of a span. The spans it returns borrow from the input.
class Reader {
 public:
  explicit Reader(Bytes input) : rest_(input) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t u64() { return big_endian(8); }

  Bytes take(std::size_t count) {
    if (failed_ || count > rest_.size()) return fail(), Bytes{};
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  void fail() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return !failed_ && rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return failed_ ? Bytes{} : rest_; }

 private:
  std::uint64_t big_endian(std::size_t count) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(count)) value = (value << 8) | byte;
    return value;
  }

  Bytes rest_;
  bool failed_ = false;
};

// Writes big-endian fields into a borrowed buffer. Writing past the end fails and writes nothing of that
// field.
class Writer {
 public:
  explicit Writer(MutableBytes output) : output_(output) {}

  void u8(std::uint8_t value) { big_endian(value, 1); }
  void u16(std::uint16_t value) { big_endian(value, 2); }
  void u32(std::uint32_t value) { big_endian(value, 4); }
  void u64(std::uint64_t value) { big_endian(value, 8); }

  void bytes(Bytes data) {
    if (failed_ || data.size() > output_.size() - used_) return fail();
    if (!data.empty()) std::memcpy(output_.data() + used_, data.data(), data.size());
    used_ += data.size();
  }
  void text(std::string_view data) { bytes(as_bytes(data)); }

  void fail() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] Bytes written() const { return failed_ ? Bytes{} : Bytes{output_.first(used_)}; }

 private:
  void big_endian(std::uint64_t value, std::size_t count) {
    std::uint8_t field[8];
    for (std::size_t i = count; i-- > 0; value >>= 8) field[i] = static_cast<std::uint8_t>(value);
    bytes({field, count});
  }

  MutableBytes output_;
  std::size_t used_ = 0;
  bool failed_ = false;
};

}  // namespace mqboard
