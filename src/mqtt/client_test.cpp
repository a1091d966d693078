// The client against a scripted broker: what goes over the wire, in virtual time.
#include <gtest/gtest.h>

#include "mqtt/testing/client_fixture.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

constexpr PublishOptions kQos1{.qos = QoS::at_least_once};
constexpr PublishOptions kQos2{.qos = QoS::exactly_once};
constexpr PublishOptions kStream{.qos = QoS::at_least_once, .sync = false};

using ClientTest = ClientFixture;

// --- Connecting

TEST_F(ClientTest, ConnectCompletesWithTheConnack) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    Task up(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    const auto flags = co_await peer.expect_connect();
    EXPECT_EQ(flags, 0x02);  // clean session
    EXPECT_FALSE(up.done());
    co_await peer.send(connack());
    const auto connected = co_await up.get();
    CO_ASSERT_OK(connected);
    EXPECT_FALSE(connected->session_present);
    EXPECT_EQ(connected->client_id, "c");
    EXPECT_TRUE(client.connected());
  }(*this));
}

TEST_F(ClientTest, RefusedPasswordIsADefiniteErrorNamingTheBroker) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    Task up(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    co_await peer.send(connack(false, 4));
    co_await peer.expect_end();
    const auto connected = co_await up.get();
    EXPECT_TRUE(connected.error() == Errc::bad_user_name_or_password);
    EXPECT_EQ(connected.error().message(), t.broker_name() + ": bad user name or password");
  }(*this));
}

TEST_F(ClientTest, NobodyListeningIsConnectionRefused) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    t.broker.stop_listening();
    Options options;
    options.endpoints = {{.scheme = Scheme::tcp, .host = "127.0.0.1", .port = 1}};
    Client client = t.make(options);
    const auto connected = co_await client.connect();
    EXPECT_TRUE(connected.error() == Errc::connection_refused);
    EXPECT_EQ(connected.error().message(), "127.0.0.1:1: Connection refused");
  }(*this));
}

TEST_F(ClientTest, ConnectTimeoutCoversASilentBroker) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.connect_timeout = 5s;
    Client client = t.make(options);
    Task up(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    t.time->advance(4'999ms);
    co_await t.pause();
    EXPECT_FALSE(up.done());
    t.time->advance(1ms);
    const auto connected = co_await up.get();
    EXPECT_TRUE(connected.error() == Errc::connect_timeout);
    co_await peer.expect_end();
  }(*this));
}

TEST_F(ClientTest, SecondBrokerIsTriedWhenTheFirstRefuses) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.endpoints.insert(options.endpoints.begin(),
                             Endpoint{.scheme = Scheme::tcp, .host = "127.0.0.1", .port = 1});
    Client client = t.make(options);
    Task up(t.io, client.connect());
    Peer peer = co_await t.broker.welcome();
    const auto connected = co_await up.get();
    CO_ASSERT_OK(connected);
    EXPECT_EQ(connected->endpoint, t.broker_name());
    EXPECT_EQ(connected->attempt, 2U);
  }(*this));
}

TEST_F(ClientTest, ReasonOfAServerDisconnectIsReported) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.version = ProtocolVersion::v5;
    Client client = t.make(options);
    std::optional<Error> why;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* lost = std::get_if<Disconnected>(&event)) why = lost->error;
    });
    client.start();
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    co_await peer.send(packet(0x20, std::string(3, '\0')));
    co_await t.until_connected(client);
    co_await peer.send(packet(0xE0, "\x8E"));
    co_await peer.expect_end();
    CO_ASSERT(why.has_value());
    EXPECT_TRUE(*why == Errc::session_taken_over);
    EXPECT_EQ(why->message(), t.broker_name() + ": session taken over");
  }(*this));
}

TEST_F(ClientTest, GracefulDisconnectIsTheLastPacket) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    client.start();
    Peer peer = co_await t.broker.welcome();
    co_await t.until_connected(client);
    client.try_publish("t", "last words").value();
    co_await client.disconnect();
    EXPECT_FALSE(client.connected());
    co_await peer.expect(publish("t", "last words"));
    co_await peer.expect(disconnect());
    co_await peer.expect_end();
  }(*this));
}

