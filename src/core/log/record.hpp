// A log record and the line it becomes on `<p>/log` (docs/WIRE.md, "Log lines"):
//
//   <S> <time> <logger>: <text>      S: one of D I W E C; logger right-aligned in 8 columns, as the original
//   does
//
// The time is milliseconds since boot until the board knows the time of day, then HH:MM:SS.sss (UTC plus the
// board's offset). One record is one line: a line break in the text starts a further record. A text that is
// not UTF-8, and control characters other than tab, come out as U+FFFD.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"

namespace mqboard::log {

// Python's numbers divided by ten.
enum class Level : std::uint8_t { not_set = 0, debug = 1, info = 2, warning = 3, error = 4, critical = 5 };

[[nodiscard]] char letter(Level level);            // 'D' 'I' 'W' 'E' 'C', '?' for not_set
[[nodiscard]] std::string_view name(Level level);  // "debug" ...
[[nodiscard]] std::optional<Level> parse_level(
    std::string_view text);  // name or letter, any case, or 10 .. 50
[[nodiscard]] constexpr int python_level(Level level) { return static_cast<int>(level) * 10; }
[[nodiscard]] constexpr Level from_python(int level) {  // 35 counts as warning, 60 as critical
  return level >= 50 ? Level::critical : level < 10 ? Level::not_set : static_cast<Level>(level / 10);
}

inline constexpr std::size_t kMaxLogger = 32;
inline constexpr std::size_t kMaxText = 1024;  // of one record; longer text is cut at a character
// Replacing a byte takes three.
inline constexpr std::size_t kMaxLine = 3 * (kMaxLogger + kMaxText) + 32;

struct Record {
  Level level = Level::info;
  Millis since_boot{};
  std::string_view logger{};
  std::string_view text{};
};

// How since_boot becomes a time of day; not known: nothing.
struct WallClock {
  std::int64_t boot_ms = 0;  // time of day, ms since midnight UTC plus offset, at since_boot 0
};

// Writes the line, without line break, into `into` (kMaxLine bytes hold any record of a Ring) and returns it,
// cut at a character when it does not fit.
[[nodiscard]] std::string_view format_line(const Record& record, const std::optional<WallClock>& clock,
                                           MutableBytes into);

}  // namespace mqboard::log
