#include "cli/facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <string_view>

#include <fmt/core.h>

#include "cli/progress.hpp"

namespace mqboard::cli {

namespace {

// Numbers the protocols need; a person who wants them says -v.
constexpr std::array<std::string_view, 6> kForPrograms{"epoch",    "put_ack",         "channel.credit",
                                                       "in_order", "channel.largest", "board.prefix"};
constexpr std::array<std::string_view, 8> kByteSuffixes{
    "flash.total", "flash.free", "heap_used",   "heap_free",
    "flash_size",  "flash_free", "memory_used", "memory_free"};  // the second line: of boards that speak v1

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

bool counts_bytes(std::string_view name) {
  const auto is_suffix = [name](std::string_view suffix) { return name.ends_with(suffix); };
  return name.find(".bytes_") != std::string_view::npos || std::ranges::any_of(kByteSuffixes, is_suffix);
}

std::string without(std::string_view name, std::string_view suffix) {
  return std::string(name.substr(0, name.size() - suffix.size()));
}

}  // namespace

std::optional<StatusField> readable(const StatusField& field, bool verbose) {
  if (!verbose && std::ranges::find(kForPrograms, field.name) != kForPrograms.end()) return std::nullopt;
  const std::string_view name = field.name;
  const auto value = number(field.value);
  if (!value) return field;
  if (name.ends_with("_ms")) {
    const bool of_activity = name.ends_with(".activity_ms");  // beside "python.activity"
    return StatusField{without(name, "_ms").append(of_activity ? "_for" : ""),
                       duration_text(static_cast<std::uint64_t>(*value))};
  }
  if (name.ends_with("_at")) return StatusField{field.name, date_text(*value) + " UTC"};
  const bool named_bytes = name.ends_with("_bytes");
  if (named_bytes || counts_bytes(name)) {
    return StatusField{named_bytes ? without(name, "_bytes") : field.name,
                       human_bytes(static_cast<double>(*value))};
  }
  return field;
}

std::string date_text(std::int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string duration_text(std::uint64_t milliseconds) {
  if (milliseconds < 1000) return fmt::format("{} ms", milliseconds);
  const std::uint64_t seconds = milliseconds / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  const std::uint64_t minutes = seconds / 60;
  if (minutes < 60) return fmt::format("{} min {} s", minutes, seconds % 60);
  const std::uint64_t hours = minutes / 60;
  if (hours < 24) return fmt::format("{} h {} min", hours, minutes % 60);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

}  // namespace mqboard::cli
