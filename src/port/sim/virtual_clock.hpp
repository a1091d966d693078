// Monotonic time that passes only when told to.
#pragma once

#include "core/base/time.hpp"

namespace mqboard::port::sim {

class VirtualClock {
 public:
  [[nodiscard]] TimePoint now() const { return now_; }
  void advance(Millis by) { now_ += by; }

 private:
  TimePoint now_{};
};

}  // namespace mqboard::port::sim
