#include "cli/progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto kQuietStart = 500ms;
constexpr auto kInterval = 100ms;

std::string bar(double part, unsigned width) {
  const auto filled = static_cast<unsigned>(std::clamp(part, 0.0, 1.0) * width);
  return fmt::format(" [{:=<{}}{:{}}]", "", filled, "", width - filled);
}

}  // namespace

Progress::Progress(Console& console, std::string name, std::optional<std::uint64_t> total_bytes,
                   SteadyTime now)
    : console_(console),
      name_(std::move(name)),
      total_(total_bytes),
      started_(now),
      shown_(now + kQuietStart - kInterval) {}

Progress::~Progress() { console_.status_line(""); }

void Progress::update(std::uint64_t bytes, SteadyTime now) {
  if (console_.quiet() || !console_.talk_is_terminal() || now < shown_ + kInterval) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double moved = static_cast<double>(bytes) - static_cast<double>(std::min(bytes, start_bytes_));
  console_.status_line(
      progress_line(name_, bytes, total_, seconds > 0 ? moved / seconds : 0, console_.columns() - 1));
}

std::string progress_line(std::string_view name, std::uint64_t done, std::optional<std::uint64_t> total,
                          double bytes_per_s, unsigned columns) {
  std::string right =
      fmt::format(" {:>8} {:>8}/s", human_bytes(static_cast<double>(done)), human_bytes(bytes_per_s));
  std::string middle;
  if (total) {
    const double part = *total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(*total);
    right = fmt::format(" {:3.0f}%{}", std::floor(part * 100), right);
    if (bytes_per_s > 0 && *total >= done) {
      const double left = static_cast<double>(*total - done) / bytes_per_s;
      right +=
          fmt::format(" {:>7}", human_duration(std::chrono::seconds(std::llround(std::min(left, 359999.0)))));
    }
    const unsigned width = columns > right.size() + 40 ? 20 : columns > right.size() + 25 ? 10 : 0;
    if (width > 0) middle = bar(part, width);
  }
  const std::size_t used = right.size() + middle.size();
  const std::size_t room = columns > used ? columns - used : 0;
  std::string shown(name);
  if (shown.size() > room)
    shown = room > 3 ? fmt::format("...{}", shown.substr(shown.size() - (room - 3))) : "";
  std::string line = shown + middle + right;
  if (line.size() > columns) line.resize(columns);
  return line;
}

std::string human_bytes(double bytes) {
  if (bytes < 999.5) return fmt::format("{:.0f} B", bytes);
  constexpr std::array kUnits{"kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  double value = bytes / 1000;
  while (value >= 999.95 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_duration(std::chrono::seconds duration) {
  const auto all = duration.count();
  if (all >= 3600) return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
  return fmt::format("{}:{:02}", all / 60, all % 60);
}

}  // namespace mqboard::cli
