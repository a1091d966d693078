// The client's only source of time, so that tests can replace it by time they advance by hand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "core/base/time.hpp"

namespace mqboard::mqtt {

// One alarm. Setting it again moves it; the callback runs on the executor, never from within set().
class Alarm {
 public:
  virtual ~Alarm() = default;
  virtual void set(TimePoint when) = 0;
  virtual void cancel() = 0;
};

class TimeSource {
 public:
  virtual ~TimeSource() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
  // The callback is dropped with the alarm.
  virtual std::unique_ptr<Alarm> make_alarm(boost::asio::any_io_executor executor,
                                            std::function<void()> callback) = 0;
};

// The machine's monotonic clock.
std::shared_ptr<TimeSource> steady_time_source();

}  // namespace mqboard::mqtt
