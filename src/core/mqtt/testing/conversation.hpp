// Test support: a session and a scripted server in virtual time. Reads as a conversation: the client does,
// expect these packets, the server says, expect these events.
#pragma once

#include <gtest/gtest.h>

#include <array>

#include "core/mqtt/encoder.hpp"
#include "core/mqtt/testing/memory_persistence.hpp"
#include "core/mqtt/testing/packet_text.hpp"

namespace mqboard::mqtt::testing {

class Conversation {
 public:
  explicit Conversation(SessionConfig config = {}, SessionLimits limits = {},
                        Persistence* persistence = nullptr)
      : version(config.version), session(limits, config, persistence) {}

  // --- Client side
  void connect(ConnectOptions options = {}) {
    if (options.client_id.empty()) options.client_id = "c";
    ASSERT_TRUE(session->connect(options, now).has_value());
  }
  // Connects and is accepted, both sides' packets checked away.
  void open(ConnectOptions options = {}, bool session_present = false, PropertyView granted = {}) {
    connect(options);
    const Lines packets = sent_packets();
    ASSERT_FALSE(packets.empty());
    ASSERT_TRUE(packets[0].starts_with("CONNECT")) << packets[0];
    say(Connack{.session_present = session_present, .properties = granted});
  }
  std::string publish(std::string_view topic, std::string_view text, QoS qos = QoS::at_most_once,
                      PublishRequest extra = {}) {
    extra.topic = topic;
    extra.payload = as_bytes(text);
    extra.qos = qos;
    const auto token = session->publish(extra, now);
    return token ? std::to_string(token->packet_id()) : std::string(describe(token.error()));
  }
  void lose() { session->transport_lost(now), input_.clear(), unread_.clear(), wire_.clear(); }
  void wait(Millis time) {
    now += time;
    session->tick(now);
  }

  // Everything the client has to send, taken by the transport.
  Lines sent_packets() {
    flush();
    return take_packets(wire_, {version, Flow::to_server});
  }
  // Takes at most `limit` bytes of what the client has to send.
  void flush(std::size_t limit = SIZE_MAX) {
    std::array<Bytes, 4> list;
    while (limit != 0) {
      const std::size_t used = session->outgoing(list);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < used && taken < limit; ++i) {
        const Bytes piece = list[i].first(std::min(list[i].size(), limit - taken));
        wire_.insert(wire_.end(), piece.begin(), piece.end());
        taken += piece.size();
      }
      if (taken == 0) return;
      limit -= taken;
      session->sent(taken, now);
    }
  }

  // --- Server side
  template<class Packet>
  void say(const Packet& packet) {
    Buffer bytes(packet_size(body_size(packet, {version, Flow::to_client})));
    ASSERT_EQ(encode(packet, {version, Flow::to_client}, bytes), bytes.size());
    say_bytes(bytes);
  }
  void say_bytes(Bytes bytes) { unread_.insert(unread_.end(), bytes.begin(), bytes.end()); }

  // Every event due, the server's bytes given in one piece or one by one.
  Lines events() {
    Lines lines;
    if (byte_by_byte) {
      for (const std::uint8_t byte : std::exchange(unread_, {})) {
        input_.push_back(byte);
        poll_all(lines);
      }
    } else {
      input_.insert(input_.end(), unread_.begin(), unread_.end());
      unread_.clear();
    }
    poll_all(lines);
    return lines;
  }
  // At most one event.
  std::string event() {
    input_.insert(input_.end(), unread_.begin(), unread_.end());
    unread_.clear();
    Bytes rest{input_};
    const auto next = session->poll(rest, now);
    remember(next);
    const std::string text = next ? event_text(*next) : "";
    input_.erase(input_.begin(), input_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    return text;
  }
  [[nodiscard]] std::size_t unread() const { return unread_.size() + input_.size(); }

  ProtocolVersion version;
  TimePoint now{Millis{1'000'000}};
  OwnedSession session;
  bool byte_by_byte = false;
  AckHandle last_ack;
  std::string payload;  // of the latest message, whatever pieces it came in

 private:
  void poll_all(Lines& lines) {
    Bytes rest{input_};
    while (const auto next = session->poll(rest, now)) {
      remember(next);
      lines.push_back(event_text(*next));
      EXPECT_TRUE(session->invariants_hold());
    }
    input_.erase(input_.begin(), input_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  }
  void remember(const std::optional<Event>& event) {
    if (!event) return;
    if (const auto* message = std::get_if<event::Message>(&*event)) {
      last_ack = message->ack;
      payload = as_text(message->payload);
    } else if (const auto* body = std::get_if<event::MessageBody>(&*event)) {
      payload += as_text(body->payload);
    }
  }

  Buffer wire_;    // from the client, not yet looked at
  Buffer unread_;  // from the server, not yet given to the session
  Buffer input_;   // given, not yet consumed
};

}  // namespace mqboard::mqtt::testing
