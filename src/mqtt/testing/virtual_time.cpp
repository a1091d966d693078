#include "mqtt/testing/virtual_time.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace mqboard::mqtt::testing {

struct VirtualTime::State {
  boost::asio::any_io_executor executor;
  std::function<void()> callback;
  TimePoint when = kNever;
};

class VirtualTime::VirtualAlarm final : public Alarm {
 public:
  explicit VirtualAlarm(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void set(TimePoint when) override { state_->when = when; }
  void cancel() override { state_->when = kNever; }

 private:
  std::shared_ptr<State> state_;
};

std::unique_ptr<Alarm> VirtualTime::make_alarm(boost::asio::any_io_executor executor,
                                               std::function<void()> callback) {
  auto state = std::make_shared<State>(State{std::move(executor), std::move(callback), kNever});
  alarms_.push_back(state);
  return std::make_unique<VirtualAlarm>(std::move(state));
}

void VirtualTime::advance(Millis by) {
  now_ += by;
  std::vector<std::shared_ptr<State>> due;
  std::erase_if(alarms_, [](const auto& alarm) { return alarm.expired(); });
  for (const auto& weak : alarms_) {
    if (auto state = weak.lock(); state->when <= now_) due.push_back(std::move(state));
  }
  std::ranges::stable_sort(due, {}, &State::when);
  for (const auto& state : due) {
    state->when = kNever;
    boost::asio::post(state->executor, [weak = std::weak_ptr(state)] {
      if (const auto alive = weak.lock()) alive->callback();
    });
  }
}

TimePoint VirtualTime::next_alarm() const {
  TimePoint next = kNever;
  for (const auto& weak : alarms_) {
    if (const auto state = weak.lock()) next = std::min(next, state->when);
  }
  return next;
}

}  // namespace mqboard::mqtt::testing
