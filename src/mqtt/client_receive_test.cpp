// Subscribing and receiving against a scripted broker.
#include <gtest/gtest.h>

#include "mqtt/testing/client_fixture.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

using ClientReceive = ClientFixture;

// Takes messages until one has this payload; says how many it took.
asio::awaitable<int> receive_until(Client& client, std::string last) {
  for (int count = 1;; ++count) {
    const auto message = co_await client.receive();
    if (!message || message->text() == last) co_return count;
  }
}

// --- Subscribing

TEST_F(ClientReceive, SubscribeReportsTheGrantedQos) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task done(t.io, client.subscribe("a/#", QoS::exactly_once));
    co_await peer.expect(subscribe(1, "a/#", 2));
    co_await peer.send(suback(1, 1));
    const auto granted = co_await done.get();
    CO_ASSERT_OK(granted);
    EXPECT_EQ(*granted, QoS::at_least_once);
  }(*this));
}

TEST_F(ClientReceive, RefusedSubscriptionIsAnErrorNamingTheFilter) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task done(t.io, client.subscribe("secret", QoS::at_most_once));
    co_await peer.expect(subscribe(1, "secret", 0));
    co_await peer.send(suback(1, 0x80));
    const auto granted = co_await done.get();
    EXPECT_TRUE(granted.error() == Errc::rejected);
    EXPECT_EQ(granted.error().message(), "subscribe to secret: unspecified error");
  }(*this));
}

TEST_F(ClientReceive, SubscribeMadeOfflineGoesOutWithTheConnection) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Client client = t.make(t.options());
    Task done(t.io, client.subscribe("a", QoS::at_least_once));
    client.start();
    Peer peer = co_await t.broker.welcome();
    co_await peer.expect(subscribe(1, "a", 1));
    co_await peer.send(suback(1, 1));
    const auto granted = co_await done.get();
    EXPECT_TRUE(granted);
  }(*this));
}

TEST_F(ClientReceive, SubscribeInterruptedByALostConnectionIsAskedAgain) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task done(t.io, client.subscribe("a", QoS::at_least_once));
    co_await peer.expect(subscribe(1, "a", 1));
    peer.close();
    t.time->advance(1s);
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome();
    co_await again.expect(subscribe(2, "a", 1));
    co_await again.send(suback(2, 1));
    const auto granted = co_await done.get();
    EXPECT_TRUE(granted);
  }(*this));
}

TEST_F(ClientReceive, UnsubscribeCompletesAndTheFilterIsNotRenewed) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    Task first(t.io, client.subscribe("a", QoS::at_most_once));
    co_await peer.expect(subscribe(1, "a", 0));
    co_await peer.send(suback(1, 0));
    co_await first.get();
    Task second(t.io, client.subscribe("b", QoS::at_most_once));
    co_await peer.expect(subscribe(2, "b", 0));
    co_await peer.send(suback(2, 0));
    co_await second.get();
    Task gone(t.io, client.unsubscribe("a"));
    co_await peer.expect(unsubscribe(3, "a"));
    co_await peer.send(unsuback(3));
    const auto result = co_await gone.get();
    EXPECT_TRUE(result);
    peer.close();
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome();
    const std::string renewed = co_await again.next_packet();
    EXPECT_EQ(renewed.substr(4), text("b") + '\0');
  }(*this));
}

// --- Receiving

TEST_F(ClientReceive, HandlerSeesMessagesAsTheyAreAndTheyAreAcknowledged) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    std::vector<std::string> seen;
    client.on_message([&](const MessageView& message) {
      seen.push_back(std::string(message.topic) + "=" + std::string(message.text()) +
                     (message.retained ? " retained" : "") + (message.duplicate ? " dup" : ""));
    });
    co_await peer.send(publish("a", "1", {.qos = 1, .id = 7}) + publish("b", "2", {.retain = true}) +
                       publish("c", "", {.qos = 1, .id = 8, .dup = true}));
    co_await peer.expect(puback(7));
    co_await peer.expect(puback(8));
    EXPECT_EQ(seen, (std::vector<std::string>{"a=1", "b=2 retained", "c= dup"}));
  }(*this));
}

TEST_F(ClientReceive, HandlerMayPublishAndItsMessageStaysIntact) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    std::string after;
    client.on_message([&](const MessageView& message) {
      client.try_publish("reply", message.payload).value();
      after = message.text();
    });
    // In two pieces, so that the message is put together in the session's own memory.
    const std::string packet = publish("t", "question");
    co_await peer.send(packet.substr(0, 5));
    co_await t.pause();
    co_await peer.send(packet.substr(5));
    co_await peer.expect(publish("reply", "question"));
    EXPECT_EQ(after, "question");
  }(*this));
}

TEST_F(ClientReceive, MessageWaitsForReceiveAndIsAcknowledgedByIt) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    co_await peer.send(publish("a", "1", {.qos = 1, .id = 7}));
    co_await t.pause();
    EXPECT_EQ(peer.available(), 0U) << "acknowledged before the application had it";
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "1");
    co_await peer.expect(puback(7));
  }(*this));
}