TEST_F(ClientTest, DestroyedWhileConnectedClosesWithoutDisconnectAndCancels) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    std::optional<Client> client(t.make(t.options()));
    client->start();
    Peer peer = co_await t.broker.welcome();
    co_await t.until_connected(*client);
    Task waiting(t.io, client->publish("t", "p", kQos1));
    Task receiving(t.io, client->receive());
    co_await peer.expect(publish("t", "p", {.qos = 1, .id = 1}));
    client.reset();
    const auto published = co_await waiting.get();
    EXPECT_TRUE(published.error() == Errc::cancelled);
    const auto received = co_await receiving.get();
    EXPECT_TRUE(received.error() == Errc::cancelled);
    co_await peer.expect_end();
  }(*this));
}

TEST_F(ClientTest, DestroyedWithinItsOwnHandlerIsHarmless) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    std::optional<Client> client(t.make(t.options()));
    client->on_message([&](const MessageView&) { client.reset(); });
    client->start();
    Peer peer = co_await t.broker.welcome();
    co_await peer.send(publish("t", "one", {.qos = 1, .id = 9}) + publish("t", "two"));
    co_await peer.expect_end();
    EXPECT_FALSE(client);
  }(*this));
}

TEST_F(ClientTest, ExecutorEndingFirstLeaksNothing) {
  // Address and leak sanitizers judge this one.
  auto own_io = std::make_unique<asio::io_context>();
  Options options;
  options.endpoints = {{.scheme = Scheme::tcp, .host = "127.0.0.1", .port = broker.port()}};
  auto client = std::make_unique<Client>(own_io->get_executor(), options);
  client->start();
  asio::co_spawn(*own_io, client->publish("t", "p", kQos1), [](std::exception_ptr, const auto&) { FAIL(); });
  for (int i = 0; i < 10; ++i) own_io->poll_one();
  client.reset();
  own_io.reset();
}

TEST_F(ClientTest, RefusedConnectionFailsWhatWasSubmittedBeforeIt) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.pipeline = true;
    Client client = t.make(options);
    Task up(t.io, client.connect());
    Task subscribed(t.io, client.subscribe("t"));
    Task published(t.io, client.publish("t", "x", kQos1));
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    co_await peer.send(connack(false, 5));
    EXPECT_TRUE((co_await up.get()).error() == Errc::not_authorized);
    EXPECT_TRUE((co_await subscribed.get()).error() == Errc::not_authorized);
    EXPECT_TRUE((co_await published.get()).error() == Errc::not_authorized);
  }(*this));
}

// --- The order of what was submitted before there was a connection

TEST_F(ClientTest, SubscribeThenPublishBeforeTheLinkOpens_LeaveInThatOrder) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.pipeline = true;
    Client client = t.make(options);
    client.start();
    Task subscribed(t.io, client.subscribe("reply", QoS::at_least_once));
    client.try_publish("ask", "1", kStream).value();
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    const std::string request = co_await peer.next_packet();
    EXPECT_EQ(request[0], '\x82');
    const std::string message = co_await peer.next_packet();
    EXPECT_EQ(message[0], '\x32');
    EXPECT_EQ(client.statistics().writes, 1U) << "one flight, before any CONNACK";
  }(*this));
}

TEST_F(ClientTest, SubscribeBeforeAndPublishAfterTheLinkOpens_LeaveInThatOrder) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.pipeline = true;
    Client client = t.make(options);
    client.start();
    const auto queued = co_await client.subscribe("reply", QoS::at_least_once, {.sync = false});
    EXPECT_TRUE(queued);
    Peer peer = co_await t.broker.accept();
    client.try_publish("ask", "1", kStream).value();
    co_await peer.expect_connect();
    const std::string request = co_await peer.next_packet();
    EXPECT_EQ(request[0], '\x82');
    const std::string message = co_await peer.next_packet();
    EXPECT_EQ(message[0], '\x32');
  }(*this));
}

TEST_F(ClientTest, WithoutPipeliningNothingLeavesBeforeTheConnackAndThenInOrder) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    client.start();
    Task subscribed(t.io, client.subscribe("reply", QoS::at_least_once));
    client.try_publish("ask", "1", kStream).value();
    Peer peer = co_await t.broker.accept();
    co_await peer.expect_connect();
    co_await t.pause();
    EXPECT_EQ(peer.available(), 0U);
    co_await peer.send(connack());
    const std::string request = co_await peer.next_packet();
    EXPECT_EQ(request[0], '\x82');
    const std::string message = co_await peer.next_packet();
    EXPECT_EQ(message[0], '\x32');
  }(*this));
}

