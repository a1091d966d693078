// End to end against a real mosquitto.
#include <gtest/gtest.h>

#include <mqboard/mqtt/client.hpp>

#include "mqtt/testing/round_trip.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr PublishOptions kQos1{.qos = QoS::at_least_once};
constexpr PublishOptions kStream{.qos = QoS::at_least_once, .sync = false};

TEST(ClientMosquitto, MessageGoesRoundOverTcp) {
  Mosquitto broker;
  asio::io_context io;
  expect_round_trip(io, options_for(broker.url()));
}

TEST(ClientMosquitto, HostNameIsResolved) {
  Mosquitto broker;
  asio::io_context io;
  expect_round_trip(io, options_for("mqtt://localhost:" + std::to_string(broker.port())));
}

TEST(ClientMosquitto, PipelinedStartNeedsOneFlight) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, std::string url) -> asio::awaitable<void> {
    Options options = options_for(url);
    options.pipeline = true;
    Client client(on.get_executor(), options);
    client.start();
    const auto subscribed = co_await client.subscribe("t", QoS::at_least_once, {.sync = false});
    CO_ASSERT_OK(subscribed);
    const auto published = co_await client.publish("t", "now", kStream);
    CO_ASSERT_OK(published);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "now");
    // CONNECT, SUBSCRIBE and PUBLISH in one write; perhaps the PUBACK for what came back in another.
    EXPECT_LE(client.statistics().writes, 2U);
  }(io, broker.url()));
}

TEST(ClientMosquitto, EveryQosArrivesExactlyAsGranted) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, std::string url) -> asio::awaitable<void> {
    Client client(on.get_executor(), options_for(url));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto granted = co_await client.subscribe("q/#", QoS::exactly_once);
    CO_ASSERT_OK(granted);
    EXPECT_EQ(*granted, QoS::exactly_once);
    for (const QoS qos : {QoS::at_most_once, QoS::at_least_once, QoS::exactly_once}) {
      const auto published = co_await client.publish("q/x", "m", {.qos = qos});
      CO_ASSERT_OK(published);
      const auto message = co_await client.receive();
      CO_ASSERT_OK(message);
      EXPECT_EQ(message->qos, qos);
    }
  }(io, broker.url()));
}

TEST(ClientMosquitto, StreamAtQos0IsNotHeldUpByTheLackOfAnswers) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, std::string url) -> asio::awaitable<void> {
    Client client(on.get_executor(), options_for(url));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    // Many times what the buffers hold: with a pause between two of them the test would hang.
    const std::string payload(1000, 'x');
    for (int i = 0; i < 20'000; ++i) {
      const auto accepted = co_await client.publish("stream", payload, {.sync = false});
      CO_ASSERT_OK(accepted);
    }
    const auto done = co_await client.flush();
    CO_ASSERT_OK(done);
  }(io, broker.url()));
}

TEST(ClientMosquitto, PasswordIsCheckedAndTheErrorSaysSo) {
  TemporaryFolder files;
  shell("mosquitto_passwd -b -c " + (files / "passwords") + " bob secret");
  Mosquitto broker(files, "allow_anonymous false\npassword_file %d/passwords\n");
  asio::io_context io;
  Options options = options_for(broker.url());
  options.user_name = "bob";
  options.password = "secret";
  expect_round_trip(io, options);
  options.password = "wrong";
  expect_error(io, options, Errc::not_authorized,
               "127.0.0.1:" + std::to_string(broker.port()) + ": not authorized");
}

TEST(ClientMosquitto, RestartedBrokerIsBackAndUnacknowledgedMessagesArrive) {
  Mosquitto broker("allow_anonymous true\npersistence true\npersistence_location %d/\n");
  asio::io_context io;
  run(io, [](asio::io_context& on, Mosquitto& server) -> asio::awaitable<void> {
    Options options = options_for(server.url());
    options.client_id = "restart";
    options.clean_session = false;
    Client client(on.get_executor(), options);
    std::vector<std::string> events;
    client.on_event([&](const ConnectionEvent& event) {
      if (const auto* up = std::get_if<Connected>(&event))
        events.push_back(up->session_present ? "resumed" : "new");
      if (std::holds_alternative<Disconnected>(event)) events.push_back("lost");
    });
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto subscribed = co_await client.subscribe("t", QoS::at_least_once);
    CO_ASSERT_OK(subscribed);
    server.terminate();
    for (int i = 0; i < 20; ++i) client.try_publish("t", std::to_string(i), kStream).value();
    server.start();
    for (int i = 0; i < 20; ++i) {
      const auto message = co_await client.receive();
      CO_ASSERT_OK(message);
      EXPECT_EQ(message->text(), std::to_string(i));
    }
    EXPECT_EQ(events, (std::vector<std::string>{"new", "lost", "resumed"}));
  }(io, broker));
}

