// A client whose broker is scripted and whose time is virtual.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "mqtt/client_impl.hpp"
#include "mqtt/testing/run.hpp"
#include "mqtt/testing/scripted_broker.hpp"
#include "mqtt/testing/task.hpp"
#include "mqtt/testing/virtual_time.hpp"

namespace mqboard::mqtt::testing {

using namespace std::chrono_literals;

class ClientFixture : public ::testing::Test {
 public:
  struct Pair {
    Client client;
    Peer peer;
  };

  // Of a client that stays quiet by itself, and acts on everything at once: time stands still here.
  [[nodiscard]] Options options() const {
    Options made;
    made.add_url(broker.url()).value();
    made.client_id = "c";
    made.keep_alive = 0s;
    made.reconnect_jitter = 0;
    made.coalesce = 0ms;
    return made;
  }
  Client make(Options with) { return make_client(io.get_executor(), std::move(with), time); }
  [[nodiscard]] std::string broker_name() const { return "127.0.0.1:" + std::to_string(broker.port()); }

  asio::awaitable<Pair> connected() { return connected(options()); }
  asio::awaitable<Pair> connected(Options with) {
    Client client = make(std::move(with));
    client.start();
    Peer peer = co_await broker.welcome();
    co_await until_connected(client);
    co_return Pair{std::move(client), std::move(peer)};
  }

  asio::awaitable<void> until_connected(const Client& client) {
    const bool up = co_await eventually(io, [&] { return client.connected(); });
    EXPECT_TRUE(up);
  }

  // Long enough for everything on loopback that is going to happen to have happened.
  asio::awaitable<void> pause() {
    asio::steady_timer timer(io, 20ms);
    co_await timer.async_wait(asio::use_awaitable);
  }

  asio::io_context io;
  ScriptedBroker broker{io};
  std::shared_ptr<VirtualTime> time = std::make_shared<VirtualTime>();
};

}  // namespace mqboard::mqtt::testing
