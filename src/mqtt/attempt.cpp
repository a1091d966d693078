#include "mqtt/attempt.hpp"

namespace mqboard::mqtt {
namespace {

// Wakes the attempt when its transport is ready. May outlive the attempt.
class Readiness final : public ReadyHandler {
 public:
  explicit Readiness(std::weak_ptr<Waiters> waiters, WaitList& list)
      : waiters_(std::move(waiters)), list_(&list) {}

  void on_ready(Ready, bool) override {
    ready = true;
    if (abandoned) return;
    if (const auto waiters = waiters_.lock()) {
      waiters->wake_all(*list_);
      waiters->resume_woken();
    }
  }

  bool ready = false;
  bool abandoned = false;

 private:
  std::weak_ptr<Waiters> waiters_;
  WaitList* list_;
};

}  // namespace

asio::awaitable<Result<void>> Attempt::wait_ready(Transport& transport, Ready direction) {
  const auto readiness = std::make_shared<Readiness>(waiters, list);
  transport.async_wait(direction, readiness);
  const Wake wake = co_await wait();
  readiness->abandoned = true;
  if (wake != Wake::notified) co_return interrupted(wake);
  co_return Result<void>{};
}

}  // namespace mqboard::mqtt
