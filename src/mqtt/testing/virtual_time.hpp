// Time that stands still until a test advances it.
#pragma once

#include <functional>
#include <vector>

#include "mqtt/time_source.hpp"

namespace mqboard::mqtt::testing {

class VirtualTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  std::unique_ptr<Alarm> make_alarm(boost::asio::any_io_executor executor,
                                    std::function<void()> callback) override;

  // Moves on; alarms due by then are posted to their executors, in order of time. They see the new time.
  void advance(Millis by);

  // When the next alarm is due; kNever if none is set.
  [[nodiscard]] TimePoint next_alarm() const;

 private:
  struct State;
  class VirtualAlarm;

  TimePoint now_{std::chrono::hours(1)};
  std::vector<std::weak_ptr<State>> alarms_;
};

}  // namespace mqboard::mqtt::testing
