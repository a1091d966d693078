// What a fuzzed session lives among: a store, a server that reads what it sends, packets of a broker; and its
// events as bytes, to be compared.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <source_location>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/mqtt/decoder.hpp"
#include "core/mqtt/encoder.hpp"
#include "core/mqtt/framer.hpp"
#include "core/mqtt/session.hpp"

namespace mqboard::mqtt::fuzz {

inline void require(bool condition, std::source_location where = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: what is required here does not hold\n", where.file_name(), where.line());
  std::abort();
}

// A store without a heap. What was put is durable at once.
class Records final : public Persistence {
 public:
  bool failing = false;
  bool failed = false;  // at least once: what should have gone may still be there

  void clear() {
    for (Record& record : records_) record.used = false;
    failing = failed = false;
  }

  bool put(RecordKey key, std::span<const Bytes> value) override {
    if (failing) return fail();
    Record* record = find(key);
    for (std::size_t i = 0; record == nullptr; ++i) {
      if (i == kRecords && failed) return false;
      require(i < kRecords);  // never more than the session's limits
      if (!records_[i].used) record = &records_[i];
    }
    record->used = true;
    record->key = key;
    record->size = 0;
    for (const Bytes piece : value) {
      require(piece.size() <= sizeof record->bytes - record->size);
      if (!piece.empty()) std::memcpy(record->bytes + record->size, piece.data(), piece.size());
      record->size += piece.size();
    }
    return true;
  }
  bool erase(RecordKey key) override {
    if (failing) return fail();
    if (Record* record = find(key)) record->used = false;
    return true;
  }
  bool load(Visitor& visitor) override {
    for (const Record& record : records_) {
      if (record.used && !visitor.record(record.key, {record.bytes, record.size})) return false;
    }
    return true;
  }

