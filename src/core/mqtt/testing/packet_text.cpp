#include "core/mqtt/testing/packet_text.hpp"

#include <cstdio>

#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt::testing {
namespace {

std::string quoted(Bytes bytes) {
  if (bytes.size() > 40) return "<" + std::to_string(bytes.size()) + ">";
  return "'" + std::string(as_text(bytes)) + "'";
}

std::string hex(unsigned value) {
  char text[8];
  std::snprintf(text, sizeof text, "%02x", value);
  return text;
}

std::string of(PropertyView view) {
  std::string text;
  for (PropertyView rest = view; const auto property = rest.next();) {
    text += text.empty() ? " {" : " ";
    text += hex(static_cast<unsigned>(property->id)) + "=";
    if (!property->name.empty()) text += std::string(property->name_text()) + ":";
    text += property->bytes.data() != nullptr ? quoted(property->bytes) : std::to_string(property->number);
  }
  return text.empty() ? text : text + "}";
}

std::string of(ReasonCode reason) {
  return reason == ReasonCode::success ? "" : " " + std::string(describe(reason));
}

std::string id(std::uint16_t number) { return " id=" + std::to_string(number); }

std::string codes(Bytes list) {
  std::string text;
  for (const std::uint8_t code : list) text += " " + hex(code);
  return text;
}

std::string level(QoS qos) { return "qos" + std::to_string(static_cast<int>(qos)); }

std::string body_text(const Connect& p) {
  std::string text =
      "CONNECT v" + std::to_string(static_cast<int>(p.version)) + (p.clean_start ? " clean" : "");
  text += " '" + std::string(p.client_id) + "' keep=" + std::to_string(p.keep_alive_s);
  if (p.user_name) text += " user=" + std::string(*p.user_name);
  if (p.password) text += " password=" + std::string(as_text(*p.password));
  if (p.will) {
    text += " will=" + std::string(p.will->topic) + ":" + quoted(p.will->payload) + " " + level(p.will->qos) +
            (p.will->retain ? " retain" : "") + of(p.will->properties);
  }
  return text + of(p.properties);
}
std::string body_text(const Connack& p) {
  return "CONNACK" + std::string(p.session_present ? " present" : "") + of(p.reason) + of(p.properties);
}
std::string body_text(const Publish& p) {
  std::string text = "PUBLISH";
  if (p.packet_id != 0) text += id(p.packet_id) + " " + level(p.qos);
  text += std::string(p.dup ? " dup" : "") + (p.retain ? " retain" : "") + " " + std::string(p.topic);
  return text + " " + quoted(p.payload) + of(p.properties);
}
std::string body_text(const Subscribe& p, Wire wire) {
  std::string text = "SUBSCRIBE" + id(p.packet_id);
  auto rest = p.filters;
  for (Subscription item; rest.next(wire, item);) {
    text += " " + std::string(item.filter) + ":" + std::to_string(static_cast<int>(item.max_qos));
    if (item.no_local) text += "n";
    if (item.retain_as_published) text += "r";
    if (item.retain_handling != RetainHandling::send)
      text += std::to_string(static_cast<int>(item.retain_handling));
  }
  return text + of(p.properties);
}
std::string body_text(const Unsubscribe& p, Wire wire) {
  std::string text = "UNSUBSCRIBE" + id(p.packet_id);
  auto rest = p.filters;
  for (std::string_view item; rest.next(wire, item);) text += " " + std::string(item);
  return text + of(p.properties);
}
template<class Packet>
std::string simple(const char* name, const Packet& p) {
  std::string text = name;
  if constexpr (requires { p.packet_id; }) text += id(p.packet_id);
  if constexpr (requires { p.reason; }) text += of(p.reason);
  if constexpr (requires { p.reason_codes; }) text += codes(p.reason_codes);
  if constexpr (requires { p.properties; }) text += of(p.properties);
  return text;
}

template<class Packet, class Text>
std::string decoded(std::uint8_t first, Bytes body, Wire wire, Text&& text) {
  Packet packet;
  const Violation violation = decode(first, body, wire, packet);
  return violation == Violation::none ? text(packet) : "! " + std::string(info(violation).what);
}

template<class Packet>
std::string simple_text(const char* name, std::uint8_t first, Bytes body, Wire wire) {
  return decoded<Packet>(first, body, wire, [name](const Packet& p) { return simple(name, p); });
}

}  // namespace

