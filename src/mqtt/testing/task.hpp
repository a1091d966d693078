// A coroutine running beside the test's own, whose result is awaited later.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>

namespace mqboard::mqtt::testing {

namespace asio = boost::asio;

template<class T>
class Task {
 public:
  Task(asio::io_context& io, asio::awaitable<T> coroutine) : state_(std::make_shared<State>(io)) {
    asio::co_spawn(
        io, std::move(coroutine),
        asio::bind_cancellation_slot(state_->stop.slot(), [state = state_](std::exception_ptr, T value) {
          state->value.emplace(std::move(value));
          state->done.cancel();
        }));
  }

  [[nodiscard]] bool done() const { return state_->value.has_value(); }
  void cancel() { state_->stop.emit(asio::cancellation_type::terminal); }

  asio::awaitable<T> get() {
    while (!done()) co_await state_->done.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::move(*state_->value);
  }

 private:
  struct State {
    explicit State(asio::io_context& io) : done(io, asio::steady_timer::time_point::max()) {}
    asio::steady_timer done;
    asio::cancellation_signal stop;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_;
};

// Waits, in real time, until the condition holds; for what happens outside this process.
template<class Condition>
asio::awaitable<bool> eventually(asio::io_context& io, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  asio::steady_timer timer(io);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) co_return false;
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return true;
}

}  // namespace mqboard::mqtt::testing
