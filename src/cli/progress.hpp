// The progress of a transfer on the operator's terminal: name, bar, per cent, amount, rate, time left.
//
// Time is a parameter. Without a terminal, or when quiet, nothing is shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/console.hpp"

namespace mqboard::cli {

using SteadyTime = std::chrono::steady_clock::time_point;

class Progress {
 public:
  // The first bar shows after half a second: what is done by then needs none.
  Progress(Console& console, std::string name, std::optional<std::uint64_t> total_bytes, SteadyTime now);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void total(std::uint64_t bytes) { total_ = bytes; }
  // What of it was there before: resumed transfers do not count it into the rate.
  void start_at(std::uint64_t bytes) { start_bytes_ = bytes; }
  void update(std::uint64_t bytes, SteadyTime now);

 private:
  Console& console_;
  std::string name_;
  std::optional<std::uint64_t> total_;
  std::uint64_t start_bytes_ = 0;
  SteadyTime started_;
  SteadyTime shown_;
};

// One line of at most `columns` columns.
[[nodiscard]] std::string progress_line(std::string_view name, std::uint64_t done,
                                        std::optional<std::uint64_t> total, double bytes_per_s,
                                        unsigned columns);

// "999 B", "1.5 kB", "20.0 MB": decimal units, at most 8 columns.
[[nodiscard]] std::string human_bytes(double bytes);
// "0:07", "1:02:03"
[[nodiscard]] std::string human_duration(std::chrono::seconds duration);

}  // namespace mqboard::cli
