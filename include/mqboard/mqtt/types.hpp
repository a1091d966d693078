// The words of MQTT that every header of this library shares: quality of service, protocol version,
// subscriptions. Plain values; text and bytes in them are borrowed unless a comment says otherwise.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mqboard {

// A borrowed sequence of bytes: valid as long as the call or the value it came from says.
using Bytes = std::span<const std::uint8_t>;

}  // namespace mqboard

namespace mqboard::mqtt {

// The protocol level of CONNECT (3.1.1 and 5.0, section 3.1.2.2).
enum class ProtocolVersion : std::uint8_t { v3_1_1 = 4, v5 = 5 };

// Delivery guarantee of one message (section 4.3).
enum class QoS : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

// What a server sends of its retained messages when a subscription is made (5.0, section 3.8.3.1). A 3.1.1
// server always behaves as `send`.
enum class RetainHandling : std::uint8_t { send = 0, send_if_new = 1, do_not_send = 2 };

// One topic filter of a SUBSCRIBE. Everything but `filter` and `max_qos` needs MQTT 5.0 and is ignored on a
// 3.1.1 connection.
struct Subscription {
  std::string_view filter{};  // UTF-8, 1..65535 bytes, wildcards as in section 4.7; "$share/group/filter" too
  QoS max_qos = QoS::at_most_once;
  bool no_local = false;  // do not send me what I publish; not allowed on shared subscriptions
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::send;

  bool operator==(const Subscription&) const = default;
};

// Whether `topic` may be published to: UTF-8 without U+0000, 1..65535 bytes, no wildcard (section 4.7.3).
[[nodiscard]] bool is_topic_name(std::string_view topic);

// Whether `filter` may be subscribed to: as above, '+' alone in its level, '#' alone in the last one, a share
// name without '/', '+', '#' (sections 4.7.1 and 4.8.2 of 5.0).
[[nodiscard]] bool is_topic_filter(std::string_view filter);

// Whether a message published to `topic` matches `filter` (section 4.7). Both must be valid. "$share/group/"
// is skipped; a filter starting with a wildcard matches no topic that starts with '$' [MQTT-4.7.2-1].
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);

}  // namespace mqboard::mqtt
