// A session that survives its client, against a scripted broker.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

#include "mqtt/testing/client_fixture.hpp"
#include "mqtt/testing/file_size_limit.hpp"
#include "mqtt/testing/mosquitto.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

class ClientPersistence : public ClientFixture {
 public:
  [[nodiscard]] Options kept() const {
    Options made = options();
    made.clean_session = false;
    made.persistence_file = folder / "session";
    return made;
  }
  TemporaryFolder folder;
};

TEST_F(ClientPersistence, UnacknowledgedMessagesOfADeadClientAreSentByTheNext) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    {
      auto [client, peer] = co_await t.connected(t.kept());
      client.try_publish("t", "1", {.qos = QoS::at_least_once}).value();
      client.try_publish("t", "2", {.qos = QoS::exactly_once}).value();
      client.try_publish("t", "3", {.qos = QoS::exactly_once}).value();
      co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
      co_await peer.expect(publish("t", "2", {.qos = 2, .id = 2}));
      co_await peer.expect(publish("t", "3", {.qos = 2, .id = 3}));
      co_await peer.send(pubrec(2));
      co_await peer.expect(pubrel(2));
    }
    Client next = t.make(t.kept());
    next.start();
    Task flushed(t.io, next.flush());
    Peer peer = co_await t.broker.welcome(true);
    co_await peer.expect(pubrel(2));
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1, .dup = true}));
    co_await peer.expect(publish("t", "3", {.qos = 2, .id = 3, .dup = true}));
    co_await peer.send(pubcomp(2) + puback(1) + pubrec(3));
    co_await peer.expect(pubrel(3));
    EXPECT_FALSE(flushed.done());
    co_await peer.send(pubcomp(3));
    EXPECT_TRUE(co_await flushed.get());
  }(*this));
}

TEST_F(ClientPersistence, InboundQos2IsNotDeliveredAgainToTheNextClient) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    {
      auto [client, peer] = co_await t.connected(t.kept());
      co_await peer.send(publish("t", "once", {.qos = 2, .id = 9}));
      const auto message = co_await client.receive();
      CO_ASSERT_OK(message);
      co_await peer.expect(pubrec(9));
    }
    auto next = t.make(t.kept());
    next.start();
    Peer peer = co_await t.broker.welcome(true);
    co_await peer.send(publish("t", "once", {.qos = 2, .id = 9, .dup = true}));
    co_await peer.expect(pubrec(9));
    co_await peer.send(pubrel(9));
    co_await peer.expect(pubcomp(9));
    EXPECT_EQ(next.statistics().messages_received, 0U);
  }(*this));
}

TEST_F(ClientPersistence, MessagesAcceptedOfflineAreInTheFileOneTurnLater) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    Options offline = t.kept();
    offline.offline_messages = 10;
    Client client = t.make(offline);
    client.try_publish("t", "kept while offline", {.qos = QoS::exactly_once}).value();
    co_await asio::post(asio::use_awaitable);
    std::ifstream file(offline.persistence_file, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    EXPECT_NE(content.find("kept while offline"), std::string::npos);
  }(*this));
}

TEST_F(ClientPersistence, FullFileSystemEndsTheConnectionAndOneThatRecoversIsUsedAgain) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.kept());
    client.try_publish("t", "1", {.qos = QoS::at_least_once}).value();
    co_await peer.expect(publish("t", "1", {.qos = 1, .id = 1}));
    {
      const FileSizeLimit full(20);
      client.try_publish("t", "2", {.qos = QoS::at_least_once}).value();
      co_await peer.expect_end();
      EXPECT_FALSE(client.try_publish("t", "3", {.qos = QoS::at_least_once}));
    }
    Task flushed(t.io, client.flush());
    t.time->advance(1s);
    Peer again = co_await t.broker.welcome(true);
    co_await again.expect(publish("t", "1", {.qos = 1, .id = 1, .dup = true}));
    co_await again.expect(publish("t", "2", {.qos = 1, .id = 2, .dup = false}));
    co_await again.send(puback(1) + puback(2));
    EXPECT_TRUE(co_await flushed.get());
    EXPECT_TRUE(client.try_publish("t", "4", {.qos = QoS::at_least_once}));
  }(*this));
}

TEST_F(ClientPersistence, UnusableFileIsADefiniteErrorOfEveryOperation) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    t.folder.write("session", "something else entirely");
    Client client = t.make(t.kept());
    const auto up = co_await client.connect();
    EXPECT_TRUE(up.error() == Errc::storage_failed);
    EXPECT_EQ(up.error().message(), (t.folder / "session") + ": not a session file");
    const auto published = co_await client.publish("t", "x");
    EXPECT_TRUE(published.error() == Errc::storage_failed);
  }(*this));
}

TEST_F(ClientPersistence, CleanSessionCannotBeKept) {
  run(io, [](ClientPersistence& t) -> asio::awaitable<void> {
    Options options = t.kept();
    options.clean_session = true;
    Client client = t.make(options);
    const auto up = co_await client.connect();
    EXPECT_TRUE(up.error() == Errc::bad_option);
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
