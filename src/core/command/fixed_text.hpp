// Text of bounded length held in place: topics, names and messages without allocation.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "core/base/utf8.hpp"

namespace mqboard::command {

// Appending beyond the capacity keeps what fits, never half a UTF-8 sequence, and sets truncated().
template<std::size_t Capacity>
class FixedText {
 public:
  FixedText() = default;
  explicit FixedText(std::string_view text) { append(text); }

  FixedText& append(std::string_view text) {
    std::size_t count = text.size();
    if (count > Capacity - size_) {
      count = utf8_prefix(as_bytes(text), Capacity - size_);
      truncated_ = true;
    }
    if (count != 0) std::memcpy(text_.data() + size_, text.data(), count);
    size_ += count;
    return *this;
  }
  FixedText& append(std::unsigned_integral auto number, int base = 10) {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    return append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  void clear() { size_ = 0, truncated_ = false; }

  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  operator std::string_view() const { return view(); }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool truncated() const { return truncated_; }

  friend bool operator==(const FixedText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const FixedText& a, const FixedText& b) { return a.view() == b.view(); }

 private:
  std::array<char, Capacity> text_{};
  std::size_t size_ = 0;
  bool truncated_ = false;
};

}  // namespace mqboard::command
