// What goes into a Session and what comes out of it: limits, options, errors and events. All plain values;
// text, bytes and property views in them are borrowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <variant>

#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/reason_code.hpp>
#include <mqboard/mqtt/types.hpp>

#include "core/base/time.hpp"
#include "core/mqtt/violation.hpp"

namespace mqboard::mqtt {

// Memory of a session, fixed at construction. Session::memory_bytes() says what a set of limits costs.
struct SessionLimits {
  // Publishes, subscribes and unsubscribes that may be outstanding: queued, on the wire or waiting for their
  // acknowledgement. Packet identifiers are 1..outgoing_messages. 1..65535.
  std::uint16_t outgoing_messages = 256;
  // Bytes for topics, properties and copied payloads of outstanding publishes, rounded up to
  // multiples of 124 per message.
  std::uint32_t store_bytes = 64 * 1024;
  // Encoded packets waiting for the transport. Bounds topic + properties + copied payload of one PUBLISH, and
  // one SUBSCRIBE. At least 512.
  std::uint32_t out_bytes = 32 * 1024;
  // Lent payloads that may wait for the transport at once. At least 1.
  std::uint16_t out_segments = 32;
  // A packet that arrived in pieces is put together here. A larger PUBLISH is delivered in pieces, a larger
  // packet of another type ends the connection. At least 128; bounds topic + properties of a PUBLISH.
  std::uint32_t inbound_bytes = 16 * 1024;
  // QoS 1 and 2 messages delivered and not yet acknowledged by the application. Beyond it a 3.1.1 peer is
  // held back (poll() consumes no more input); a 5.0 peer is told this as receive maximum. At least 1.
  std::uint16_t receive_window = 100;
  // Inbound QoS 2 identifiers between PUBREC and PUBREL. On 5.0 the receive maximum keeps them below
  // receive_window anyway; a 3.1.1 server that has more in flight is disconnected. At least 1.
  std::uint16_t inbound_qos2 = 1024;
  // Topic aliases (5.0): offered to the server for its use, and used at most by us. 0 turns them off.
  std::uint16_t topic_aliases_in = 0;
  std::uint16_t topic_aliases_out = 0;
  // The longest topic kept for an alias. A longer one is never given an alias by us; the server doing so ends
  // the connection.
  std::uint16_t topic_alias_bytes = 128;
};

// What becomes of outstanding QoS 1 and 2 publishes when the server (or clean_start) dropped the session they
// belonged to. In both cases event::SessionLost tells.
enum class SessionLostPolicy : std::uint8_t {
  // Send them again as new messages, in order. A QoS 2 message past its PUBREC cannot be sent again: it fails
  // with Failure::session_lost, outcome unknown. Messages may be doubled at the receiver.
  republish,
  // All fail with Failure::session_lost. None is doubled.
  fail,
};

// What publish() does with QoS 0 while there is no connection.
enum class OfflineQos0 : std::uint8_t {
  refuse,      // SessionError::not_connected
  queue,       // keep it as long as there is room, then SessionError::no_room
  drop_oldest  // keep it; drop the oldest queued QoS 0 message for want of room (Failure::dropped). With all
               // slots in use publish() still answers no_room, until poll() has reported the dropped one.
};

enum class AckMode : std::uint8_t {
  automatic,  // a message is acknowledged by the poll() after the one that completed it
  manual      // by acknowledge()
};

// When PINGREQ is sent to find out whether the link is alive, besides what keep alive demands.
enum class LinkCheck : std::uint8_t {
  always,         // nothing received for response_time / 2
  after_sending,  // the same, only if something was sent meanwhile: an idle link stays silent
  keep_alive      // never
};

struct SessionConfig {
  ProtocolVersion version = ProtocolVersion::v3_1_1;
  Millis response_time{10'000};     // an acknowledgement may take this long
  std::uint16_t send_window = 100;  // QoS 1 and 2 publishes on the wire at once; the server may grant fewer
  // QoS 1 and 2 publishes that may follow CONNECT before the server granted its receive maximum (5.0).
  std::uint16_t pipeline_window = 10;
  SessionLostPolicy session_lost = SessionLostPolicy::republish;
  OfflineQos0 offline_qos0 = OfflineQos0::refuse;
  AckMode acknowledge = AckMode::automatic;
  LinkCheck link_check = LinkCheck::always;
};

struct WillView {
  std::string_view topic{};
  Bytes payload{};  // at most 65535 bytes
  QoS qos = QoS::at_most_once;
  bool retain = false;
  PropertyView properties{};  // 5.0: will delay interval, message expiry interval, content type ...

