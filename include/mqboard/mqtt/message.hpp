// Messages as they are given to and taken from the client: views that borrow, and one that owns.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>

#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/types.hpp>

namespace mqboard::mqtt {

// A payload borrowed from text or from any contiguous bytes. MQTT payloads are opaque: any length, any
// content.
class Payload {
 public:
  Payload() = default;
  Payload(const char* text) : Payload(std::string_view(text)) {}
  Payload(std::string_view text) : bytes_(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) {}

  template<std::ranges::contiguous_range Range>
  requires(sizeof(std::ranges::range_value_t<Range>) == 1 &&
           !std::same_as<std::remove_cvref_t<Range>, Payload> &&
           !std::convertible_to<const Range&, std::string_view>) Payload(const Range& range)
      : bytes_(reinterpret_cast<const std::uint8_t*>(std::ranges::data(range)), std::ranges::size(range)) {}

  Payload(const std::string& text) : Payload(std::string_view(text)) {}

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Identifies a received message for manual acknowledgement. Valid for the connection it arrived on;
// acknowledging after that does nothing (the broker sends the message again).
struct AckToken {
  std::uint16_t packet_id = 0;  // 0: QoS 0, nothing to acknowledge
  std::uint32_t connection = 0;

  friend bool operator==(const AckToken&, const AckToken&) = default;
};

// A received application message, borrowed from the client: in a handler valid until the handler returns,
// from Client::receive() until the next call of receive() or the end of the client.
struct MessageView {
  std::string_view topic;
  std::span<const std::uint8_t> payload;
  QoS qos = QoS::at_most_once;
  bool retained = false;      // the broker's stored message, sent because of a new subscription
  bool duplicate = false;     // the broker may have sent it before [MQTT-3.3.1-1]
  PropertyView properties{};  // 5.0; borrowed like the rest
  AckToken ack{};

  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

// A message that owns its content: for keeping.
struct Message {
  std::string topic;
  std::string payload;
  QoS qos = QoS::at_most_once;
  bool retained = false;
  bool duplicate = false;
  AckToken ack{};

  Message() = default;
  explicit Message(const MessageView& view)
      : topic(view.topic),
        payload(view.text()),
        qos(view.qos),
        retained(view.retained),
        duplicate(view.duplicate),
        ack(view.ack) {}
};

}  // namespace mqboard::mqtt
