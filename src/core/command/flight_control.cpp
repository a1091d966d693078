#include "core/command/flight_control.hpp"

#include <algorithm>
#include <utility>

namespace mqboard::command {
namespace {

constexpr Millis kPeriod{10'000};
constexpr Millis kLeastQueue{25};  // a busy machine delays by as much
constexpr int kQueueShare = 4;     // the queue may add a quarter of the path's own time
constexpr int kDrainingRoundTrips = 2;

}  // namespace

FlightControl::FlightControl(const FlightLimits& limits)
    : limits_(limits), bytes_(std::clamp(limits.first, limits.least, limits.most)) {}

void FlightControl::measured(Millis round_trip, bool limited, TimePoint now) {
  if (period_end_ == kNever) period_end_ = now + kPeriod;
  shortest_now_ = std::min(shortest_now_, round_trip);
  if (draining_ > 0) {
    if (--draining_ == 0) bytes_ = before_draining_;
  } else if (now >= period_end_) {
    period_end_ = now + kPeriod;
    shortest_before_ = std::exchange(shortest_now_, Millis::max());
    before_draining_ = std::exchange(bytes_, limits_.least);
    draining_ = kDrainingRoundTrips;
  } else {
    adapt(round_trip, limited);
  }
}

void FlightControl::adapt(Millis round_trip, bool limited) {
  const Millis path = std::min(shortest_now_, shortest_before_);
  const Millis queue = std::max(kLeastQueue, path / kQueueShare);
  const Millis most = path + 2 * queue;
  if (round_trip > most) {
    const auto carried = static_cast<std::uint64_t>(bytes_) * static_cast<std::uint64_t>(most.count()) /
                         static_cast<std::uint64_t>(round_trip.count());
    bytes_ = std::max(limits_.least, static_cast<std::uint32_t>(carried));
  } else if (limited && round_trip <= path + queue) {
    bytes_ = bytes_ > limits_.most / 2 ? limits_.most : bytes_ * 2;
  }
}

void FlightControl::lost() {
  bytes_ = std::max(limits_.least, bytes_ / 2);
  draining_ = 0;
}

}  // namespace mqboard::command
