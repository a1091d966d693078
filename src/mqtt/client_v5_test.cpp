// Enhanced authentication, redirection and topic aliases of MQTT 5.0, against a scripted broker.
#include "mqtt/testing/client_fixture.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

class ClientVersion5Test : public ClientFixture {
 public:
  Options v5() {
    Options made = options();
    made.version = ProtocolVersion::v5;
    return made;
  }
  // Method "m"; what is said to it is written down.
  Options authenticating() {
    Options made = v5();
    made.authentication.method = "m";
    made.authentication.answer = [this](AuthenticationStep step,
                                        std::string_view data) -> Result<std::string> {
      said += std::to_string(static_cast<int>(step)) + "(" + std::string(data) + ")";
      if (data == "false server")
        return std::unexpected(Error(Errc::not_authorized, "server proves nothing"));
      return step == AuthenticationStep::begin ? "hello" : "reply to " + std::string(data);
    };
    return made;
  }
  static asio::awaitable<std::optional<Peer>> accept_at(ScriptedBroker& at) {
    co_return co_await at.accept();
  }
  // The next connection there, once its back-off has passed.
  asio::awaitable<Peer> accept_later(ScriptedBroker& at) {
    Task<std::optional<Peer>> accepting(io, accept_at(at));
    const bool there = co_await eventually(io, [&] { return time->advance(10ms), accepting.done(); });
    EXPECT_TRUE(there);
    std::optional<Peer> peer = co_await accepting.get();
    co_return std::move(*peer);
  }
  std::string said;
};

std::string data(std::string_view value) { return "\x16" + text(value); }
const std::string kMethod = "\x15" + text("m");

// Properties are shorter than 128 bytes here.
std::string with_length(const std::string& properties) {
  return static_cast<char>(properties.size()) + properties;
}
std::string connack5(std::uint8_t reason, const std::string& properties = "") {
  return packet(0x20, std::string{'\0', static_cast<char>(reason)} + with_length(properties));
}
std::string auth(std::uint8_t reason, const std::string& properties) {
  return packet(0xF0, static_cast<char>(reason) + with_length(properties));
}
std::string disconnect5(std::uint8_t reason, const std::string& properties) {
  return packet(0xE0, static_cast<char>(reason) + with_length(properties));
}
std::string reference(const ScriptedBroker& broker) {
  return "\x1C" + text("127.0.0.1:" + std::to_string(broker.port()) + " other.example");
}
std::string publish5(std::string_view topic, const std::string& properties, std::string_view payload) {
  return packet(0x30, text(topic) + with_length(properties) + std::string(payload));
}

TEST_F(ClientVersion5Test, ChallengeIsAnsweredBeforeTheBrokerLetsUsIn) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    Client client = t.make(t.authenticating());
    Task<Result<Connected>> connecting(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    const std::string connect = co_await peer.next_packet();
    EXPECT_NE(connect.find(kMethod + data("hello")), std::string::npos) << hex(connect);
    co_await peer.send(auth(0x18, kMethod + data("nonce")));
    co_await peer.expect(auth(0x18, kMethod + data("reply to nonce")));
    co_await peer.send(connack5(0, kMethod + data("proof")));
    const auto up = co_await connecting.get();
    CO_ASSERT_OK(up);
    EXPECT_EQ(t.said, "0()1(nonce)2(proof)");
  }(*this));
}

TEST_F(ClientVersion5Test, ServerThatCannotProveItselfIsLeft) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    for (const bool late : {false, true}) {
      Client client = t.make(t.authenticating());
      Task<Result<Connected>> connecting(t.io, client.connect());
      Peer peer = co_await t.broker.accept();
      co_await peer.next_packet();
      const std::string lie = kMethod + data("false server");
      std::string last = auth(0x18, lie);
      if (late) last = connack5(0, lie);
      co_await peer.send(last);
      const auto up = co_await connecting.get();
      CO_ASSERT(!up);
      EXPECT_TRUE(up.error() == Errc::not_authorized);
      EXPECT_EQ(up.error().message(), t.broker_name() + ": server proves nothing");
    }
  }(*this));
}

TEST_F(ClientVersion5Test, ReauthenticationCompletesOrEndsTheConnection) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    Client client = t.make(t.authenticating());
    Task<Result<Connected>> connecting(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    co_await peer.next_packet();
    co_await peer.send(connack5(0, kMethod));
    const auto up = co_await connecting.get();
    CO_ASSERT_OK(up);
    Task<Result<void>> again(t.io, client.reauthenticate());
    co_await peer.expect(auth(0x19, kMethod + data("hello")));
    co_await peer.send(auth(0x18, kMethod + data("more")));
    co_await peer.expect(auth(0x18, kMethod + data("reply to more")));
    co_await peer.send(auth(0x00, kMethod));
    const auto first = co_await again.get();
    EXPECT_TRUE(first);
    Task<Result<void>> refused(t.io, client.reauthenticate());
    co_await peer.next_packet();
    co_await peer.send(disconnect5(0x87, ""));
    const auto second = co_await refused.get();
    CO_ASSERT(!second);
    EXPECT_TRUE(second.error() == Errc::not_authorized);
  }(*this));
}

