#include "board/log_service.hpp"

#include <algorithm>

#include "board/log_levels.hpp"
#include "board/text.hpp"

namespace mqboard::board {
namespace {

log::BufferConfig buffer_config(const LoggingConfig& config) {
  return {.boot_bytes = config.boot_bytes,
          .loop_bytes = config.loop_bytes,
          .boot_level = log::from_python(config.boot_level),
          .loop_level = log::from_python(config.loop_level)};
}

}  // namespace

LogService::LogService(Environment environment, const LoggingConfig& config,
                       const std::vector<std::string>& secrets, MutableBytes memory)
    : env_(std::move(environment)), buffer_(memory, buffer_config(config)) {
  buffer_.levels().set("", log::from_python(config.level));
  for (const auto& [logger, level] : config.levels) buffer_.levels().set(logger, log::from_python(level));
  for (const auto& secret : secrets) {
    if (!buffer_.secrets().add(secret))
      log(kWarning, "board", "more secrets than the log can hide: see docs/BOARD.md");
  }
}

std::size_t LogService::memory_bytes(const LoggingConfig& config) {
  return std::max(config.boot_bytes, config.loop_bytes);
}

void LogService::log(int level, std::string_view logger, std::string_view text) {
  store(level, logger, text, false);
}

void LogService::log_decided(int level, std::string_view logger, std::string_view text) {
  store(level, logger, text, true);
}

void LogService::store(int level, std::string_view logger, std::string_view text, bool decided) {
  const log::Level severity = std::max(log::from_python(level), log::Level::debug);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (!decided && !buffer_.enabled(logger, severity)) return;
    std::uint32_t sequence = buffer_.ring().last_sequence();
    buffer_.keep({severity, env_.since_boot(), logger, text});
    if (env_.echo) {
      while (const auto entry = buffer_.ring().after(sequence)) {
        env_.echo(entry->record.level, line(entry->record));
        sequence = entry->sequence;
      }
    }
    wake = std::exchange(asleep_, false);
    for (const auto& [follower, tell] : followers_) tell();
  }
  if (wake) env_.wake();
}

std::size_t LogService::separable(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  return buffer_.secrets().separable(text);
}

std::string LogService::redacted(std::string_view text) const {
  std::vector<std::uint8_t> into(text.size());
  const std::lock_guard lock(mutex_);
  return std::string(buffer_.secrets().redact(text, into));
}

int LogService::level_of(std::string_view logger) const {
  for (const auto& [name, level] : levels()) {
    if (name == logger) return level;
  }
  return 0;
}

bool LogService::set_level(std::string_view logger, int level) {
  const std::lock_guard lock(mutex_);
  return buffer_.levels().set(logger, log::from_python(level));
}

std::vector<std::pair<std::string, int>> LogService::levels() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, int>> all;
  for (std::size_t i = 0; const auto entry = buffer_.levels().entry(i); ++i) {
    all.emplace_back(entry->logger, log::python_level(entry->level));
  }
  return all;
}

void LogService::connected() {
  const std::lock_guard lock(mutex_);
  buffer_.connected();
  online_ = true;
}

std::optional<Outgoing> LogService::next() {
  const std::lock_guard lock(mutex_);
  // The client has what was lent and resends it by itself until it arrived.
  if (lent_) buffer_.acknowledge(*std::exchange(lent_, std::nullopt));
  if (!online_) return asleep_ = true, std::nullopt;
  const std::uint32_t gap = held_ ? 0 : take();
  missing_ += gap;
  const Millis now = env_.since_boot();
  if (missing_ != 0 && (gap == 0 || !held_ || now - told_at_ >= kTellEvery)) {
    told_at_ = now;
    const std::string text = concat(std::exchange(missing_, 0), " lines had no room and are missing");
    lent_line_ = line({log::Level::warning, held_ ? held_since_boot_ : now, "log", text});
    return Outgoing{env_.topic, as_bytes(lent_line_)};
  }
  if (!held_) return asleep_ = true, std::nullopt;
  lent_line_ = std::move(held_->text);
  lent_ = held_->sequence;
  held_.reset();
  return Outgoing{env_.topic, as_bytes(lent_line_)};
}

// Takes the next record into held_, if there is one. Answers how many before it had no room.
std::uint32_t LogService::take() {
  std::uint32_t last = buffer_.ring().last_sequence();
  if (const auto entry = buffer_.take()) {
    held_ = Line{entry->sequence, line(entry->record)};
    held_since_boot_ = entry->record.since_boot;
    last = entry->sequence - 1;
  }
  const std::uint32_t gap = last - std::exchange(last_taken_, held_ ? held_->sequence : last);
  return gap;
}

std::string LogService::line(const log::Record& record) const {
  std::array<std::uint8_t, log::kMaxLine> into;
  return std::string(log::format_line(record, env_.wall_clock(), into));
}

std::optional<LogService::Line> LogService::after(std::uint32_t sequence, int level,
                                                  std::string_view logger) const {
  const std::lock_guard lock(mutex_);
  while (const auto entry = buffer_.ring().after(sequence)) {
    sequence = entry->sequence;
    const bool wanted = log::python_level(entry->record.level) >= level;
    if (wanted && (logger.empty() || entry->record.logger == logger))
      return Line{sequence, line(entry->record)};
  }
  return std::nullopt;
}

std::uint32_t LogService::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return buffer_.ring().last_sequence();
}

std::uint32_t LogService::lost() const {
  const std::lock_guard lock(mutex_);
  return buffer_.ring().lost();
}

std::string LogService::tail(std::size_t bytes) const {
  std::string lines;
  for (auto found = after(0); found; found = after(found->sequence)) lines += found->text + '\n';
  if (lines.size() > bytes) lines.erase(0, lines.find('\n', lines.size() - bytes - 1) + 1);
  return lines;
}

LogService::Follower LogService::follow(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  followers_.emplace_back(++last_follower_, std::move(wake));
  return last_follower_;
}

void LogService::unfollow(Follower follower) {
  const std::lock_guard lock(mutex_);
  std::erase_if(followers_, [follower](const auto& entry) { return entry.first == follower; });
}

}  // namespace mqboard::board
