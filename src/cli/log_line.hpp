// Reading a message of a board's log: "E 12345     main: text" as the Python mqboard's logging writes it,
// with milliseconds since boot or HH:MM:SS.sss as time. Anything else is text without severity.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/console.hpp"
#include "cli/json.hpp"

namespace mqboard::cli {

enum class Severity : std::uint8_t { debug, info, warning, error, critical };

struct LogLine {
  std::optional<Severity> severity;
  std::string time;    // as written; empty: none
  std::string logger;  // empty: none
  std::string text;    // what follows; several lines for a traceback
  std::string whole;   // the message without terminal escapes and trailing newlines
};

[[nodiscard]] LogLine parse_log_line(std::string_view message);

[[nodiscard]] std::string_view name(Severity severity);
// "warning", "warn", "W", "30": any of the usual names, letters or Python's numbers.
[[nodiscard]] std::optional<Severity> parse_severity(std::string_view text);
[[nodiscard]] Style style(std::optional<Severity> severity);
// `topic` is named when several boards are watched.
[[nodiscard]] json::Value to_json(const LogLine& line, std::string_view topic, std::string_view received);

}  // namespace mqboard::cli
