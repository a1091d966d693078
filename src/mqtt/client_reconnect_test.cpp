// Losing and regaining the connection, against a scripted broker in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/testing/client_fixture.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

using ClientReconnect = ClientFixture;

constexpr PublishOptions kQos1{.qos = QoS::at_least_once};
constexpr PublishOptions kQos2{.qos = QoS::exactly_once};
constexpr PublishOptions kStream{.qos = QoS::at_least_once, .sync = false};

Options persistent(const ClientReconnect& t) {
  Options options = t.options();
  options.clean_session = false;
  return options;
}

TEST_F(ClientReconnect, UnacknowledgedMessagesComeAgainInOrderWithIdAndDup) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(persistent(t));
    Task first(t.io, client.publish("t", "1", kQos1));
    Task second(t.io, client.publish("t", "2", kQos2));
    Task third(t.io, client.publish("t", "3", kQos1));
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
    co_await peer.expect(publish("t", "2", {.qos = 2, .id = 2}));
    co_await peer.expect(publish("t", "3", {.qos = 1, .id = 3}));
    co_await peer.send(pubrec(2));
    co_await peer.expect(pubrel(2));
    peer.reset();
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome(true);
    co_await again.expect(pubrel(2));
    co_await again.expect(publish("t", "1", {.qos = 1, .id = 1, .dup = true}));
    co_await again.expect(publish("t", "3", {.qos = 1, .id = 3, .dup = true}));
    co_await again.send(pubcomp(2) + puback(1) + puback(3));
    EXPECT_TRUE(co_await first.get());
    EXPECT_TRUE(co_await second.get());
    EXPECT_TRUE(co_await third.get());
  }(*this));
}

TEST_F(ClientReconnect, LostSessionIsReportedAndMessagesComeAsNew) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(persistent(t));
    std::vector<std::string> events;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* lost = std::get_if<SessionLost>(&event))
        events.push_back("lost " + std::to_string(lost->resent));
      if (const auto* up = std::get_if<Connected>(&event))
        events.push_back(up->session_present ? "resumed" : "new");
    });
    Task done(t.io, client.publish("t", "1", kQos1));
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
    peer.reset();
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome(false);
    const std::string packet = co_await again.next_packet();
    EXPECT_EQ(packet.substr(0, 1), "\x32") << "no DUP on a new message";
    co_await again.send(puback(static_cast<std::uint16_t>(packet[6])));
    EXPECT_TRUE(co_await done.get());
    EXPECT_THAT(events, ::testing::UnorderedElementsAre("lost 1", "new"));
  }(*this));
}

TEST_F(ClientReconnect, CleanSlateWipesOnceThenResumes) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = persistent(t);
    options.clean_slate = true;
    Client client = t.make(options);
    client.start();
    Peer peer = co_await t.broker.accept();
    EXPECT_EQ(co_await peer.expect_connect(), 0x02);
    co_await peer.send(connack());
    co_await t.until_connected(client);
    peer.close();
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.accept();
    EXPECT_EQ(co_await again.expect_connect(), 0x00);
  }(*this));
}

TEST_F(ClientReconnect, BackOffDoublesFromMinToMax) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.endpoints = {{.scheme = Scheme::tcp, .host = "127.0.0.1", .port = 1}};
    options.reconnect_min = 100ms;
    options.reconnect_max = 500ms;
    Client client = t.make(options);
    int failures = 0;
    client.on_event(
        [&](const ConnectionEvent& event) { failures += std::holds_alternative<ConnectFailed>(event); });
    client.start();
    bool seen = co_await eventually(t.io, [&] { return failures == 1; });
    EXPECT_TRUE(seen);
    int expected = 1;
    for (const auto wait : {100ms, 200ms, 400ms, 500ms, 500ms}) {
      t.time->advance(wait - 1ms);
      co_await t.pause();
      EXPECT_EQ(failures, expected) << "too early, before " << wait.count() << " ms";
      t.time->advance(1ms);
      seen = co_await eventually(t.io, [&] { return failures == expected + 1; });
      EXPECT_TRUE(seen);
      ++expected;
    }
  }(*this));
}

TEST_F(ClientReconnect, LinkUpEndsTheBackOffAndLinkDownHoldsAttemptsBack) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.endpoints = {{.scheme = Scheme::tcp, .host = "127.0.0.1", .port = 1}};
    Client client = t.make(options);
    int failures = 0;
    client.on_event(
        [&](const ConnectionEvent& event) { failures += std::holds_alternative<ConnectFailed>(event); });
    client.start();
    bool seen = co_await eventually(t.io, [&] { return failures == 1; });
    EXPECT_TRUE(seen);
    client.link_up();
    seen = co_await eventually(t.io, [&] { return failures == 2; });
    EXPECT_TRUE(seen);
    client.link_down();
    t.time->advance(60s);
    co_await t.pause();
    t.time->advance(60s);
    co_await t.pause();
    EXPECT_EQ(failures, 2);
    client.link_up();
    seen = co_await eventually(t.io, [&] { return failures == 3; });
    EXPECT_TRUE(seen);
  }(*this));
}

