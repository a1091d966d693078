#include "mqtt/time_source.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>

namespace mqboard::mqtt {
namespace {

using std::chrono::steady_clock;

class SteadyAlarm final : public Alarm {
 public:
  SteadyAlarm(boost::asio::any_io_executor executor, std::function<void()> callback)
      : timer_(std::move(executor)),
        callback_(std::make_shared<std::function<void()>>(std::move(callback))) {}

  void set(TimePoint when) override {
    timer_.expires_at(
        steady_clock::time_point(std::chrono::ceil<steady_clock::duration>(when.time_since_epoch())));
    timer_.async_wait([weak = std::weak_ptr(callback_)](boost::system::error_code error) {
      if (error) return;
      if (const auto callback = weak.lock()) (*callback)();
    });
  }

  void cancel() override { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<std::function<void()>> callback_;
};

class SteadyTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override {
    return TimePoint(std::chrono::floor<Millis>(steady_clock::now().time_since_epoch()));
  }
  std::unique_ptr<Alarm> make_alarm(boost::asio::any_io_executor executor,
                                    std::function<void()> callback) override {
    return std::make_unique<SteadyAlarm>(std::move(executor), std::move(callback));
  }
};

}  // namespace

std::shared_ptr<TimeSource> steady_time_source() { return std::make_shared<SteadyTime>(); }

}  // namespace mqboard::mqtt
