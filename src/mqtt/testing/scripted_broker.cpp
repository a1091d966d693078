#include "mqtt/testing/scripted_broker.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace mqboard::mqtt::testing {

using asio::ip::tcp;

std::string number(std::uint16_t value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xFFU)};
}

std::string text(std::string_view value) {
  return number(static_cast<std::uint16_t>(value.size())) + std::string(value);
}

std::string packet(unsigned first_byte, std::string_view body) {
  std::string bytes(1, static_cast<char>(first_byte));
  std::size_t rest = body.size();
  do {
    const std::size_t digit = rest % 128;
    rest /= 128;
    bytes += static_cast<char>(rest > 0 ? digit | 128U : digit);
  } while (rest > 0);
  return bytes + std::string(body);
}

std::string connack(bool session_present, std::uint8_t code) {
  return packet(0x20, std::string{session_present ? '\1' : '\0', static_cast<char>(code)});
}

std::string publish(std::string_view topic, std::string_view payload, PublishFlags flags) {
  const unsigned first = 0x30U | (flags.dup ? 8U : 0U) | (flags.qos << 1U) | (flags.retain ? 1U : 0U);
  return packet(first, text(topic) + (flags.qos > 0 ? number(flags.id) : "") + std::string(payload));
}

std::string puback(std::uint16_t id) { return packet(0x40, number(id)); }
std::string pubrec(std::uint16_t id) { return packet(0x50, number(id)); }
std::string pubrel(std::uint16_t id) { return packet(0x62, number(id)); }
std::string pubcomp(std::uint16_t id) { return packet(0x70, number(id)); }
std::string subscribe(std::uint16_t id, std::string_view filter, unsigned qos) {
  return packet(0x82, number(id) + text(filter) + static_cast<char>(qos));
}
std::string suback(std::uint16_t id, std::uint8_t code) {
  return packet(0x90, number(id) + static_cast<char>(code));
}
std::string unsubscribe(std::uint16_t id, std::string_view filter) {
  return packet(0xA2, number(id) + text(filter));
}
std::string unsuback(std::uint16_t id) { return packet(0xB0, number(id)); }
std::string pingreq() { return packet(0xC0, ""); }
std::string pingresp() { return packet(0xD0, ""); }
std::string disconnect() { return packet(0xE0, ""); }

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes.substr(0, 200)) {
    const auto value = static_cast<unsigned char>(byte);
    out += "0123456789abcdef"[value >> 4U];
    out += "0123456789abcdef"[value & 15U];
  }
  return out;
}

// --- Peer

asio::awaitable<bool> Peer::fill(std::size_t bytes) {
  while (received_.size() < bytes) {
    char chunk[4096];
    const auto [error, count] =
        co_await socket_.async_read_some(asio::buffer(chunk), asio::as_tuple(asio::use_awaitable));
    if (error) co_return false;
    received_.append(chunk, count);
  }
  co_return true;
}

asio::awaitable<std::string> Peer::next_packet() {
  std::size_t length = 0;
  std::size_t header = 1;
  for (unsigned shift = 0;; shift += 7) {
    const bool there = co_await fill(header + 1);
    if (!there) co_return std::string();
    const auto digit = static_cast<unsigned char>(received_[header++]);
    length |= std::size_t{digit & 127U} << shift;
    if ((digit & 128U) == 0) break;
  }
  const bool whole = co_await fill(header + length);
  if (!whole) co_return std::string();
  std::string taken = received_.substr(0, header + length);
  received_.erase(0, header + length);
  co_return taken;
}

asio::awaitable<void> Peer::expect(std::string expected) {
  const std::string actual = co_await next_packet();
  EXPECT_EQ(hex(actual), hex(expected));
}

asio::awaitable<std::uint8_t> Peer::expect_connect() {
  const std::string actual = co_await next_packet();
  EXPECT_EQ(actual.substr(0, 1), "\x10") << hex(actual);
  const std::size_t at = actual.find("MQTT");
  if (at == std::string::npos || actual.size() < at + 6) {
    ADD_FAILURE() << "not a CONNECT: " << hex(actual);
    co_return 0;
  }
  co_return static_cast<std::uint8_t>(actual[at + 5]);
}

asio::awaitable<void> Peer::expect_end() {
  const std::string actual = co_await next_packet();
  EXPECT_EQ(hex(actual), "") << "the connection should have ended";
}

asio::awaitable<void> Peer::send(std::string bytes) {
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
}

void Peer::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Peer::reset() {
  boost::system::error_code ignored;
  socket_.set_option(tcp::socket::linger(true, 0), ignored);
  socket_.close(ignored);
}

std::size_t Peer::available() { return received_.size() + socket_.available(); }

// --- ScriptedBroker

ScriptedBroker::ScriptedBroker(asio::io_context& io)
    : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

std::string ScriptedBroker::url() const { return "mqtt://127.0.0.1:" + std::to_string(port()); }

asio::awaitable<Peer> ScriptedBroker::accept() {
  tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
  socket.set_option(tcp::no_delay(true));
  co_return Peer(std::move(socket));
}

asio::awaitable<Peer> ScriptedBroker::welcome(bool session_present) {
  Peer peer = co_await accept();
  co_await peer.expect_connect();
  co_await peer.send(connack(session_present));
  co_return peer;
}

}  // namespace mqboard::mqtt::testing
