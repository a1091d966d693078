// A short name inside a fixed layout: product, hardware kind, version. At most 32 printable ASCII characters
// without spaces, padded with NUL.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::boot {

class Label {
 public:
  static constexpr std::size_t kBytes = 32;

  Label() = default;

  // Nothing when `text` is too long or holds something else.
  [[nodiscard]] static std::optional<Label> make(std::string_view text) {
    if (text.size() > kBytes || !std::ranges::all_of(text, is_printable)) return {};
    Label label;
    std::ranges::copy(text, label.text_.begin());
    return label;
  }

  // From its padded form; nothing unless exactly kBytes long and padded with NUL only.
  [[nodiscard]] static std::optional<Label> decode(Bytes padded) {
    if (padded.size() != kBytes) return {};
    const std::string_view text = as_text(padded);
    const std::size_t end = std::min(text.find('\0'), kBytes);
    if (text.substr(end).find_first_not_of('\0') != std::string_view::npos) return {};
    return make(text.substr(0, end));
  }

  [[nodiscard]] std::string_view view() const {
    const std::string_view padded(text_.data(), kBytes);
    return padded.substr(0, padded.find('\0'));
  }
  [[nodiscard]] Bytes padded() const { return as_bytes({text_.data(), kBytes}); }
  [[nodiscard]] bool empty() const { return text_[0] == '\0'; }
  bool operator==(const Label&) const = default;

 private:
  static constexpr bool is_printable(char c) { return c > ' ' && c <= '~'; }

  std::array<char, kBytes> text_{};
};

}  // namespace mqboard::boot
