// MQTT over WebSocket: the transport by itself, the handshake with a scripted server, and all of it with a
// real mosquitto.
#include "mqtt/websocket.hpp"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <fstream>

#include "mqtt/testing/round_trip.hpp"
#include "mqtt/testing/scripted_broker.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;
using asio::ip::tcp;

// --- The transport

// What lies below, played by the test.
struct Wire {
  std::deque<std::string> input;  // one read each
  bool ended = false;             // after the input
  std::string output;
  std::size_t takes = std::string::npos;  // bytes until it blocks
  bool closed = false;
};

class WireTransport final : public Transport {
 public:
  explicit WireTransport(Wire& wire) : wire_(wire) {}

  IoResult read(MutableBytes into) override {
    if (wire_.input.empty())
      return wire_.ended ? IoResult{.error = Errc::connection_reset} : IoResult{.blocked = true};
    std::string& next = wire_.input.front();
    const std::size_t count = std::min(next.size(), into.size());
    std::copy_n(next.begin(), count, into.begin());
    next.erase(0, count);
    if (next.empty()) wire_.input.pop_front();
    return {.bytes = count, .blocked = wire_.input.empty() && !wire_.ended};
  }

  IoResult write(std::span<const Bytes> pieces) override {
    IoResult result;
    for (const Bytes piece : pieces) {
      const std::size_t count = std::min(piece.size(), wire_.takes);
      wire_.output += as_text(piece.first(count));
      if (wire_.takes != std::string::npos) wire_.takes -= count;
      result.bytes += count;
      result.blocked = count < piece.size();
      if (result.blocked) break;
    }
    return result;
  }

  void async_wait(Ready, std::shared_ptr<ReadyHandler>) override { ADD_FAILURE() << "nothing to wait for"; }
  void set_low_water(std::size_t) override {}
  void shutdown() override {}
  void close() override { wire_.closed = true; }

 private:
  Wire& wire_;
};

class WebSocketTransportTest : public ::testing::Test {
 protected:
  std::string read(std::size_t most = 4096) {
    std::string into(most, '\0');
    last = transport->read({reinterpret_cast<std::uint8_t*>(into.data()), into.size()});
    return into.substr(0, last.bytes);
  }
  IoResult write(std::string_view text) {
    const Bytes piece = as_bytes(text);
    return transport->write({&piece, 1});
  }
  // The next frame of the output, unmasked, its first byte in front.
  std::string sent() {
    if (wire.output.size() < 6) return {};
    std::size_t size = static_cast<std::uint8_t>(wire.output[1]) & 0x7FU;
    std::size_t at = 2;
    if (size == 126)
      size = static_cast<std::uint8_t>(wire.output[2]) * 256U + static_cast<std::uint8_t>(wire.output[3]),
      at = 4;
    std::string text = wire.output.substr(0, 1);
    for (std::size_t i = 0; i < size; ++i)
      text += static_cast<char>(wire.output[at + 4 + i] ^ wire.output[at + i % 4]);
    wire.output.erase(0, at + 4 + size);
    return text;
  }

  asio::io_context io;
  Wire wire;
  std::unique_ptr<Transport> transport =
      make_websocket_transport(io.get_executor(), std::make_unique<WireTransport>(wire), {});
  IoResult last;
};

TEST_F(WebSocketTransportTest, ReadsPayloadAcrossFramesAndReads) {
  wire.input = {"\x82", "\x02h", "i\x82\x01", "!"};
  EXPECT_EQ(read(), "h");
  EXPECT_EQ(read(), "i");
  EXPECT_EQ(read(), "!");
  EXPECT_TRUE(last.blocked);
  EXPECT_EQ(read(), "");
  EXPECT_TRUE(last.blocked);
}

TEST_F(WebSocketTransportTest, PingIsAnsweredWithItsPayload) {
  wire.input = {"\x82\x01x\x89\x03key"};
  EXPECT_EQ(read(), "x");
  EXPECT_EQ(sent(), "\x8Akey");
  wire.input = {std::string("\x89\x00", 2)};
  EXPECT_EQ(read(), "");
  EXPECT_TRUE(last.blocked);
  EXPECT_EQ(sent(), "\x8A");
  EXPECT_EQ(wire.output, "");
}