TEST(ClientMosquitto, SubscriptionsAreRenewedWhenTheBrokerForgotTheSession) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, Mosquitto& server) -> asio::awaitable<void> {
    Client client(on.get_executor(), options_for(server.url()));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto subscribed = co_await client.subscribe("t", QoS::at_least_once);
    CO_ASSERT_OK(subscribed);
    server.kill();
    server.start();
    const bool back = co_await eventually(on, [&] { return client.statistics().connections == 2; });
    EXPECT_TRUE(back);
    const auto published = co_await client.publish("t", "again", kQos1);
    CO_ASSERT_OK(published);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "again");
  }(io, broker));
}

TEST(ClientMosquitto, SecondClientWithTheSameIdTakesOverWithoutAHotLoop) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, std::string url) -> asio::awaitable<void> {
    Options options = options_for(url);
    options.client_id = "same";
    options.reconnect_min = 1h;
    options.reconnect_max = 1h;
    Client first(on.get_executor(), options);
    auto up = co_await first.connect();
    CO_ASSERT_OK(up);
    Client second(on.get_executor(), options);
    up = co_await second.connect();
    CO_ASSERT_OK(up);
    const bool lost = co_await eventually(on, [&] { return !first.connected(); });
    EXPECT_TRUE(lost);
    const auto published = co_await second.publish("t", "x", kQos1);
    CO_ASSERT_OK(published);
    EXPECT_EQ(first.statistics().connections, 1U);
  }(io, broker.url()));
}

// --- TLS

class ClientMosquittoTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { files = new Certificates; }
  static void TearDownTestSuite() { delete std::exchange(files, nullptr); }

  static std::string config(const std::string& server = "server") { return Certificates::listener(server); }
  static Options trusting(const Mosquitto& broker) {
    Options options = options_for(broker.url("mqtts"));
    options.tls.ca_file = *files / "ca.crt";
    return options;
  }

  static inline Certificates* files = nullptr;
  asio::io_context io;
};

TEST_F(ClientMosquittoTls, MessageGoesRound) {
  Mosquitto broker(*files, config());
  expect_round_trip(io, trusting(broker));
}

TEST_F(ClientMosquittoTls, HostNameIsVerifiedAndSent) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  options.endpoints[0].host = "localhost";
  expect_round_trip(io, options);
}

TEST_F(ClientMosquittoTls, UntrustedAuthorityIsRefusedWithTheReason) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  options.tls.ca_file = *files / "stranger.crt";
  expect_error(io, options, Errc::certificate_untrusted,
               "certificate not trusted: self-signed certificate in certificate chain");
}

TEST_F(ClientMosquittoTls, SystemTrustStoreDoesNotTrustATestAuthority) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  options.tls.ca_file.clear();
  expect_error(io, options, Errc::certificate_untrusted, "certificate not trusted: ");
}

std::chrono::sys_seconds days_from_now(int days) {
  const auto now = std::chrono::system_clock::now();  // tidy: allow
  return std::chrono::floor<std::chrono::seconds>(now) + std::chrono::days(days);
}

// The test authority's certificates begin now and end in two days.
TEST_F(ClientMosquittoTls, CertificatesAreJudgedByTheTimeThatTheApplicationKnows) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  CertificateTime time{days_from_now(1)};
  options.tls.certificate_time = [&] { return time; };
  expect_round_trip(io, options);
  time.now = days_from_now(-1);
  expect_error(io, options, Errc::certificate_untrusted,
               "certificate not trusted: certificate is not yet valid");
  time.now = days_from_now(3);
  expect_error(io, options, Errc::certificate_untrusted, "certificate not trusted: certificate has expired");
}

