// What a peer can do wrong on the wire, each with the clause it breaks. A violation ends the connection
// (section 4.13 of 5.0, section 4.8 of 3.1.1).
#pragma once

#include <cstdint>
#include <string_view>

#include <mqboard/mqtt/reason_code.hpp>

namespace mqboard::mqtt {

enum class Violation : std::uint8_t {
  none,
  remaining_length,       // a variable byte integer longer than four bytes or not the shortest form
  packet_type,            // type 0, or AUTH on 3.1.1
  fixed_header_flags,     // reserved flag bits
  direction,              // a packet this side never receives
  truncated,              // a field reaches beyond the end of its packet
  trailing_bytes,         // bytes left after the last field
  utf8,                   // ill-formed text
  utf8_null,              // text containing U+0000
  qos,                    // both QoS bits set
  dup_on_qos0,            // DUP on a QoS 0 PUBLISH
  packet_id_zero,         // packet identifier 0
  topic_name,             // empty, or with a wildcard
  topic_filter,           // empty or ill-formed filter
  no_filters,             // SUBSCRIBE or UNSUBSCRIBE without one
  subscription_options,   // reserved bits, QoS 3, retain handling 3, no-local on a shared subscription
  reason_code,            // a reason or return code this packet cannot carry
  connack_flags,          // reserved bits, or session present with a refusal
  connect_flags,          // reserved bit, will bits without a will, password without user name (3.1.1)
  protocol_name,          // not "MQTT", or a level this side does not speak
  property_unknown,       // unknown property identifier
  property_not_allowed,   // a property this packet does not have
  property_repeated,      // a property given twice
  property_value,         // outside the property's range
  property_length,        // properties reach beyond their block or the packet
  response_topic,         // response topic with a wildcard
  topic_alias,            // alias 0, beyond the maximum, or never defined
  packet_too_large,       // larger than the announced maximum or than this side can hold
  receive_maximum,        // more unacknowledged QoS 1 and 2 messages than allowed
  first_packet,           // something other than CONNACK (or AUTH) first
  second_connack,         // CONNACK twice
  session_present,        // session present where none can be
  acknowledgement,        // an acknowledgement of the wrong kind for its packet identifier
  suback_count,           // as many reason codes as filters are required
  authentication,         // AUTH out of turn or with another method
  disconnect_from_server  // DISCONNECT from a 3.1.1 server
};

struct ViolationInfo {
  std::string_view what;    // lower case, for logs: "topic name empty or with a wildcard"
  std::string_view clause;  // statement of 5.0 where it has one ("MQTT-3.3.2-2"), else the section
  ReasonCode reason;        // what a 5.0 DISCONNECT says about it
};

[[nodiscard]] const ViolationInfo& info(Violation violation);

}  // namespace mqboard::mqtt
