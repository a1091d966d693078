#include "python/clock.hpp"

namespace mqboard::python {

namespace {

class SystemClock final : public Clock {
 public:
  Nanos monotonic() const override { return std::chrono::steady_clock::now().time_since_epoch(); }
  Nanos utc() const override { return std::chrono::system_clock::now().time_since_epoch(); }  // tidy: allow
  void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, Nanos until) override {
    if (until == kForever) {
      wake.wait(lock);
    } else {
      wake.wait_until(lock, std::chrono::steady_clock::time_point(until));
    }
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace mqboard::python
