// Time as core sees it: a parameter. Monotonic, from an arbitrary origin; only differences mean anything.
#pragma once

#include <chrono>

namespace mqboard {

using Millis = std::chrono::milliseconds;

struct MonotonicClock {
  using duration = Millis;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using TimePoint = MonotonicClock::time_point;

inline constexpr TimePoint kNever = TimePoint::max();

}  // namespace mqboard
