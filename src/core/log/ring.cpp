#include "core/log/ring.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/crc32.hpp"
#include "core/base/utf8.hpp"

namespace mqboard::log {
namespace {

// A record in memory, big endian:
//   0 u32 mark   4 u32 crc of all that follows   8 u32 sequence   12 u64 since boot, ms
//   20 u8 level   21 u8 logger length   22 u16 text length   24 logger, text, padding to 4
constexpr std::uint32_t kMark = 0x4c6f6752;
constexpr std::size_t kAlignment = 4;

constexpr std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct Header {
  std::uint32_t mark = 0;
  std::uint32_t crc = 0;
  std::uint32_t sequence = 0;
  std::uint64_t since_boot_ms = 0;
  std::uint8_t level = 0;
  std::uint8_t logger_bytes = 0;
  std::uint16_t text_bytes = 0;

  explicit Header(Bytes from) {
    Reader reader(from);
    mark = reader.u32();
    crc = reader.u32();
    sequence = reader.u32();
    since_boot_ms = reader.u64();
    level = reader.u8();
    logger_bytes = reader.u8();
    text_bytes = reader.u16();
  }
  [[nodiscard]] std::size_t size() const { return padded(Ring::kOverhead + logger_bytes + text_bytes); }
};

// The size of the intact record at the front of `from`, 0 when there is none.
std::size_t intact(Bytes from) {
  if (from.size() < Ring::kOverhead) return 0;
  const Header header(from);
  if (header.mark != kMark || header.sequence == 0 ||
      header.level > static_cast<std::uint8_t>(Level::critical))
    return 0;
  if (header.size() > from.size() || header.text_bytes > kMaxText || header.logger_bytes > kMaxLogger)
    return 0;
  return crc32(from.subspan(8, header.size() - 8)) == header.crc ? header.size() : 0;
}

std::string_view cut(std::string_view text, std::size_t limit) {
  return text.size() <= limit ? text : text.substr(0, utf8_prefix(as_bytes(text), limit));
}

}  // namespace

Ring::Ring(MutableBytes memory) : memory_(memory), limit_(memory.size()) {
  std::ranges::fill(memory_, std::uint8_t{0});
}

Ring Ring::recover(MutableBytes memory) {
  // Moved records may be there twice; numbers ascend, so the second copy is recognised.
  std::size_t kept = 0;
  std::uint32_t last = 0;
  for (std::size_t at = 0; at + kOverhead <= memory.size();) {
    const std::size_t size = intact(memory.subspan(at));
    if (size == 0) {
      at += kAlignment;
      continue;
    }
    const std::uint32_t sequence = Header(memory.subspan(at)).sequence;
    if (sequence > last) {
      last = sequence;
      std::memmove(memory.data() + kept, memory.data() + at, size);
      kept += size;
    }
    at += size;
  }
  std::ranges::fill(memory.subspan(kept), std::uint8_t{0});
  Ring ring(memory.subspan(0, 0));
  ring.memory_ = memory;
  ring.limit_ = memory.size();
  ring.used_ = kept;
  ring.next_sequence_ = last + 1;
  return ring;
}

void Ring::limit(std::size_t bytes) { limit_ = std::min(bytes, memory_.size()); }

bool Ring::push(const Record& record) {
  const std::string_view logger = cut(record.logger, kMaxLogger);
  const std::string_view text = cut(record.text, kMaxText);
  const std::uint32_t sequence = next_sequence_++;
  const std::size_t size = padded(kOverhead + logger.size() + text.size());
  if (!make_room(size, record.level)) {
    ++lost_;
    return false;
  }
  const MutableBytes place = memory_.subspan(used_, size);
  std::ranges::fill(place.last(std::min<std::size_t>(size, kAlignment)), std::uint8_t{0});
  Writer writer(place);
  writer.u32(0);
  writer.u32(0);
  writer.u32(sequence);
  writer.u64(static_cast<std::uint64_t>(std::max<Millis::rep>(record.since_boot.count(), 0)));
  writer.u8(static_cast<std::uint8_t>(record.level));
  writer.u8(static_cast<std::uint8_t>(logger.size()));
  writer.u16(static_cast<std::uint16_t>(text.size()));
  writer.text(logger);
  writer.text(text);
  Writer seal(place);
  seal.u32(kMark);
  seal.u32(crc32(place.subspan(8)));
  used_ += size;
  return true;
}

bool Ring::make_room(std::size_t bytes, Level newcomer) {
  if (bytes > limit_) return false;
  while (bytes > limit_ - std::min(used_, limit_)) {
    const auto at = victim(newcomer);
    if (!at) return false;
    if (!delivered(entry_at(*at).sequence)) ++lost_;
    remove(*at);
  }
  return true;
}

std::optional<std::size_t> Ring::victim(Level newcomer) const {
  std::optional<std::size_t> lowest;
  Level level = newcomer;
  for (std::size_t at = 0; at < used_; at += size_at(at)) {
    const Entry entry = entry_at(at);
    if (delivered(entry.sequence)) return at;
    if (entry.record.level < level || (entry.record.level == level && !lowest)) {
      lowest = at;
      level = entry.record.level;
    }
  }
  return lowest;
}

void Ring::remove(std::size_t at) {
  const std::size_t size = size_at(at);
  std::memmove(memory_.data() + at, memory_.data() + at + size, used_ - at - size);
  used_ -= size;
  std::ranges::fill(memory_.subspan(used_, size), std::uint8_t{0});
}

std::optional<Ring::Entry> Ring::take() {
  const auto entry = after(taken_);
  if (entry) taken_ = entry->sequence;
  return entry;
}

void Ring::acknowledge(std::uint32_t sequence) {
  acknowledged_ = std::max(acknowledged_, std::min(sequence, taken_));
}

std::optional<Ring::Entry> Ring::after(std::uint32_t sequence) const {
  for (std::size_t at = 0; at < used_; at += size_at(at))
    if (const Entry entry = entry_at(at); entry.sequence > sequence) return entry;
  return std::nullopt;
}

Ring::Entry Ring::entry_at(std::size_t at) const {
  const Bytes bytes = Bytes(memory_).subspan(at);
  const Header header(bytes);
  const Bytes logger = bytes.subspan(kOverhead, header.logger_bytes);
  return {.record = {.level = static_cast<Level>(header.level),
                     .since_boot = Millis(static_cast<Millis::rep>(header.since_boot_ms)),
                     .logger = as_text(logger),
                     .text = as_text(bytes.subspan(kOverhead + header.logger_bytes, header.text_bytes))},
          .sequence = header.sequence};
}

std::size_t Ring::size_at(std::size_t at) const { return Header(Bytes(memory_).subspan(at)).size(); }

}  // namespace mqboard::log
