// A broker that says exactly what a test tells it to, over a real socket on 127.0.0.1:
//
//   auto peer = co_await broker.accept();
//   co_await peer.expect(Packet::connect());
//   co_await peer.send(connack());
//   co_await peer.expect(publish("t", "hello", {.qos = 1, .id = 1}));
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace mqboard::mqtt::testing {

namespace asio = boost::asio;

// --- Packets of 3.1.1 as bytes, spelled independently of the library's encoder.
std::string packet(unsigned first_byte, std::string_view body);
std::string text(std::string_view value);  // two length bytes and the text
std::string number(std::uint16_t value);   // two bytes

std::string connack(bool session_present = false, std::uint8_t code = 0);
struct PublishFlags {
  unsigned qos = 0;
  std::uint16_t id = 0;
  bool dup = false;
  bool retain = false;
};
std::string publish(std::string_view topic, std::string_view payload, PublishFlags flags = {});
std::string puback(std::uint16_t id);
std::string pubrec(std::uint16_t id);
std::string pubrel(std::uint16_t id);
std::string pubcomp(std::uint16_t id);
std::string subscribe(std::uint16_t id, std::string_view filter, unsigned qos);
std::string suback(std::uint16_t id, std::uint8_t code);
std::string unsubscribe(std::uint16_t id, std::string_view filter);
std::string unsuback(std::uint16_t id);
std::string pingreq();
std::string pingresp();
std::string disconnect();

// Hex, for failure messages.
std::string hex(std::string_view bytes);

// One accepted connection.
class Peer {
 public:
  explicit Peer(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  // The next packet, whole. Empty when the connection has ended.
  asio::awaitable<std::string> next_packet();
  // The next packet is exactly this one.
  asio::awaitable<void> expect(std::string packet);
  // The next packet is a CONNECT; its connect flags are returned.
  asio::awaitable<std::uint8_t> expect_connect();
  asio::awaitable<void> expect_end();
  asio::awaitable<void> send(std::string bytes);

  void close();
  void reset();  // RST instead of FIN
  // Bytes that have arrived and that no expect has taken yet.
  std::size_t available();

 private:
  asio::awaitable<bool> fill(std::size_t bytes);

  asio::ip::tcp::socket socket_;
  std::string received_;
};

class ScriptedBroker {
 public:
  explicit ScriptedBroker(asio::io_context& io);

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] std::string url() const;
  asio::awaitable<Peer> accept();
  // accept, CONNECT, CONNACK.
  asio::awaitable<Peer> welcome(bool session_present = false);
  void stop_listening() { acceptor_.close(); }

 private:
  asio::ip::tcp::acceptor acceptor_;
};

}  // namespace mqboard::mqtt::testing