  // Damages the nth byte of the first record that has one, or mends it again. False: there is none.
  bool damage(std::size_t nth, bool damaged) {
    for (Record& record : records_) {
      if (!record.used || record.size <= nth) continue;
      record.bytes[nth] = static_cast<std::uint8_t>(damaged ? record.bytes[nth] + 1 : record.bytes[nth] - 1);
      return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kRecords = 12;
  bool fail() {
    failed = true;
    return false;
  }
  struct Record {
    bool used = false;
    RecordKey key;
    std::size_t size = 0;
    std::uint8_t bytes[800];
  };
  Record* find(RecordKey key) {
    for (Record& record : records_) {
      if (record.used && record.key == key) return &record;
    }
    return nullptr;
  }
  Record records_[kRecords];
};

// Reads what a client sends on one connection: it must be well-formed, begin with CONNECT and end with
// DISCONNECT.
class Server {
 public:
  void begin(ProtocolVersion version) {
    wire_ = {version, Flow::to_server};
    framer_.reset(wire_, 1000);
    packets_ = 0;
    over_ = false;
  }
  void reads(Bytes bytes) {
    for (;;) {
      const Frame frame = framer_.peek(bytes);
      if (frame.kind == Frame::Kind::none) return;
      require(frame.kind == Frame::Kind::packet && !over_);
      require((frame.type() == PacketType::connect) == (packets_++ == 0));
      check(frame);
      over_ = frame.type() == PacketType::disconnect;
      framer_.consume(bytes);
    }
  }

 private:
  template<class Packet>
  void decodes(const Frame& frame) const {
    Packet packet;
    require(decode(frame.first, frame.bytes, wire_, packet) == Violation::none);
  }
  void check(const Frame& frame) const {
    switch (frame.type()) {
      case PacketType::connect:
        return decodes<Connect>(frame);
      case PacketType::publish:
        return decodes<Publish>(frame);
      case PacketType::puback:
        return decodes<Puback>(frame);
      case PacketType::pubrec:
        return decodes<Pubrec>(frame);
      case PacketType::pubrel:
        return decodes<Pubrel>(frame);
      case PacketType::pubcomp:
        return decodes<Pubcomp>(frame);
      case PacketType::subscribe:
        return decodes<Subscribe>(frame);
      case PacketType::unsubscribe:
        return decodes<Unsubscribe>(frame);
      case PacketType::pingreq:
        return decodes<Pingreq>(frame);
      case PacketType::disconnect:
        return decodes<Disconnect>(frame);
      case PacketType::auth:
        require(wire_.v5());
        return decodes<Auth>(frame);
      default:
        std::abort();  // nothing a client sends
    }
  }

  std::uint8_t buffer_[1000];
  Framer framer_{buffer_};
  Wire wire_;
  unsigned packets_ = 0;
  bool over_ = false;
};

// --- What a broker says

inline Connack connack_with_limits(unsigned detail, std::vector<std::uint8_t>& properties) {
  const auto bit = [detail](unsigned at) { return static_cast<std::uint8_t>(detail >> at & 1); };
  properties = {0x21,   0,    1,      0x22,   0,      bit(0), 0x27,   0,    0,      bit(1),
                50,     0x24, bit(2), 0x25,   bit(3), 0x28,   bit(4), 0x29, bit(5), 0x2A,
                bit(6), 0x13, 0,      bit(7), 0x11,   0,      0,      0,    bit(7)};
  return {.properties = PropertyView{properties}};
}

// One of 16 kinds of packet; `detail` gives its identifier (lowest three bits) and variants of it.
inline Bytes packet_of_broker(unsigned kind, unsigned detail, ProtocolVersion version, MutableBytes room) {
  static const std::uint8_t payload[300] = "of the broker";
  static std::vector<std::uint8_t> properties;
  const Wire wire{version, Flow::to_client};
  const auto id = static_cast<std::uint16_t>(1 + (detail & 7));
  const bool high = (detail & 8) != 0;
  const auto said = [&](const auto& packet) { return Bytes{room.first(encode(packet, wire, room))}; };
  const ReasonCode reason = high && wire.v5() ? ReasonCode::quota_exceeded : ReasonCode::success;
  Publish message{
      .dup = high && kind > 3, .retain = (detail & 16) != 0, .topic = "b", .payload = {payload, 13}};
  const std::uint8_t alias[] = {0x23, 0, static_cast<std::uint8_t>(detail >> 6)};
  if ((detail & 32) != 0) message.properties = PropertyView{alias};
  if ((detail & 0x70) == 0x70) message.topic = {};
  if (kind >= 4) message.packet_id = id;
  switch (kind) {
    case 0:
      return said(Connack{});
    case 1:
      return said(Connack{.session_present = true});
    case 2:
      return said(connack_with_limits(detail, properties));
    case 3:
      return said(message);
    case 4:
      return message.qos = QoS::at_least_once, said(message);
    case 5:
      return message.qos = QoS::exactly_once, said(message);
    case 6:
      message.qos = static_cast<QoS>(detail % 3);
      if (message.qos == QoS::at_most_once) message.dup = false;
      message.payload = payload;
      return said(message);
    case 7:
      return said(Puback{{id, reason, {}}});
    case 8:
      return said(Pubrec{{id, reason, {}}});
    case 9:
      return said(Pubrel{{id, ReasonCode::success, {}}});
    case 10:
      return said(Pubcomp{
          {id, high && wire.v5() ? ReasonCode::packet_identifier_not_found : ReasonCode::success, {}}});
    case 11:
      return said(Suback{{id, {}, {payload + 298, high ? 2u : 1u}}});
    case 12:
      return said(Unsuback{{id, {}, {payload + 298, wire.v5() ? 1u : 0u}}});
    case 13:
      return said(Pingresp{});
    case 14:
      properties = {0x15, 0, 1, 'm'};
      return said(
          Auth{{high ? ReasonCode::success : ReasonCode::continue_authentication, PropertyView{properties}}});
    default:
      return said(Disconnect{{reason, {}}});
  }
}

// --- Events as bytes

template<class Value>
requires std::is_arithmetic_v<Value> || std::is_enum_v<Value>
void add(std::string& log, Value value) { log.append(reinterpret_cast<const char*>(&value), sizeof value); }
inline void add(std::string& log, Bytes bytes) { log += as_text(bytes); }
inline void add(std::string& log, std::string_view text) { log += text; }
inline void add(std::string& log, PropertyView properties) { log += as_text(properties.encoded()); }
inline void add(std::string& log, Token token) { add(log, token.value); }
template<class... Fields>
void add_all(std::string& log, const Fields&... values) {
  (add(log, values), ...);
}

struct EventBytes {
  std::string& log;

  void operator()(const event::Connected& e) const { add_all(log, e.session_present, e.properties); }
  void operator()(const event::SessionLost& e) const { add_all(log, e.republished, e.failed); }
  void operator()(const event::Message& e) const {
    add_all(log, e.topic, e.payload_bytes, e.qos, e.dup, e.retain, e.ack.packet_id, e.properties, e.payload);
  }
  void operator()(const event::MessageBody& e) const { add(log, e.payload); }
  void operator()(const event::MessageAborted&) const {}
  void operator()(const event::Published& e) const { add_all(log, e.token, e.reason, e.properties); }
  void operator()(const event::Subscribed& e) const { add_all(log, e.token, e.reason_codes, e.properties); }
  void operator()(const event::Unsubscribed& e) const { add_all(log, e.token, e.reason_codes, e.properties); }
  void operator()(const event::Failed& e) const { add_all(log, e.token, e.why); }
  void operator()(const event::Auth& e) const { add_all(log, e.reason, e.properties); }
  void operator()(const event::Closed& e) const {
    add_all(log, e.cause, e.reason, e.violation, e.properties);
  }
};

// Without the cuts between the pieces of a message.
inline void add(std::string& log, const Event& event) {
  if (!std::holds_alternative<event::MessageBody>(event)) add(log, event.index());
  std::visit(EventBytes{log}, event);
}

}  // namespace mqboard::mqtt::fuzz
