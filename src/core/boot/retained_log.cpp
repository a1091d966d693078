#include "core/boot/retained_log.hpp"

#include <algorithm>

namespace mqboard::boot {
namespace {

constexpr std::uint32_t kMagic = 0x4d514c47;  // "MQLG"

}  // namespace

std::atomic_ref<std::uint32_t> RetainedLog::word(std::size_t which) const {
  return std::atomic_ref<std::uint32_t>(
      *reinterpret_cast<std::uint32_t*>(region_.data() + which * sizeof(std::uint32_t)));
}

void RetainedLog::format() {
  word(1).store(0);
  word(0).store(kMagic);
}

void RetainedLog::put(std::size_t& position, std::string_view text) {
  const std::size_t size = ring().size();
  while (!text.empty()) {
    const std::size_t at = position % size;
    const std::size_t count = std::min(text.size(), size - at);
    std::memcpy(ring().data() + at, text.data(), count);
    text.remove_prefix(count);
    position += count;
  }
}

void RetainedLog::append(std::string_view line) {
  std::size_t position = word(1).load();
  const std::size_t size = ring().size();
  if (position >= 2 * size) position = 0;
  put(position, line.substr(0, kMaxLine));
  put(position, "\n");
  // A position beyond the room says that the ring has been filled once.
  if (position >= 2 * size) position -= size;
  word(1).store(static_cast<std::uint32_t>(position), std::memory_order_release);
}

std::string_view RetainedLog::tail(MutableBytes into) const {
  const std::size_t size = ring().size();
  const std::size_t position = word(1).load(std::memory_order_acquire);
  if (word(0).load() != kMagic || position >= 2 * size) return {};
  // A line being written when the writer died has overwritten the oldest text.
  const std::size_t held = position < size ? position : size - (kMaxLine + 1);
  const std::size_t count = std::min(held, into.size());
  for (std::size_t i = 0; i < count; ++i) into[i] = ring()[(position - count + i) % size];
  const std::string_view text = as_text(into.first(count));
  if (count == position) return text;
  const std::size_t newline = text.find('\n');
  return newline == std::string_view::npos ? std::string_view{} : text.substr(newline + 1);
}

}  // namespace mqboard::boot