std::string packet_text(std::uint8_t first, Bytes body, Wire wire) {
  const auto plain = [](const auto& p) { return body_text(p); };
  const auto with_wire = [wire](const auto& p) { return body_text(p, wire); };
  switch (static_cast<PacketType>(first >> 4)) {
    case PacketType::connect:
      return decoded<Connect>(first, body, wire, plain);
    case PacketType::connack:
      return decoded<Connack>(first, body, wire, plain);
    case PacketType::publish:
      return decoded<Publish>(first, body, wire, plain);
    case PacketType::puback:
      return simple_text<Puback>("PUBACK", first, body, wire);
    case PacketType::pubrec:
      return simple_text<Pubrec>("PUBREC", first, body, wire);
    case PacketType::pubrel:
      return simple_text<Pubrel>("PUBREL", first, body, wire);
    case PacketType::pubcomp:
      return simple_text<Pubcomp>("PUBCOMP", first, body, wire);
    case PacketType::subscribe:
      return decoded<Subscribe>(first, body, wire, with_wire);
    case PacketType::suback:
      return simple_text<Suback>("SUBACK", first, body, wire);
    case PacketType::unsubscribe:
      return decoded<Unsubscribe>(first, body, wire, with_wire);
    case PacketType::unsuback:
      return simple_text<Unsuback>("UNSUBACK", first, body, wire);
    case PacketType::pingreq:
      return simple_text<Pingreq>("PINGREQ", first, body, wire);
    case PacketType::pingresp:
      return simple_text<Pingresp>("PINGRESP", first, body, wire);
    case PacketType::disconnect:
      return simple_text<Disconnect>("DISCONNECT", first, body, wire);
    case PacketType::auth:
      return simple_text<Auth>("AUTH", first, body, wire);
  }
  return "! type 0";
}

Lines take_packets(Buffer& stream, Wire wire) {
  Lines lines;
  for (;;) {
    if (stream.size() < 2) return lines;
    const Varint length = read_varint(Bytes{stream}.subspan(1));
    if (length.state != Varint::State::complete) return lines;
    const std::size_t header = 1u + length.size;
    if (stream.size() < header + length.value) return lines;
    lines.push_back(packet_text(stream[0], Bytes{stream}.subspan(header, length.value), wire));
    stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(header + length.value));
  }
}

namespace {

struct EventText {
  std::string operator()(const event::Connected& e) const {
    return "connected" + std::string(e.session_present ? " present" : "") + of(e.properties);
  }
  std::string operator()(const event::SessionLost& e) const {
    return "session lost, republished " + std::to_string(e.republished) + " failed " +
           std::to_string(e.failed);
  }
  std::string operator()(const event::Message& e) const {
    std::string text = "message " + std::string(e.topic) + " " + quoted(e.payload);
    if (!e.complete()) text += " of " + std::to_string(e.payload_bytes);
    if (e.qos != QoS::at_most_once) text += " " + level(e.qos);
    return text + (e.retain ? " retain" : "") + (e.dup ? " dup" : "") + of(e.properties);
  }
  std::string operator()(const event::MessageBody& e) const {
    return "body " + std::to_string(e.offset) + "+" + std::to_string(e.payload.size()) +
           (e.last ? " last" : "");
  }
  std::string operator()(const event::MessageAborted&) const { return "message aborted"; }
  std::string operator()(const event::Published& e) const {
    return "published " + std::to_string(e.token.packet_id()) + of(e.reason) + of(e.properties);
  }
  std::string operator()(const event::Subscribed& e) const {
    return "subscribed " + std::to_string(e.token.packet_id()) + codes(e.reason_codes) + of(e.properties);
  }
  std::string operator()(const event::Unsubscribed& e) const {
    return "unsubscribed " + std::to_string(e.token.packet_id()) + codes(e.reason_codes) + of(e.properties);
  }
  std::string operator()(const event::Failed& e) const {
    return "failed " + std::to_string(e.token.packet_id()) + " " + std::string(describe(e.why));
  }
  std::string operator()(const event::Auth& e) const { return "auth" + of(e.reason) + of(e.properties); }
  std::string operator()(const event::Closed& e) const {
    std::string text = "closed, " + std::string(describe(e.cause)) + of(e.reason);
    if (e.violation != Violation::none) text += ", " + std::string(info(e.violation).what);
    return text + of(e.properties);
  }
};

}  // namespace

std::string event_text(const Event& event) { return std::visit(EventText{}, event); }

}  // namespace mqboard::mqtt::testing