  bool operator==(const WillView& other) const;
};

// Borrowed for the duration of Session::connect().
struct ConnectOptions {
  bool clean_start = true;  // 3.1.1: clean session
  std::uint16_t keep_alive_s = 60;
  std::string_view client_id{};  // may be empty: the server assigns one (3.1.1: only with clean_start)
  std::optional<std::string_view> user_name{};
  std::optional<Bytes> password{};  // 3.1.1: only with a user name
  std::optional<WillView> will{};
  // 5.0, further properties of CONNECT. receive_maximum, maximum_packet_size, topic_alias_maximum and
  // session_expiry_interval are written by the session and may not be among them.
  PropertyView properties{};
  std::uint32_t session_expiry_s = 0;      // 5.0; 0xFFFFFFFF: never
  std::uint32_t maximum_packet_bytes = 0;  // largest packet accepted, told to a 5.0 server; 0: no limit
  // Let SUBSCRIBE, UNSUBSCRIBE and PUBLISH follow CONNECT before CONNACK arrived. Publishes wait all the same
  // when older ones have to be resent first, and with enhanced authentication [MQTT-3.1.2-30].
  bool pipeline = true;
  // Treat an empty local session as a valid one when the server says "session present". Off, a 5.0
  // connection is closed then [MQTT-3.2.2-4].
  bool adopt_session = false;
};

// Names one publish(), subscribe() or unsubscribe() until the event that completes it. Never reused within
// 65535 operations of the same slot. The value 0 means that the operation is complete already and no event
// will follow.
struct Token {
  std::uint32_t value = 0;

  // The packet identifier, 1..outgoing_messages: index your own per-operation data with it. Also given to
  // QoS 0 publishes that wait, which send no identifier.
  [[nodiscard]] std::uint16_t packet_id() const { return static_cast<std::uint16_t>(value); }
  [[nodiscard]] bool completed() const { return value == 0; }
  bool operator==(const Token&) const = default;
};

// Where the payload of publish() lives.
enum class PayloadUse : std::uint8_t {
  copy,  // copied before publish() returns; must fit the limits
  lend   // stays where it is, untouched, until the event that completes the token. Never copied.
};

struct PublishRequest {
  std::string_view topic{};
  Bytes payload{};
  QoS qos = QoS::at_most_once;
  bool retain = false;
  PropertyView properties{};  // 5.0; silently dropped on a 3.1.1 connection
  PayloadUse payload_use = PayloadUse::copy;
};

// Why a call was refused. Nothing has happened then.
enum class SessionError : std::uint8_t {
  not_connected,       // needs a connection
  already_connected,   // connect() while a transport is in use
  no_room,             // out of slots, store or out bytes: try again after an event or sent()
  too_large,           // can never fit: larger than the limits, or than the server's maximum packet size
  topic_invalid,       // topic or filter
  properties_invalid,  // malformed, not allowed here, or reserved to the session
  arguments_invalid,   // e.g. no filter, empty client id without clean_start, will payload too long
  not_supported,       // the server announced that it does not support this QoS, retain, or filter kind
  persistence_failed,  // the Persistence refused a record
  restore_failed       // a stored record is damaged or does not fit the limits
};
[[nodiscard]] std::string_view describe(SessionError error);

// Why an accepted operation will never complete.
enum class Failure : std::uint8_t {
  connection_lost,   // subscribe, unsubscribe, or QoS 0 on the wire: outcome unknown
  session_lost,      // see SessionLostPolicy
  dropped,           // a queued QoS 0 message made room for another
  packet_too_large,  // queued, and the server turned out to accept only smaller packets
  not_supported      // queued, and the server turned out not to support its QoS or retain
};
[[nodiscard]] std::string_view describe(Failure failure);

// Names a received message for acknowledge(). Dead after its connection: the server sends the message again.
struct AckHandle {
  std::uint16_t packet_id = 0;  // 0: QoS 0, nothing to acknowledge
  std::uint32_t connection = 0;
  bool operator==(const AckHandle&) const = default;
};

enum class CloseCause : std::uint8_t {
  refused,            // CONNACK said no: `reason`
  client,             // disconnect(), its DISCONNECT has been sent
  server,             // the server's DISCONNECT: `reason`, `properties` (server reference ...)
  violation,          // the server broke the protocol: `violation`
  response_timeout,   // an acknowledgement, CONNACK or PINGRESP is missing
  stalled,            // the transport took no bytes for 1.5 response times
  session_mismatch,   // session present without a local session [MQTT-3.2.2-4]
  persistence_failed  // the Persistence refused a record the protocol needs
};
[[nodiscard]] std::string_view describe(CloseCause cause);

// What the server granted with CONNACK; the defaults are those of 3.1.1.
struct Negotiated {
  std::uint16_t keep_alive_s = 0;
  std::uint16_t receive_maximum = 65535;
  std::uint16_t topic_alias_maximum = 0;
  std::uint32_t maximum_packet_bytes = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t session_expiry_s = 0;
  QoS maximum_qos = QoS::exactly_once;
  bool retain = true;
  bool wildcard_subscriptions = true;
  bool subscription_identifiers = true;
  bool shared_subscriptions = true;