TEST_F(ClientTest, RenewedSubscriptionsGoBeforePublishesThatWaited) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task subscribed(t.io, client.subscribe("reply", QoS::at_least_once));
    co_await peer.expect(subscribe(1, "reply", 1));
    co_await peer.send(suback(1, 1));
    co_await subscribed.get();
    peer.close();
    co_await t.pause();
    client.try_publish("ask", "1", kStream).value();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome();
    const std::string request = co_await again.next_packet();
    EXPECT_EQ(request[0], '\x82');
    const std::string message = co_await again.next_packet();
    EXPECT_EQ(message[0], '\x32');
  }(*this));
}

// --- Publishing

TEST_F(ClientTest, Qos1CompletesWithItsPuback) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task done(t.io, client.publish("a/b", "hello", kQos1));
    co_await peer.expect(publish("a/b", "hello", {.qos = 1, .id = 1}));
    EXPECT_FALSE(done.done());
    co_await peer.send(puback(1));
    const auto result = co_await done.get();
    CO_ASSERT_OK(result);
    EXPECT_EQ(*result, ReasonCode::success);
  }(*this));
}

TEST_F(ClientTest, Qos2CompletesWithItsPubcomp) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task done(t.io, client.publish("a", "x", kQos2));
    co_await peer.expect(publish("a", "x", {.qos = 2, .id = 1}));
    co_await peer.send(pubrec(1));
    co_await peer.expect(pubrel(1));
    EXPECT_FALSE(done.done());
    co_await peer.send(pubcomp(1));
    const auto result = co_await done.get();
    EXPECT_TRUE(result);
  }(*this));
}

TEST_F(ClientTest, StreamingWaitsOnlyForTheWindow) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.send_window = 3;
    auto [client, peer] = co_await t.connected(options);
    const auto stream = [](Client& to, int& sent) -> asio::awaitable<int> {
      for (int i = 0; i < 40; ++i) {
        const auto accepted = co_await to.publish("t", std::to_string(i), kStream);
        if (!accepted) break;
        ++sent;
      }
      co_return sent;
    };
    int sent = 0;
    Task streaming(t.io, stream(client, sent));
    for (std::uint16_t i = 0; i < 3; ++i) {
      co_await peer.expect(
          publish("t", std::to_string(i), {.qos = 1, .id = static_cast<std::uint16_t>(i + 1)}));
    }
    co_await t.pause();
    EXPECT_EQ(peer.available(), 0U) << "more than the window on the wire";
    EXPECT_FALSE(streaming.done());
    co_await peer.send(puback(1));
    co_await peer.expect(publish("t", "3", {.qos = 1, .id = 4}));
    EXPECT_EQ(sent, 4);
  }(*this));
}

