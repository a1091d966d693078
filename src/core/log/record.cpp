#include "core/log/record.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/utf8.hpp"

namespace mqboard::log {
namespace {

constexpr std::string_view kLetters = "?DIWEC";
constexpr std::array<std::string_view, 6> kNames{"not_set", "debug", "info", "warning", "error", "critical"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kLoggerColumns = 8;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

class Line {
 public:
  explicit Line(MutableBytes into) : into_(into) {}

  void raw(std::string_view text) {
    const std::size_t count = full_                   ? 0
                              : text.size() <= left() ? text.size()
                                                      : utf8_prefix(as_bytes(text), left());
    std::ranges::copy(as_bytes(text).first(count), into_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += count;
    full_ = full_ || count < text.size();
  }
  void number(std::uint64_t value, std::size_t digits) {
    char text[20];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    for (auto count = static_cast<std::size_t>(end - text); count < digits; ++count) raw("0");
    raw({text, static_cast<std::size_t>(end - text)});
  }
  // Text from anywhere: what is not printable UTF-8 is replaced.
  void clean(std::string_view text);

  [[nodiscard]] std::string_view view() const { return as_text(into_.first(used_)); }

 private:
  [[nodiscard]] std::size_t left() const { return into_.size() - used_; }

  MutableBytes into_;
  std::size_t used_ = 0;
  bool full_ = false;
};

// The length of the well-formed UTF-8 sequence at the front, 0 when there is none.
std::size_t sequence_length(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length)
    if (is_utf8(as_bytes(text.substr(0, length)))) return length;
  return 0;
}

void Line::clean(std::string_view text) {
  while (!text.empty() && !full_) {
    const auto plain = std::ranges::find_if(
        text, [](char c) { return (c < ' ' && c != '\t') || c == 0x7f; });  // control, or not ASCII
    const auto count = static_cast<std::size_t>(plain - text.begin());
    raw(text.substr(0, count));
    text.remove_prefix(count);
    if (text.empty()) return;
    const bool control = static_cast<unsigned char>(text.front()) < 0x80;
    const std::size_t length = control ? 0 : sequence_length(text);
    raw(length == 0 ? kReplacement : text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

void append_time(Line& line, Millis since_boot, const std::optional<WallClock>& clock) {
  const auto ms = static_cast<std::uint64_t>(std::max<Millis::rep>(since_boot.count(), 0));
  if (!clock) return line.number(ms, 1);
  constexpr std::int64_t kDay = 86'400'000;  // ms
  const auto of_day = static_cast<std::uint64_t>(
      ((clock->boot_ms % kDay + kDay) % kDay + static_cast<std::int64_t>(ms)) % kDay);
  line.number(of_day / 3'600'000, 2);
  line.raw(":");
  line.number(of_day / 60'000 % 60, 2);
  line.raw(":");
  line.number(of_day / 1000 % 60, 2);
  line.raw(".");
  line.number(of_day % 1000, 3);
}

}  // namespace

char letter(Level level) { return kLetters[static_cast<std::size_t>(level)]; }
std::string_view name(Level level) { return kNames[static_cast<std::size_t>(level)]; }

std::optional<Level> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (same(text, kNames[i]) || (i != 0 && same(text, kLetters.substr(i, 1)))) return static_cast<Level>(i);
  }
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > 50)
    return std::nullopt;
  return from_python(number);
}

std::string_view format_line(const Record& record, const std::optional<WallClock>& clock, MutableBytes into) {
  Line line(into);
  const char severity = letter(record.level);
  line.raw({&severity, 1});
  line.raw(" ");
  append_time(line, record.since_boot, clock);
  line.raw(" ");
  for (std::size_t i = record.logger.size(); i < kLoggerColumns; ++i) line.raw(" ");
  line.clean(record.logger);
  line.raw(": ");
  line.clean(record.text);
  return line.view();
}

}  // namespace mqboard::log