TEST_F(ClientMosquittoTls, WithoutAKnownTimeWhatBeginsLaterCountsAndAllElseIsVerified) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  CertificateTime time{days_from_now(-20'000), false};
  options.tls.certificate_time = [&] { return time; };
  expect_round_trip(io, options);
  options.tls.ca_file = *files / "stranger.crt";
  expect_error(io, options, Errc::certificate_untrusted,
               "certificate not trusted: self-signed certificate in certificate chain");
  options.tls.ca_file = *files / "ca.crt";
  options.tls.server_name = "other.example";
  expect_error(io, options, Errc::host_name_mismatch, "certificate is not valid for other.example");
  options.tls.server_name.clear();
  time.now = days_from_now(3);
  expect_error(io, options, Errc::certificate_untrusted, "certificate not trusted: certificate has expired");
}

TEST_F(ClientMosquittoTls, CertificateForAnotherHostIsRefusedNamingOurs) {
  Mosquitto broker(*files, config("other"));
  expect_error(io, trusting(broker), Errc::host_name_mismatch, "certificate is not valid for 127.0.0.1");
  Options options = trusting(broker);
  options.tls.server_name = "other.example";
  expect_round_trip(io, options);
}

TEST_F(ClientMosquittoTls, VerificationCanBeSwitchedOff) {
  Mosquitto broker(*files, config("other"));
  Options options = trusting(broker);
  options.tls.ca_file.clear();
  options.tls.verify = false;
  expect_round_trip(io, options);
}

TEST_F(ClientMosquittoTls, ClientCertificateLetsUsIn) {
  Mosquitto broker(*files, config() + "require_certificate true\n");
  Options options = trusting(broker);
  options.tls.certificate_file = *files / "client.crt";
  options.tls.key_file = *files / "client.key";
  expect_round_trip(io, options);
}

TEST_F(ClientMosquittoTls, EncryptedKeyOpensWithItsPassword) {
  Mosquitto broker(*files, config() + "require_certificate true\n");
  Options options = trusting(broker);
  options.tls.certificate_file = *files / "client.crt";
  options.tls.key_file = *files / "locked.key";
  options.tls.key_password = "open";
  expect_round_trip(io, options);
  options.tls.key_password = "wrong";
  expect_error(io, options, Errc::bad_key_file, *files / "locked.key");
}

TEST_F(ClientMosquittoTls, MissingClientCertificateIsATlsFailure) {
  Mosquitto broker(*files, config() + "require_certificate true\n");
  expect_error(io, trusting(broker), Errc::tls_failed, "certificate required");
}

TEST_F(ClientMosquittoTls, BadFilesAreNamed) {
  Mosquitto broker(*files, config());
  Options options = trusting(broker);
  options.tls.ca_file = *files / "missing.crt";
  expect_error(io, options, Errc::bad_ca_file,
               (*files / "missing.crt") + ": cannot load CA certificates: No such file");
  options = trusting(broker);
  options.tls.certificate_file = *files / "server.ext";
  expect_error(io, options, Errc::bad_certificate_file, *files / "server.ext");
  options = trusting(broker);
  options.tls.certificate_file = *files / "client.crt";
  options.tls.key_file = *files / "server.key";
  expect_error(io, options, Errc::bad_key_file, "server.key");
  options = trusting(broker);
  options.tls.ca_file.clear();
  options.tls.ca_path = *files / "nowhere";
  expect_error(io, options, Errc::bad_ca_file, *files / "nowhere");
}

TEST_F(ClientMosquittoTls, PlainListenerIsNotMistakenForTls) {
  Mosquitto broker;
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    const auto text = co_await round_trip(on, std::move(options));
    CO_ASSERT(!text);  // closed or reset, as the broker's kernel likes
    EXPECT_TRUE(text.error() == Errc::connection_closed || text.error() == Errc::connection_reset);
    EXPECT_NE(text.error().message().find("during the TLS handshake"), std::string::npos)
        << text.error().message();
  }(io, trusting(broker)));
}

TEST_F(ClientMosquittoTls, LargeMessagesSurviveTheirRecords) {
  Mosquitto broker(*files, config());
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    options.receive_queue_size = 1 << 22;
    Client client(on.get_executor(), std::move(options));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto subscribed = co_await client.subscribe("t", QoS::at_least_once);
    CO_ASSERT_OK(subscribed);
    std::string large(1'000'000, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 % 251);
    for (int i = 0; i < 3; ++i) {
      const auto published = co_await client.publish("t", large, kStream);
      CO_ASSERT_OK(published);
    }
    for (int i = 0; i < 3; ++i) {
      const auto message = co_await client.receive();
      CO_ASSERT_OK(message);
      EXPECT_TRUE(message->text() == large);
    }
  }(io, trusting(broker)));
}

}  // namespace
}  // namespace mqboard::mqtt