TEST_F(ClientReconnect, MissingPubackDropsTheConnectionAndSuspectsTheLink) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = persistent(t);
    options.response_time = 4s;
    auto [client, peer] = co_await t.connected(options);
    std::vector<std::string> events;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* lost = std::get_if<Disconnected>(&event)) events.push_back(lost->error.code.message());
      if (std::holds_alternative<LinkSuspect>(event)) events.push_back("suspect");
    });
    client.try_publish("t", "x", kStream).value();
    co_await peer.expect(publish("t", "x", {.qos = 1, .id = 1}));
    for (int i = 0; i < 8; ++i) {
      t.time->advance(499ms);
      co_await t.pause();
    }
    EXPECT_TRUE(events.empty()) << "dropped too early";
    t.time->advance(500ms);
    const bool dropped = co_await eventually(t.io, [&] { return !events.empty(); });
    EXPECT_TRUE(dropped);
    EXPECT_EQ(events, (std::vector<std::string>{"broker does not answer", "suspect"}));
  }(*this));
}

TEST_F(ClientReconnect, DeadLinkIsFoundWithinOneAndAHalfResponseTimes) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.response_time = 4s;
    auto [client, peer] = co_await t.connected(options);
    for (int i = 0; i < 60 && client.connected(); ++i) {
      client.try_publish("t", "x").value();  // QoS 0 only
      t.time->advance(100ms);
      co_await asio::post(t.io, asio::use_awaitable);
      co_await t.pause();
    }
    EXPECT_FALSE(client.connected());
  }(*this));
}

TEST_F(ClientReconnect, QueueOfflinePolicyRefuseFailsAtOnce) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.queue_policy = QueuePolicy::refuse;
    Client client = t.make(options);
    for (const QoS qos : {QoS::at_most_once, QoS::at_least_once}) {
      const auto result = co_await client.publish("t", "x", {.qos = qos});
      EXPECT_TRUE(result.error() == Errc::not_connected);
    }
  }(*this));
}

TEST_F(ClientReconnect, OfflineQueueHoldsWhatItMayAndNoMore) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.queue_policy = QueuePolicy::refuse;
    options.send_window = 2;
    options.offline_messages = 3;
    Client client = t.make(options);
    for (int i = 0; i < 5; ++i) CO_ASSERT_OK(client.try_publish("t", std::to_string(i), kStream));
    EXPECT_TRUE(client.try_publish("t", "5", kStream).error() == Errc::queue_full);
    client.start();
    Peer peer = co_await t.broker.welcome();
    for (std::uint16_t i = 0; i < 5; ++i) {
      const auto id = static_cast<std::uint16_t>(i + 1);
      co_await peer.expect(publish("t", std::to_string(i), {.qos = 1, .id = id}));
      co_await peer.send(puback(id));
    }
  }(*this));
}

TEST_F(ClientReconnect, DropOldestKeepsTheNewestQos0Messages) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.queue_policy = QueuePolicy::drop_oldest_qos0;
    options.send_window = 1;
    options.offline_messages = 2;
    Client client = t.make(options);
    for (int i = 0; i < 6; ++i) {
      CO_ASSERT_OK(client.try_publish("t", std::to_string(i)));
      co_await t.pause();
    }
    client.start();
    Peer peer = co_await t.broker.welcome();
    for (const char* kept : {"3", "4", "5"}) co_await peer.expect(publish("t", kept));
    EXPECT_EQ(client.statistics().messages_dropped, 3U);
  }(*this));
}

TEST_F(ClientReconnect, BlockedPublishGoesOutAfterTheConnectionAndInOrder) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    Task first(t.io, client.publish("t", "0", {}));
    Task second(t.io, client.publish("t", "1", {}));
    co_await t.pause();
    EXPECT_FALSE(first.done());
    client.start();
    Peer peer = co_await t.broker.welcome();
    co_await peer.expect(publish("t", "0"));
    co_await peer.expect(publish("t", "1"));
    EXPECT_TRUE(co_await first.get());
    EXPECT_TRUE(co_await second.get());
  }(*this));
}

TEST_F(ClientReconnect, DisconnectThenStartResumesTheSession) {
  run(io, [](ClientReconnect& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(persistent(t));
    client.try_publish("t", "1", kStream).value();
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
    Task away(t.io, [](Client& c) -> asio::awaitable<int> {
      co_await c.disconnect();
      co_return 0;
    }(client));
    co_await peer.expect(disconnect());
    co_await away.get();
    peer.close();
    client.start();
    Peer again = co_await t.broker.welcome(true);
    co_await again.expect(publish("t", "1", {.qos = 1, .id = 1, .dup = true}));
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