TEST_F(WebSocketTransportTest, PongsDoNotPileUpWhileNothingLeaves) {
  wire.takes = 3;
  for (int i = 0; i < 1000; ++i) {
    wire.input = {"\x89\x7D" + std::string(125, 'p')};
    EXPECT_EQ(read(), "");
    EXPECT_FALSE(last.failed());
  }
  wire.takes = std::string::npos;
  EXPECT_EQ(write("data").bytes, 4U);
  EXPECT_LE(wire.output.size(), 17U * 1024U);
  std::string frame;
  for (std::string next = sent(); !next.empty(); next = sent()) frame = next;
  EXPECT_EQ(frame,
            "\x82"
            "data");
}

TEST_F(WebSocketTransportTest, WhatCameBeforeACloseIsReadFirst) {
  wire.input = {"\x82\x01x\x88\x02\x03\xF0"};
  EXPECT_EQ(read(), "x");
  EXPECT_FALSE(last.blocked) << "there is more to learn";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(read(), "");
    EXPECT_EQ(last.error, Errc::connection_closed);
    EXPECT_EQ(last.detail, "server closed the WebSocket with code 1008");
  }
  transport->shutdown();
  EXPECT_EQ(sent(), "\x88\x03\xE8");
}

TEST_F(WebSocketTransportTest, TextIsAViolationAndSaidSoOnClosing) {
  wire.input = {"\x81\x01x"};
  EXPECT_EQ(read(), "");
  EXPECT_EQ(last.error, Errc::protocol_error);
  transport->shutdown();
  EXPECT_EQ(sent(), "\x88\x03\xEA");
}

TEST_F(WebSocketTransportTest, EndWithoutCloseIsPassedOn) {
  wire.input = {"\x82\x02x"};
  wire.ended = true;
  EXPECT_EQ(read(), "x");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(last.error, Errc::connection_reset);
}

