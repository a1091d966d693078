#include "core/log/log_buffer.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::log {

// ---- Levels

const Levels::Named* Levels::find(std::string_view logger) const {
  const auto end = named_.begin() + static_cast<std::ptrdiff_t>(count_);
  const auto found = std::find_if(named_.begin(), end, [&](const Named& n) { return n.view() == logger; });
  return found == end ? nullptr : &*found;
}

bool Levels::set(std::string_view logger, Level level) {
  if (logger.empty()) {
    standard_ = level == Level::not_set ? Level::info : level;
    return true;
  }
  if (logger.size() > kMaxLogger) return false;
  if (const Named* known = find(logger)) {
    Named& named = named_[static_cast<std::size_t>(known - named_.data())];
    named.level = level;
    if (level == Level::not_set) named = named_[--count_];
    return true;
  }
  if (level == Level::not_set) return true;
  if (count_ == kMaxLoggers) return false;
  Named& named = named_[count_++];
  std::ranges::copy(logger, named.name.begin());
  named.length = static_cast<std::uint8_t>(logger.size());
  named.level = level;
  return true;
}

Level Levels::of(std::string_view logger) const {
  while (true) {
    if (const Named* named = find(logger)) return named->level;
    const std::size_t dot = logger.rfind('.');
    if (dot == std::string_view::npos) return standard_;
    logger = logger.substr(0, dot);
  }
}

std::optional<Levels::Entry> Levels::entry(std::size_t index) const {
  if (index == 0) return Entry{"", standard_};
  if (index > count_) return std::nullopt;
  return Entry{named_[index - 1].view(), named_[index - 1].level};
}

// ---- Secrets

bool Secrets::add(std::string_view secret) {
  if (secret.size() < kLeastBytes || count_ == kMax) return false;
  secrets_[count_++] = secret;
  return true;
}

std::string_view Secrets::redact(std::string_view text, MutableBytes into) const {
  Writer writer(into);
  while (!text.empty() && !writer.failed()) {
    std::size_t longest = 0;
    for (std::size_t i = 0; i < count_; ++i)
      if (text.starts_with(secrets_[i])) longest = std::max(longest, secrets_[i].size());
    writer.text(longest == 0 ? text.substr(0, 1) : "***");
    text.remove_prefix(std::max<std::size_t>(longest, 1));
  }
  // A cut inside a character shows in the text itself: its last bytes miss their rest.
  std::size_t size = writer.size();
  if (writer.failed())
    while (size != 0 && (into[size - 1] & 0xC0) == 0x80) --size;
  if (writer.failed() && size != 0 && into[size - 1] >= 0xC0) --size;
  return as_text(Bytes(into).first(size));
}

std::size_t Secrets::separable(std::string_view text) const {
  std::size_t cut = text.size();
  for (std::size_t i = 0; i < count_; ++i) {
    const std::string_view secret = secrets_[i];
    const std::size_t longest = std::min(secret.size() - 1, cut);
    for (std::size_t start = cut - longest; start < cut; ++start) {
      if (!secret.starts_with(text.substr(start, secret.size()))) continue;
      // Here begins one that would be cut. The new place may cut another: from the first one again.
      cut = start;
      i = SIZE_MAX;
      break;
    }
  }
  return cut;
}

// ---- LogBuffer

LogBuffer::LogBuffer(MutableBytes memory, const BufferConfig& config) : ring_(memory), config_(config) {
  apply_limit();
}

void LogBuffer::configure(const BufferConfig& config) {
  config_ = config;
  apply_limit();
}

bool LogBuffer::enabled(std::string_view logger, Level level) const {
  return level >= levels_.of(logger) && level >= least();
}

void LogBuffer::keep(const Record& record) {
  if (record.level < least()) return;
  std::array<std::uint8_t, kMaxText> clean;
  std::string_view rest = record.text;
  while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
  while (true) {
    const std::size_t end = rest.find('\n');
    Record line = record;
    line.text = rest.substr(0, end);
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    line.text = secrets_.redact(line.text, clean);
    ring_.push(line);
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
  }
}

void LogBuffer::connected() {
  if (connected_) return;
  connected_ = true;
  last_boot_record_ = ring_.last_sequence();
  apply_limit();
}

void LogBuffer::acknowledge(std::uint32_t sequence) {
  ring_.acknowledge(sequence);
  apply_limit();
}

void LogBuffer::apply_limit() {
  const bool looping = connected_ && ring_.delivered(last_boot_record_);
  ring_.limit(looping ? config_.loop_bytes
                      : std::max(config_.boot_bytes, connected_ ? config_.loop_bytes : 0));
}

}  // namespace mqboard::log
