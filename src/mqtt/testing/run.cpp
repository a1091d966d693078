#include "mqtt/testing/run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>

namespace mqboard::mqtt::testing {

void run(asio::io_context& io, asio::awaitable<void> coroutine) {
  using namespace std::chrono;
  bool done = false;
  asio::co_spawn(io, std::move(coroutine), [&done](std::exception_ptr failure) {
    done = true;
    if (failure) std::rethrow_exception(failure);
  });
  io.restart();
  const auto deadline = steady_clock::now() + seconds(30);
  while (!done && steady_clock::now() < deadline) io.run_one_until(deadline);
  ASSERT_TRUE(done) << "the test hangs";
}

void settle(asio::io_context& io) {
  io.restart();
  while (io.poll() != 0) {
  }
}

}  // namespace mqboard::mqtt::testing