TEST_F(WebSocketTransportTest, WriteInAnyPiecesArrivesWholeAndInOrder) {
  std::string large(40'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 % 251);
  std::string arrived;
  wire.takes = 0;
  for (std::size_t done = 0; done < large.size();) {
    const IoResult result = write(std::string_view(large).substr(done));
    ASSERT_FALSE(result.failed());
    done += result.bytes;
    wire.takes = 1000;
  }
  wire.takes = std::string::npos;
  EXPECT_FALSE(transport->write({}).blocked);
  for (std::string next = sent(); !next.empty(); next = sent()) arrived += next.substr(1);
  EXPECT_TRUE(arrived == large);
}

TEST_F(WebSocketTransportTest, SmallPiecesShareAFrame) {
  const Bytes pieces[] = {as_bytes("ab"), {}, as_bytes("c")};
  EXPECT_EQ(transport->write(pieces).bytes, 3U);
  EXPECT_EQ(sent(),
            "\x82"
            "abc");
}

// --- The handshake

// Takes one connection, answers its request with the text, and keeps it open until told.
struct FakeServer {
  explicit FakeServer(asio::io_context& on)
      : acceptor(on, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  [[nodiscard]] std::string url(const std::string& target) const {
    return "ws://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + target;
  }

  asio::awaitable<bool> serve(std::string answer) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", asio::use_awaitable);
    if (const std::size_t key = answer.find("{key}"); key != std::string::npos)
      answer.replace(key, 5, accepted());
    co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    answered = true;
    std::string rest;  // until the client hangs up
    co_await asio::async_read_until(socket, asio::dynamic_buffer(rest), "\r\n\r\n",
                                    asio::as_tuple(asio::use_awaitable));
    co_return true;
  }

  // Computed by other code than the client's: openssl(1).
  [[nodiscard]] std::string accepted() const {
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t begin = request.find(name) + name.size();
    const std::string key = request.substr(begin, request.find('\r', begin) - begin);
    TemporaryFolder folder;
    folder.write("in", key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    shell("openssl dgst -sha1 -binary " + (folder / "in") + " | openssl base64 > " + (folder / "out"));
    std::ifstream file(folder / "out");
    std::string line;
    std::getline(file, line);
    return line;
  }

  tcp::acceptor acceptor;
  std::string request;
  bool answered = false;  // all of it
};

std::string upgrade(const std::string& more) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" +
         more + "\r\n";
}
const std::string kAccept = "Sec-WebSocket-Accept: {key}\r\n";
const std::string kSubprotocol = "Sec-WebSocket-Protocol: mqtt\r\n";

// How a client fares at a server that gives this answer.
std::string outcome(const std::string& answer, std::string* request = nullptr,
                    const std::string& target = "/x", std::chrono::milliseconds patience = 30s) {
  asio::io_context io;
  FakeServer server(io);
  std::string said;
  run(io,
      [](asio::io_context& on, FakeServer& fake, std::string text, std::string at,
         std::chrono::milliseconds timeout, std::string& error) -> asio::awaitable<void> {
        Task<bool> serving(on, fake.serve(std::move(text)));
        Options options = options_for(fake.url(at));
        options.connect_timeout = timeout;
        {
          Client client(on.get_executor(), std::move(options));
          const auto up = co_await client.connect();
          CO_ASSERT(!up);
          error = up.error().message();
          const bool named =
              error.starts_with("127.0.0.1:" + std::to_string(fake.acceptor.local_endpoint().port()) + ": ");
          EXPECT_TRUE(named) << error;
          error.erase(0, error.find(": ") + 2);
        }
        co_await serving.get();
      }(io, server, answer, target, patience, said));
  if (request != nullptr) *request = server.request;
  return said;
}

TEST(WebSocketHandshake, AsksForMqttAtTheGivenTarget) {
  std::string request;
  outcome("HTTP/1.1 404 Not Found\r\n\r\n", &request, "/some/where?x=1");
  EXPECT_TRUE(request.starts_with("GET /some/where?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
  EXPECT_NE(request.find("\r\nSec-WebSocket-Protocol: mqtt\r\n"), std::string::npos) << request;
  outcome("HTTP/1.1 404 Not Found\r\n\r\n", &request, "");
  EXPECT_TRUE(request.starts_with("GET /mqtt HTTP/1.1\r\n")) << request;
}

TEST(WebSocketHandshake, RefusalSaysWhatTheServerSaid) {
  const std::string refused = "server refuses WebSocket at /x: ";
  EXPECT_EQ(outcome("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), refused + "HTTP 404 Not Found");
  EXPECT_EQ(outcome("HTTP/1.1 403 Forbidden\r\n\r\n"), refused + "HTTP 403 Forbidden");
  EXPECT_EQ(outcome("HTTP/1.1 301 \r\nLocation: wss://other/\r\n\r\n"),
            refused + "HTTP 301 Moved Permanently, go to wss://other/");
  EXPECT_EQ(outcome(upgrade(kSubprotocol)), refused + "its answer is not that of a WebSocket server");
  EXPECT_EQ(outcome(upgrade("Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n" + kSubprotocol)),
            refused + "its answer is not that of a WebSocket server");
  EXPECT_EQ(outcome(upgrade(kAccept)), refused + "it does not speak the subprotocol mqtt");
  EXPECT_EQ(outcome(upgrade(kAccept + "Sec-WebSocket-Protocol: chat\r\n")),
            refused + "it does not speak the subprotocol mqtt");
  EXPECT_EQ(outcome(upgrade(kAccept + kSubprotocol + "Sec-WebSocket-Extensions: x\r\n")),
            refused + "it uses an extension nobody asked for");
}

TEST(WebSocketHandshake, WhatIsNotHttpIsNotAWebSocketServer) {
  EXPECT_EQ(outcome("SSH-2.0-OpenSSH_9.2\r\n"), "not a WebSocket server: bad version");
  EXPECT_EQ(outcome("HTTP/1.1 101 " + std::string(10'000, 'x')),
            "not a WebSocket server: header limit exceeded");
}

TEST(WebSocketHandshake, SilenceEndsWithTheConnectDeadline) {
  EXPECT_EQ(outcome("HTTP/1.1 101 Switch", nullptr, "/x", 300ms), "connecting timed out");
}

TEST(WebSocketHandshake, FramesBehindTheAnswerAreNotLost) {
  EXPECT_EQ(outcome(upgrade(kAccept + kSubprotocol) + std::string("\x82\x04\x20\x02\x00\x05", 6)),
            "not authorized");
}

TEST(WebSocketTransport, MegabyteInOneFrameArrivesWhole) {
  const std::string message = publish("t", std::string(1'000'000, 'x'));
  std::string answer = upgrade(kAccept + kSubprotocol) + std::string("\x82\x04\x20\x02\x00\x00", 6);
  answer.append("\x82\x7F").append(4, '\0').append(number(static_cast<std::uint16_t>(message.size() >> 16U)));
  answer.append(number(static_cast<std::uint16_t>(message.size()))).append(message);
  asio::io_context io;
  FakeServer server(io);
  run(io, [](asio::io_context& on, FakeServer& fake, std::string text) -> asio::awaitable<void> {
    Task<bool> serving(on, fake.serve(std::move(text)));
    {
      Client client(on.get_executor(), options_for(fake.url("")));
      const auto up = co_await client.connect();
      CO_ASSERT_OK(up);
      const auto next = co_await client.receive();
      CO_ASSERT_OK(next);
      EXPECT_EQ(next->text(), std::string(1'000'000, 'x'));
    }
    co_await serving.get();
  }(io, server, std::move(answer)));
}

// A reader that takes nothing stops the socket: what the client holds stays within its queue and one buffer.
TEST(WebSocketTransport, SlowReaderHoldsTheServerBack) {
  constexpr int kMessages = 1600;  // more than the kernel buffers
  std::string answer = upgrade(kAccept + kSubprotocol) + std::string("\x82\x04\x20\x02\x00\x00", 6);
  const std::string message = publish("t", std::string(9'997, 'x'));
  for (int i = 0; i < kMessages; ++i) {
    answer.append("\x82\x7E").append(number(static_cast<std::uint16_t>(message.size()))).append(message);
  }
  asio::io_context io;
  FakeServer server(io);
  run(io, [](asio::io_context& on, FakeServer& fake, std::string text) -> asio::awaitable<void> {
    Task<bool> serving(on, fake.serve(std::move(text)));
    Options options = options_for(fake.url(""));
    options.receive_queue_size = 20'000;
    {
      Client client(on.get_executor(), std::move(options));
      const auto up = co_await client.connect();
      CO_ASSERT_OK(up);
      asio::steady_timer pause(on, 100ms);
      co_await pause.async_wait(asio::use_awaitable);
      EXPECT_FALSE(fake.answered);
      EXPECT_LT(client.statistics().bytes_received, 200'000U);
      for (int i = 0; i < kMessages; ++i) {
        const auto next = co_await client.receive();
        CO_ASSERT_OK(next);
        EXPECT_EQ(next->payload.size(), 9'997U);
      }
    }
    co_await serving.get();
    EXPECT_TRUE(fake.answered);
  }(io, server, std::move(answer)));
}

TEST(WebSocketHandshake, PlainMqttListenerIsNotMistakenForWebSocket) {
  Mosquitto broker;
  asio::io_context io;
  run(io, [](asio::io_context& on, Options options) -> asio::awaitable<void> {
    const auto text = co_await round_trip(on, std::move(options));
    CO_ASSERT(!text);  // closed or reset, as the broker's kernel likes
    EXPECT_NE(text.error().message().find("during the WebSocket handshake"), std::string::npos)
        << text.error().message();
  }(io, options_for(broker.url("ws"))));
}

// --- mosquitto

// A mosquitto 2.0.11 with WebSocket listeners alone does not start.
constexpr char kListener[] = "allow_anonymous true\nprotocol websockets\nlistener 0 %d/also.sock\n";

TEST(WebSocketMosquitto, MessageGoesRound) {
  Mosquitto broker(kListener);
  asio::io_context io;
  expect_round_trip(io, options_for(broker.url("ws")));
}

TEST(WebSocketMosquitto, RefusesAnUnfitTargetInTheUrl) {
  Options options;
  for (const char* url : {"ws://h/a b", "ws://h/a\r\nX: y", "ws://h/\xC3\xA4", "ws://h/a#b"}) {
    EXPECT_FALSE(options.add_url(url)) << url;
  }
}

class WebSocketSecure : public ::testing::Test {
 protected:
  Options options() {
    Options made = options_for(broker.url("wss"));
    made.tls.ca_file = files / "ca.crt";
    return made;
  }
  Certificates files;
  Mosquitto broker{files, Certificates::listener() + "protocol websockets\nlistener 0 %d/also.sock\n"};
  asio::io_context io;
};

TEST_F(WebSocketSecure, MessageGoesRound) { expect_round_trip(io, options()); }

TEST_F(WebSocketSecure, UntrustedCertificateIsRefused) {
  Options wrong = options();
  wrong.tls.ca_file = files / "stranger.crt";
  expect_error(io, wrong, Errc::certificate_untrusted, "certificate not trusted");
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 % 251);
  return text;
}

asio::awaitable<void> expect_sent(Client& from, Client& to, std::size_t size) {
  const auto subscribed = co_await to.subscribe("t", QoS::at_least_once);
  CO_ASSERT_OK(subscribed);
  const auto published = co_await from.publish("t", pattern(size), {.qos = QoS::at_least_once});
  CO_ASSERT_OK(published);
  const auto message = co_await to.receive();
  CO_ASSERT_OK(message);
  EXPECT_TRUE(message->text() == pattern(size));
  const auto left = co_await to.unsubscribe("t");
  CO_ASSERT_OK(left);
}

// Towards the client smaller ones: mosquitto 2.0.11 passes what does not fit the socket to a WebSocket at
// some 40 kB a second.
asio::awaitable<void> large_there_and_back(asio::io_context& on, Options there, std::string other) {
  Client near(on.get_executor(), std::move(there));
  const auto up = co_await near.connect();
  CO_ASSERT_OK(up);
  Client far(on.get_executor(), options_for(other));
  const auto also = co_await far.connect();
  CO_ASSERT_OK(also);
  for (int i = 0; i < 3; ++i) co_await expect_sent(near, far, 1'000'000);
  for (int i = 0; i < 3; ++i) co_await expect_sent(far, near, 30'000);
}

TEST(WebSocketMosquitto, LargeMessagesSurviveTheirFrames) {
  TemporaryFolder folder;
  Mosquitto broker(folder, kListener);
  asio::io_context io;
  run(io, large_there_and_back(io, options_for(broker.url("ws")), "unix://" + (folder / "also.sock")));
}

TEST_F(WebSocketSecure, LargeMessagesSurviveTheirFrames) {
  run(io, large_there_and_back(io, options(), "unix://" + (files / "also.sock")));
}

TEST(WebSocketMosquitto, BurstOfSmallPacketsArrivesWholeWithoutFurtherTraffic) {
  Mosquitto broker(kListener);
  asio::io_context io;
  expect_burst(io, options_for(broker.url("ws")));
}

TEST_F(WebSocketSecure, BurstOfSmallPacketsArrivesWholeWithoutFurtherTraffic) { expect_burst(io, options()); }

TEST(WebSocketMosquitto, ClientComesBackWhenTheBrokerDoes) {
  Mosquitto broker(kListener);
  asio::io_context io;
  run(io, [](asio::io_context& on, Mosquitto& server) -> asio::awaitable<void> {
    Client client(on.get_executor(), options_for(server.url("ws")));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    const auto granted = co_await client.subscribe("t", QoS::at_least_once);
    CO_ASSERT_OK(granted);
    server.kill();
    const bool down = co_await eventually(on, [&] { return !client.connected(); });
    EXPECT_TRUE(down);
    server.start();
    const bool back = co_await eventually(on, [&] { return client.connected(); });
    EXPECT_TRUE(back);
    const auto published = co_await client.publish("t", "again", {.qos = QoS::at_least_once});
    CO_ASSERT_OK(published);
    const auto message = co_await client.receive();
    CO_ASSERT_OK(message);
    EXPECT_EQ(message->text(), "again");
    co_await client.disconnect();
  }(io, broker));
}

}  // namespace
}  // namespace mqboard::mqtt
