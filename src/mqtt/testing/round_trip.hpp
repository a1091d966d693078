// The simplest end-to-end check: connect, subscribe, publish, receive.
#pragma once

#include <mqboard/mqtt/client.hpp>

#include "mqtt/testing/mosquitto.hpp"
#include "mqtt/testing/run.hpp"
#include "mqtt/testing/task.hpp"

namespace mqboard::mqtt::testing {

using namespace std::chrono_literals;

// Options for the broker at this URL that reconnect quickly.
Options options_for(const std::string& url);

// Connects, has one message sent round at QoS 1, and returns its text or the first error.
asio::awaitable<Result<std::string>> round_trip(asio::io_context& io, Options options);

void expect_round_trip(asio::io_context& io, Options options);
// 500 small retained messages reach a new subscription, all of them, although nothing else is said.
void expect_burst(asio::io_context& io, Options options);
void expect_error(asio::io_context& io, Options options, Errc code, const std::string& in_message);

}  // namespace mqboard::mqtt::testing