  bool operator==(const Negotiated&) const = default;
};

namespace event {

// CONNACK accepted us. Outstanding messages are being resent if the session is resumed.
struct Connected {
  bool session_present = false;
  PropertyView properties{};  // assigned client identifier, response information, user properties ...
  bool operator==(const Connected&) const = default;
};

// Outstanding QoS 1 or 2 publishes belonged to a session that is gone: dropped by connect() with clean_start,
// or no longer known to the server (then it follows Connected).
struct SessionLost {
  std::uint16_t republished = 0;
  std::uint16_t failed = 0;  // each also gets its Failed event
  bool operator==(const SessionLost&) const = default;
};

// A message, or its beginning: when payload.size() < payload_bytes the rest follows in MessageBody events,
// with no other event of input in between. An inbound QoS 2 duplicate is never delivered.
struct Message {
  std::string_view topic{};
  Bytes payload{};
  std::uint32_t payload_bytes = 0;
  QoS qos = QoS::at_most_once;
  bool retain = false;
  bool dup = false;
  AckHandle ack{};
  PropertyView properties{};

  [[nodiscard]] bool complete() const { return payload.size() == payload_bytes; }
  bool operator==(const Message& other) const;
};

struct MessageBody {
  Bytes payload{};
  std::uint32_t offset = 0;
  bool last = false;
  bool operator==(const MessageBody& other) const;
};

// The connection ended inside a message: the rest will not come. QoS 1 and 2: the server sends it again.
struct MessageAborted {
  bool operator==(const MessageAborted&) const = default;
};

// PUBACK, PUBCOMP, or a PUBREC that refuses; for QoS 0 the last byte left. A lent payload is free again.
struct Published {
  Token token{};
  ReasonCode reason = ReasonCode::success;  // is_failure(): the server did not take the message (5.0)
  PropertyView properties{};
  bool operator==(const Published&) const = default;
};

struct Subscribed {
  Token token{};
  Bytes reason_codes{};  // one ReasonCode per filter, in order
  PropertyView properties{};
  bool operator==(const Subscribed& other) const;
};

struct Unsubscribed {
  Token token{};
  Bytes reason_codes{};  // 5.0; empty on 3.1.1
  PropertyView properties{};
  bool operator==(const Unsubscribed& other) const;
};

struct Failed {
  Token token{};
  Failure why = Failure::connection_lost;
  bool operator==(const Failed&) const = default;
};

// AUTH from the server (5.0, section 4.12): answer with Session::authenticate() when `reason` is
// continue_authentication; success ends a re-authentication. The final data of an initial authentication is
// in Connected::properties.
struct Auth {
  ReasonCode reason = ReasonCode::success;
  PropertyView properties{};
  bool operator==(const Auth&) const = default;
};

// The protocol is over on this transport: write what outgoing() still holds if that is possible at once,
// close the transport, call transport_lost(). Comes at most once per connection.
struct Closed {
  CloseCause cause = CloseCause::client;
  ReasonCode reason = ReasonCode::success;
  Violation violation = Violation::none;
  PropertyView properties{};
  bool operator==(const Closed&) const = default;
};

}  // namespace event

using Event = std::variant<event::Connected, event::SessionLost, event::Message, event::MessageBody,
                           event::MessageAborted, event::Published, event::Subscribed, event::Unsubscribed,
                           event::Failed, event::Auth, event::Closed>;

}  // namespace mqboard::mqtt
