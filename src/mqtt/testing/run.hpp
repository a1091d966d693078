// Runs coroutines in tests, with a deadline that only a hanging test ever meets.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace mqboard::mqtt::testing {

namespace asio = boost::asio;

// Runs the coroutine to its end on the context, whatever else is under way there. Exceptions fail the test.
void run(asio::io_context& io, asio::awaitable<void> coroutine);

// Lets everything happen that can happen without waiting.
void settle(asio::io_context& io);

}  // namespace mqboard::mqtt::testing

// gtest's ASSERT_* return; a coroutine has to co_return.
#define CO_ASSERT(condition)                    \
  do {                                          \
    if (!(condition)) {                         \
      ADD_FAILURE() << "Expected: " #condition; \
      co_return;                                \
    }                                           \
  } while (false)
#define CO_ASSERT_OK(result)                                              \
  do {                                                                    \
    if (!(result)) {                                                      \
      ADD_FAILURE() << #result " failed: " << (result).error().message(); \
      co_return;                                                          \
    }                                                                     \
  } while (false)
