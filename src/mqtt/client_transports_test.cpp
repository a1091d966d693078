// Other ways to the broker than plain TCP, and MQTT 5.0, end to end against a real mosquitto.
#include <gtest/gtest.h>

#include "mqtt/testing/round_trip.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

Options tls_options(const Mosquitto& broker, const Certificates& files) {
  Options options = options_for(broker.url("mqtts"));
  options.tls.ca_file = files / "ca.crt";
  return options;
}

TEST(ClientUnixSocket, MessageGoesRound) {
  TemporaryFolder folder;
  Mosquitto broker(folder, "allow_anonymous true\nlistener 0 %d/broker.sock\n");
  asio::io_context io;
  expect_round_trip(io, options_for("unix://" + (folder / "broker.sock")));
}

TEST(ClientUnixSocket, MissingSocketIsNamed) {
  asio::io_context io;
  expect_error(io, options_for("unix:///nowhere/broker.sock"), Errc::connection_refused,
               "/nowhere/broker.sock: ");
}

TEST(ClientPreSharedKey, MessageGoesRoundAndAWrongKeyIsRefused) {
  TemporaryFolder files;
  files.write("keys", "board:00112233445566778899aabbccddeeff\n");
  Mosquitto broker(files, "allow_anonymous true\npsk_hint test\npsk_file %d/keys\n");
  asio::io_context io;
  Options options = options_for(broker.url("mqtts"));
  options.tls.psk_identity = "board";
  for (const unsigned byte : {0x00U, 0x11U, 0x22U, 0x33U, 0x44U, 0x55U, 0x66U, 0x77U, 0x88U, 0x99U, 0xAAU,
                              0xBBU, 0xCCU, 0xDDU, 0xEEU, 0xFFU}) {
    options.tls.psk.push_back(static_cast<std::uint8_t>(byte));
  }
  expect_round_trip(io, options);
  options.tls.psk.back() ^= 1;
  expect_error(io, options, Errc::tls_failed, "TLS handshake failed");
  options.tls.psk.clear();
  expect_error(io, options, Errc::bad_option, "pre-shared key");
}

// The broker sends each packet in a TLS record of its own; what OpenSSL has read of them the socket no longer
// announces.
TEST(ClientTls, BurstOfSmallPacketsArrivesWholeWithoutFurtherTraffic) {
  Certificates files;
  Mosquitto broker(files, Certificates::listener());
  asio::io_context io;
  Options options = tls_options(broker, files);
  expect_burst(io, options);
}

TEST(ClientTlsResumption, TicketOfOneClientResumesInTheNext) {
  Certificates files;
  Mosquitto broker(files, Certificates::listener());
  asio::io_context io;
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    Client first(on.get_executor(), options);
    const auto up = co_await first.connect();
    CO_ASSERT_OK(up);
    EXPECT_FALSE(up->tls_resumed);
    const auto published = co_await first.publish("t", "x", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(published);
    options.tls.ticket = first.tls_ticket();
    EXPECT_FALSE(options.tls.ticket.empty());
    Client second(on.get_executor(), options);
    const auto again = co_await second.connect();
    CO_ASSERT_OK(again);
    EXPECT_TRUE(again->tls_resumed);
  }(io, tls_options(broker, files)));
}

TEST(ClientTlsResumption, GarbageTicketCostsNothingButTheFullHandshake) {
  Certificates files;
  Mosquitto broker(files, Certificates::listener());
  asio::io_context io;
  Options options = tls_options(broker, files);
  options.tls.ticket = {1, 2, 3, 0, 4, 5, 6};
  expect_round_trip(io, options);
}

// --- MQTT 5.0

class ClientVersion5 : public ::testing::Test {
 protected:
  Options options() {
    Options made = options_for(broker.url());
    made.version = ProtocolVersion::v5;
    return made;
  }
  Mosquitto broker;
  asio::io_context io;
};

TEST_F(ClientVersion5, PropertiesTravelWithTheMessage) {
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    Client client(on.get_executor(), std::move(options));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    EXPECT_FALSE(up->client_id.empty()) << "the broker assigns one";
    const auto granted = co_await client.subscribe("t", QoS::exactly_once);
    CO_ASSERT_OK(granted);
    Properties properties;
    properties.text(PropertyId::content_type, "text/plain").text(PropertyId::response_topic, "answers");
    properties.binary(PropertyId::correlation_data, Payload("id-7").bytes()).user_property("unit", "K");
    const PublishOptions with{.qos = QoS::exactly_once, .properties = properties};
    const auto published = co_await client.publish("t", "293", with);
    CO_ASSERT_OK(published);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "293");
    EXPECT_EQ(message->properties.text(PropertyId::content_type), "text/plain");
    EXPECT_EQ(message->properties.text(PropertyId::response_topic), "answers");
    EXPECT_EQ(message->properties.user_property("unit"), "K");
  }(io, options()));
}

TEST_F(ClientVersion5, SubscriptionOptionsAndIdentifiersWork) {
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    Client client(on.get_executor(), std::move(options));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const Properties identifier = Properties{}.number(PropertyId::subscription_identifier, 42);
    std::vector<Subscription> quiet(
        1, Subscription{.filter = "quiet", .max_qos = QoS::at_least_once, .no_local = true});
    const auto first = co_await client.subscribe(quiet);
    CO_ASSERT_OK(first);
    const SubscribeOptions with{.properties = identifier};
    const auto second = co_await client.subscribe("loud", QoS::at_least_once, with);
    CO_ASSERT_OK(second);
    const auto unheard = co_await client.publish("quiet", "not for me", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(unheard);
    const auto heard = co_await client.publish("loud", "for me", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(heard);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "for me");
    EXPECT_EQ(message->properties.number(PropertyId::subscription_identifier), 42U);
  }(io, options()));
}

TEST_F(ClientVersion5, PublishWithoutSubscriberSaysSo) {
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    Client client(on.get_executor(), std::move(options));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto published = co_await client.publish("nobody/listens", "x", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(published);
    EXPECT_EQ(*published, ReasonCode::no_matching_subscribers);
  }(io, options()));
}

TEST_F(ClientVersion5, SharedSubscriptionSplitsTheStream) {
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    Client first(on.get_executor(), options);
    Client second(on.get_executor(), options);
    for (Client* const client : {&first, &second}) {
      const auto up = co_await client->connect();
      CO_ASSERT_OK(up);
      const auto granted = co_await client->subscribe("$share/group/work", QoS::at_least_once);
      CO_ASSERT_OK(granted);
    }
    for (int i = 0; i < 10; ++i) {
      const auto published = co_await first.publish("work", std::to_string(i), {.qos = QoS::at_least_once});
      CO_ASSERT_OK(published);
    }
    const bool all = co_await eventually(on, [&] {
      return first.statistics().messages_received + second.statistics().messages_received == 10;
    });
    EXPECT_TRUE(all);
    EXPECT_GT(first.statistics().messages_received, 0U);
    EXPECT_GT(second.statistics().messages_received, 0U);
  }(io, options()));
}

}  // namespace
}  // namespace mqboard::mqtt