asio::awaitable<int> stream_qos0(Client& client, int count) {
  const std::string body(1'000, 'x');
  for (int sent = 0; sent < count; ++sent) {
    const auto accepted = co_await client.publish("t", body, {.sync = false});
    if (!accepted) co_return sent;
  }
  co_return count;
}

TEST_F(ClientTest, PublisherThatWaitsForTheSocketLetsTheExecutorRest) {
  static constexpr int kMessages = 20'000;  // more than the socket buffers hold
  std::optional<Pair> pair;
  std::optional<Task<int>> streaming;
  run(io,
      [](ClientTest& t, std::optional<Pair>& made, std::optional<Task<int>>& task) -> asio::awaitable<void> {
        made.emplace(co_await t.connected());
        task.emplace(t.io, stream_qos0(made->client, kMessages));
        co_await t.pause();
      }(*this, pair, streaming));
  ASSERT_FALSE(streaming->done());
  io.restart();
  int handlers = 0;
  while (handlers < 10'000 && io.poll_one() != 0) ++handlers;
  EXPECT_LT(handlers, 10'000);
  run(io, [](Pair& made, Task<int>& task) -> asio::awaitable<void> {
    for (int taken = 0; taken < kMessages; ++taken) co_await made.peer.next_packet();
    const int sent = co_await task.get();
    EXPECT_EQ(sent, kMessages);
  }(*pair, *streaming));
}

TEST_F(ClientTest, NextInLineIsTriedWhenTheFirstGivesUp) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.send_buffer_size = 16 * 1024;
    options.offline_messages = 100;
    Client client = t.make(options);  // offline: what it accepts stays in its buffer
    const std::string large(12'000, 'l');
    const auto kept = co_await client.publish("t", large, kStream);
    EXPECT_TRUE(kept);
    Task first(t.io, client.publish("t", large, {.qos = QoS::at_least_once, .sync = false, .timeout = 1s}));
    co_await t.pause();
    Task second(t.io, client.publish("t", "small", kStream));
    co_await t.pause();
    EXPECT_FALSE(first.done());
    EXPECT_FALSE(second.done());
    t.time->advance(1s);
    const auto given_up = co_await first.get();
    EXPECT_TRUE(given_up.error() == Errc::timeout);
    const auto accepted = co_await second.get();
    EXPECT_TRUE(accepted);
  }(*this));
}

TEST_F(ClientTest, WhatIsSubmittedInOneTurnLeavesInOneWrite) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    const auto before = client.statistics().writes;
    for (int i = 0; i < 50; ++i) client.try_publish("t", "x", kStream).value();
    for (std::uint16_t i = 1; i <= 50; ++i) co_await peer.expect(publish("t", "x", {.qos = 1, .id = i}));
    EXPECT_EQ(client.statistics().writes, before + 1);
  }(*this));
}

TEST_F(ClientTest, FlushWaitsForEverythingAccepted) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    client.try_publish("t", "1", kStream).value();
    client.try_publish("t", "2", kStream).value();
    Task flushed(t.io, client.flush());
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
    co_await peer.expect(publish("t", "2", {.qos = 1, .id = 2}));
    co_await peer.send(puback(1));
    co_await t.pause();
    EXPECT_FALSE(flushed.done());
    co_await peer.send(puback(2));
    const auto result = co_await flushed.get();
    EXPECT_TRUE(result);
  }(*this));
}

TEST_F(ClientTest, TimedOutPublishLeavesTheClientUsable) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    PublishOptions options = kQos1;
    options.timeout = 2s;
    Task late(t.io, client.publish("t", "late", options));
    co_await peer.expect(publish("t", "late", {.qos = 1, .id = 1}));
    t.time->advance(2s);
    const auto result = co_await late.get();
    EXPECT_TRUE(result.error() == Errc::timeout);
    Task next(t.io, client.publish("t", "next", kQos1));
    co_await peer.expect(publish("t", "next", {.qos = 1, .id = 2}));
    co_await peer.send(puback(1) + puback(2));
    const auto good = co_await next.get();
    EXPECT_TRUE(good);
  }(*this));
}

TEST_F(ClientTest, CancelledPublishLeavesTheClientUsable) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task dropped(t.io, client.publish("t", "dropped", kQos1));
    co_await peer.expect(publish("t", "dropped", {.qos = 1, .id = 1}));
    dropped.cancel();
    const auto result = co_await dropped.get();
    EXPECT_TRUE(result.error() == Errc::cancelled);
    co_await peer.send(puback(1));
    Task next(t.io, client.publish("t", "next", kQos1));
    co_await peer.expect(publish("t", "next", {.qos = 1, .id = 2}));
    co_await peer.send(puback(2));
    const auto good = co_await next.get();
    EXPECT_TRUE(good);
  }(*this));
}

TEST_F(ClientTest, MalformedTopicIsRefusedNamingIt) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    for (const char* topic : {"", "a/#", "a/+/b", "\xff"}) {
      const auto result = co_await client.publish(topic, "x");
      EXPECT_TRUE(result.error() == Errc::invalid_argument);
      EXPECT_NE(result.error().message().find(topic), std::string::npos);
    }
  }(*this));
}

TEST_F(ClientTest, LargePayloadGoesOutWhole) {
  run(io, [](ClientTest& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    const std::string large(900'000, 'L');
    Task done(t.io, client.publish("t", large, kQos1));
    co_await peer.expect(publish("t", large, {.qos = 1, .id = 1}));
    co_await peer.send(puback(1));
    const auto result = co_await done.get();
    EXPECT_TRUE(result);
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
