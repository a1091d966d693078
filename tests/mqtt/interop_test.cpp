// What any broker of MQTT 3.1.1 must do with this client, at the broker MQB_BROKER_URL names. Run by
// tests/e2e/test_mqtt_aedes.py, which brings up the brokers.
#include <gtest/gtest.h>

#include <cstdlib>
#include <mqboard/mqtt/client.hpp>

#include "mqtt/testing/round_trip.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

constexpr QoS kEveryQos[] = {QoS::at_most_once, QoS::at_least_once, QoS::exactly_once};

Options options(const std::string& client_id = {}) {
  const char* const url = std::getenv("MQB_BROKER_URL");
  Options made = options_for(url != nullptr ? url : "");
  made.client_id = client_id;
  return made;
}

class Interop : public ::testing::Test {
 public:
  asio::io_context io;
};

TEST_F(Interop, MessageGoesRound) { expect_round_trip(io, options()); }

TEST_F(Interop, HundredMessagesAtEachQosArriveOnceAndInOrder) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Client client(on.get_executor(), options());
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto granted = co_await client.subscribe("each/#", QoS::exactly_once);
    CO_ASSERT_OK(granted);
    EXPECT_EQ(*granted, QoS::exactly_once);
    for (const QoS qos : kEveryQos) {
      for (int n = 0; n < 100; ++n) {
        const PublishOptions streaming{.qos = qos, .sync = false};
        const auto accepted = co_await client.publish("each/topic", std::to_string(n), streaming);
        CO_ASSERT_OK(accepted);
      }
      for (int n = 0; n < 100; ++n) {
        const auto message = co_await client.receive();
        CO_ASSERT_OK(message);
        EXPECT_EQ(message->text(), std::to_string(n));
        EXPECT_EQ(message->qos, qos);
        EXPECT_FALSE(message->duplicate);
      }
      const auto flushed = co_await client.flush();
      CO_ASSERT_OK(flushed);
    }
    co_await client.disconnect();
  }(io));
}

TEST_F(Interop, LargeMessageArrivesWhole) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Client client(on.get_executor(), options());
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto granted = co_await client.subscribe("large", QoS::at_least_once);
    CO_ASSERT_OK(granted);
    std::string payload(500'000, 'x');
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 31 % 251);
    // Not waiting for the PUBACK: it may stand behind the message, which fills the receive queue until it is
    // taken.
    const PublishOptions streaming{.qos = QoS::at_least_once, .sync = false};
    const auto sent = co_await client.publish("large", payload, streaming);
    CO_ASSERT_OK(sent);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_TRUE(message->text() == payload);
  }(io));
}

TEST_F(Interop, RetainedMessageIsSentToLaterSubscribersUntilItIsCleared) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Client client(on.get_executor(), options());
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const PublishOptions retained{.qos = QoS::at_least_once, .retain = true};
    const auto kept = co_await client.publish("kept", "state", retained);
    CO_ASSERT_OK(kept);
    const auto granted = co_await client.subscribe("kept", QoS::at_least_once);
    CO_ASSERT_OK(granted);
    // A broker may acknowledge before it distributes: what is only on its way now comes to the new
    // subscriber, too.
    auto message = co_await client.receive();
    while (message && !message->retained) message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "state");

    const auto gone = co_await client.unsubscribe("kept");
    CO_ASSERT_OK(gone);
    const auto cleared = co_await client.publish("kept", "", retained);
    CO_ASSERT_OK(cleared);
    const auto both = co_await client.subscribe("kept", QoS::at_least_once);
    CO_ASSERT_OK(both);
    const auto marker = co_await client.publish("kept", "marker", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(marker);
    do {
      message = co_await client.receive();
      CO_ASSERT_OK(message);
      EXPECT_FALSE(message->retained) << message->text();
    } while (message->text() != "marker");
  }(io));
}

TEST_F(Interop, WillIsPublishedWhenTheClientVanishesAndOnlyThen) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Client watcher(on.get_executor(), options());
    const auto up = co_await watcher.connect();
    CO_ASSERT_OK(up);
    const auto granted = co_await watcher.subscribe("will/#", QoS::at_least_once);
    CO_ASSERT_OK(granted);
    for (const std::string name : {"polite", "vanished"}) {
      Options mortal = options(name);
      mortal.will = Will{.topic = "will/" + name, .payload = "gone", .qos = QoS::at_least_once};
      Client client(on.get_executor(), mortal);
      const auto connected = co_await client.connect();
      CO_ASSERT_OK(connected);
      if (name == "polite") co_await client.disconnect();
    }
    const auto message = co_await watcher.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->topic, "will/vanished");
    EXPECT_EQ(message->text(), "gone");
  }(io));
}

TEST_F(Interop, ResumedSessionBringsWhatWasPublishedMeanwhile) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Options lasting = options("sleeper");
    lasting.clean_session = false;
    Client sleeper(on.get_executor(), lasting);
    const auto first = co_await sleeper.connect();
    CO_ASSERT_OK(first);
    EXPECT_FALSE(first->session_present);
    const auto granted = co_await sleeper.subscribe("sleep", QoS::exactly_once);
    CO_ASSERT_OK(granted);
    co_await sleeper.disconnect();

    Client other(on.get_executor(), options());
    const auto up = co_await other.connect();
    CO_ASSERT_OK(up);
    for (const QoS qos : {QoS::at_least_once, QoS::exactly_once}) {
      const auto sent = co_await other.publish("sleep", "while asleep", {.qos = qos});
      CO_ASSERT_OK(sent);
    }
    const auto second = co_await sleeper.connect();
    CO_ASSERT_OK(second);
    EXPECT_TRUE(second->session_present);
    for (const QoS qos : {QoS::at_least_once, QoS::exactly_once}) {
      const auto message = co_await sleeper.receive();
      CO_ASSERT_OK(message);
      EXPECT_EQ(message->text(), "while asleep");
      EXPECT_EQ(message->qos, qos);
    }
  }(io));
}

TEST_F(Interop, UnsubscribedTopicIsSilent) {
  run(io, [](asio::io_context& on) -> asio::awaitable<void> {
    Client client(on.get_executor(), options());
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    for (const std::string_view filter : {"silent", "loud"}) {
      const auto granted = co_await client.subscribe(filter, QoS::at_least_once);
      CO_ASSERT_OK(granted);
    }
    const auto gone = co_await client.unsubscribe("silent");
    CO_ASSERT_OK(gone);
    for (const std::string_view topic : {"silent", "loud"}) {
      const auto sent = co_await client.publish(topic, "x", {.qos = QoS::at_least_once});
      CO_ASSERT_OK(sent);
    }
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->topic, "loud");
  }(io));
}

}  // namespace
}  // namespace mqboard::mqtt