TEST_F(ClientVersion5Test, ReauthenticationNeedsAMethodAndAConnection) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    Client without = t.make(t.v5());
    const auto no_method = co_await without.reauthenticate();
    EXPECT_TRUE(!no_method && no_method.error() == Errc::invalid_argument);
    Client offline = t.make(t.authenticating());
    const auto no_connection = co_await offline.reauthenticate();
    EXPECT_TRUE(!no_connection && no_connection.error() == Errc::not_connected);
  }(*this));
}

TEST_F(ClientVersion5Test, RedirectIsReportedUnlessItIsToBeFollowed) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    ScriptedBroker other(t.io);
    Client client = t.make(t.v5());
    Task<Result<Connected>> connecting(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    co_await peer.next_packet();
    co_await peer.send(connack5(0x9C, reference(other)));
    const auto up = co_await connecting.get();
    CO_ASSERT(!up);
    EXPECT_TRUE(up.error() == Errc::server_moved);
    EXPECT_NE(up.error().message().find(std::to_string(other.port())), std::string::npos);
  }(*this));
}

TEST_F(ClientVersion5Test, RedirectInConnackIsFollowed) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    ScriptedBroker other(t.io);
    Options options = t.v5();
    options.redirect = Redirect::follow;
    Client client = t.make(options);
    Task<Result<Connected>> connecting(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    co_await peer.next_packet();
    co_await peer.send(connack5(0x9C, reference(other)));
    Peer there = co_await other.accept();
    co_await there.next_packet();
    co_await there.send(connack5(0));
    const auto up = co_await connecting.get();
    CO_ASSERT_OK(up);
    EXPECT_EQ(up->endpoint, "127.0.0.1:" + std::to_string(other.port()));
    there.close();  // it was for once: the next connection begins where we were told to
    Peer back = co_await t.accept_later(t.broker);
    co_await back.next_packet();
  }(*this));
}

TEST_F(ClientVersion5Test, MoveInDisconnectIsFollowedForGood) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    ScriptedBroker other(t.io);
    Options options = t.v5();
    options.redirect = Redirect::follow;
    Client client = t.make(options);
    client.start();
    Peer peer = co_await t.broker.accept();
    co_await peer.next_packet();
    co_await peer.send(connack5(0));
    co_await t.until_connected(client);
    co_await peer.send(disconnect5(0x9D, reference(other)));
    for (int i = 0; i < 2; ++i) {
      Peer there = co_await t.accept_later(other);
      co_await there.next_packet();
      co_await there.send(connack5(0));
      co_await t.until_connected(client);
      there.close();
      const bool down = co_await eventually(t.io, [&] { return !client.connected(); });
      EXPECT_TRUE(down);
    }
  }(*this));
}

TEST_F(ClientVersion5Test, RedirectsInACircleEnd) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    Options options = t.v5();
    options.redirect = Redirect::follow;
    options.max_redirects = 2;
    Client client = t.make(options);
    Task<Result<Connected>> connecting(t.io, client.connect());
    for (int i = 0; i < 3; ++i) {
      Peer peer = co_await t.broker.accept();
      co_await peer.next_packet();
      co_await peer.send(connack5(0x9C, reference(t.broker)));
      co_await peer.next_packet();
    }
    const auto up = co_await connecting.get();
    EXPECT_TRUE(!up && up.error() == Errc::server_moved);
  }(*this));
}

TEST_F(ClientVersion5Test, TopicAliasesAreUsedBothWays) {
  run(io, [](ClientVersion5Test& t) -> asio::awaitable<void> {
    Options options = t.v5();
    options.topic_aliases = 5;
    options.topic_alias_maximum = 3;
    Client client = t.make(options);
    Task<Result<Connected>> connecting(t.io, client.connect());
    Peer peer = co_await t.broker.accept();
    const std::string connect = co_await peer.next_packet();
    EXPECT_NE(connect.find(std::string("\x22\x00\x03", 3)), std::string::npos) << hex(connect);
    co_await peer.send(connack5(0, std::string("\x22\x00\x01", 3)));
    const auto up = co_await connecting.get();
    CO_ASSERT_OK(up);
    const std::string one("\x23\x00\x01", 3);
    for (int i = 0; i < 2; ++i) {
      const auto published = co_await client.publish("topic", "x");
      CO_ASSERT_OK(published);
      co_await peer.expect(publish5(i == 0 ? "topic" : "", one, "x"));
    }
    co_await peer.send(publish5("theirs", one, "1") + publish5("", one, "2"));
    for (int i = 0; i < 2; ++i) {
      const auto message = co_await client.receive();
      CO_ASSERT_OK(message);
      EXPECT_EQ(message->topic, "theirs");
    }
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