TEST_F(ClientReceive, ManualAcknowledgementsLeaveInOrderOfArrival) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.manual_acknowledge = true;
    auto [client, peer] = co_await t.connected(options);
    co_await peer.send(publish("a", "1", {.qos = 1, .id = 7}) + publish("a", "2", {.qos = 1, .id = 8}));
    const auto first = co_await client.receive();
    CO_ASSERT_OK(first);
    const AckToken first_token = first->ack;
    const auto second = co_await client.receive();
    CO_ASSERT_OK(second);
    client.acknowledge(second->ack);
    co_await t.pause();
    EXPECT_EQ(peer.available(), 0U);
    client.acknowledge(first_token);
    co_await peer.expect(puback(7));
    co_await peer.expect(puback(8));
  }(*this));
}

TEST_F(ClientReceive, InboundQos2IsDeliveredOnceThoughSentTwice) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.clean_session = false;
    auto [client, peer] = co_await t.connected(options);
    co_await peer.send(publish("a", "once", {.qos = 2, .id = 3}));
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    co_await peer.expect(pubrec(3));
    peer.close();
    co_await t.pause();
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome(true);
    co_await again.send(publish("a", "once", {.qos = 2, .id = 3, .dup = true}));
    co_await again.expect(pubrec(3));
    co_await again.send(pubrel(3));
    co_await again.expect(pubcomp(3));
    EXPECT_EQ(client.statistics().messages_received, 1U);
  }(*this));
}

TEST_F(ClientReceive, SlowReaderStopsTheSocketAndLosesNothing) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.receive_queue_size = 10'000;
    auto [client, peer] = co_await t.connected(options);
    // More than the queue, the read buffer and the socket buffers together could hold.
    constexpr int kMessages = 20'000;
    const auto send = [](Peer& to) -> asio::awaitable<int> {
      const std::string body(1'000, 'b');
      for (int i = 0; i < kMessages; ++i) co_await to.send(publish("t", body));
      co_await to.send(publish("t", "last"));
      co_return 0;
    };
    Task sending(t.io, send(peer));
    std::uint64_t before = 0;
    for (std::uint64_t now = 1; now != before; co_await t.pause())
      before = std::exchange(now, client.statistics().bytes_received);
    EXPECT_LT(client.statistics().bytes_received, 200'000U);
    EXPECT_FALSE(sending.done());
    const int taken = co_await receive_until(client, "last");
    EXPECT_EQ(taken, kMessages + 1);
  }(*this));
}

TEST_F(ClientReceive, SlowReaderIsNotMistakenForASilentBroker) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.receive_queue_size = 1'000;
    auto [client, peer] = co_await t.connected(options);
    Task done(t.io, client.publish("t", "x", {.qos = QoS::at_least_once}));
    co_await peer.expect(publish("t", "x", {.qos = 1, .id = 1}));
    co_await peer.send(publish("in", std::string(2'000, 'x')) + publish("in", "last") + puback(1));
    co_await t.pause();
    for (int i = 0; i < 4; ++i) {
      t.time->advance(5s);
      co_await t.pause();
    }
    EXPECT_TRUE(client.connected());
    co_await receive_until(client, "last");
    const auto result = co_await done.get();
    EXPECT_TRUE(result);
  }(*this));
}

TEST_F(ClientReceive, LargeMessageArrivesWhole) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    std::string large(900'000, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i % 253);
    Task sending(t.io, [](Peer& to, const std::string& body) -> asio::awaitable<int> {
      co_await to.send(publish("large/topic", body, {.qos = 1, .id = 1}));
      co_return 0;
    }(peer, large));
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->topic, "large/topic");
    EXPECT_TRUE(message->text() == large);
    co_await peer.expect(puback(1));
  }(*this));
}

TEST_F(ClientReceive, PacketBeyondTheMaximumEndsTheConnection) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    Options options = t.options();
    options.max_packet_size = 1'000;
    auto [client, peer] = co_await t.connected(options);
    std::string why;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* lost = std::get_if<Disconnected>(&event)) why = lost->error.message();
    });
    co_await peer.send(publish("t", std::string(2'000, 'x')));
    co_await peer.expect_end();
    EXPECT_NE(why.find(t.broker_name() + ": broker violated the protocol: "), std::string::npos) << why;
  }(*this));
}

TEST_F(ClientReceive, GarbageEndsTheConnectionAndIsNamed) {
  run(io, [](ClientReceive& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected();
    std::optional<Error> why;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* lost = std::get_if<Disconnected>(&event)) why = lost->error;
    });
    co_await peer.send("HTTP/1.1 400 Bad Request\r\n" + std::string(100, 'x'));
    co_await peer.expect_end();
    CO_ASSERT(why.has_value());
    EXPECT_TRUE(*why == Errc::protocol_error) << why->message();
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
