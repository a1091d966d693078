// How much a channel may have under way: enough to fill the path, little enough that the path's queues stay
// short. What waits in a queue is lost when the broker or the peer dies, and delays everybody else.
//
// Round trips tell. The shortest seen lately is the path's own; what a later one takes longer was spent in
// queues. While that is little, and the limit is what holds the sender back, the limit doubles every round
// trip; when it is much, the limit shrinks to what the path carries in the time it may take. Every 10 s it is
// at its least for two round trips, or else its own queue would come to count as the path.
//
// Sans-I/O, not thread-safe.
#pragma once

#include <cstdint>

#include "core/base/time.hpp"

namespace mqboard::command {

struct FlightLimits {
  std::uint32_t least = 64u << 10;  // bytes; at least 1
  std::uint32_t first = 256u << 10;
  std::uint32_t most = 8u << 20;
};

class FlightControl {
 public:
  explicit FlightControl(const FlightLimits& limits);

  // Bytes that may be unacknowledged.
  [[nodiscard]] std::uint32_t bytes() const { return bytes_; }
  // What was sent `round_trip` ago is acknowledged; `limited`: more would have been sent meanwhile, but for
  // this limit.
  void measured(Millis round_trip, bool limited, TimePoint now);
  // Something got lost.
  void lost();

 private:
  void adapt(Millis round_trip, bool limited);

  FlightLimits limits_;
  std::uint32_t bytes_;
  // The shortest round trips of this period and the one before: a path that became longer is believed then.
  Millis shortest_now_ = Millis::max();
  Millis shortest_before_ = Millis::max();
  TimePoint period_end_ = kNever;
  int draining_ = 0;  // so many more round trips at the least
  std::uint32_t before_draining_ = 0;
};

}  // namespace mqboard::command
