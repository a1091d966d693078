// What is known of a board as a person reads it: sizes, times and durations in units, without what only
// programs need. `-o json` shows all of it as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/board_status.hpp"

namespace mqboard::cli {

// The field as shown; nothing for what only `-v` shows. A name ending in a unit loses it: "uptime_ms 90000"
// is "uptime 1 min 30 s", "flash.free" gets a unit, "connected_at" becomes a date.
[[nodiscard]] std::optional<StatusField> readable(const StatusField& field, bool verbose);

// "2024-01-31 12:34:56", UTC.
[[nodiscard]] std::string date_text(std::int64_t seconds_since_1970);
// "250 ms", "29 s", "1 min 30 s", "2 h 5 min", "3 d 4 h".
[[nodiscard]] std::string duration_text(std::uint64_t milliseconds);

}  // namespace mqboard::cli
