#include "core/mqtt/testing/model_broker.hpp"

#include <algorithm>

#include "core/mqtt/encoder.hpp"

namespace mqboard::mqtt::testing {

int NumberedMessage::number_in(std::string_view payload) {
  int number = 0;
  for (const char letter : payload) {
    if (letter == ':') return number;
    number = number * 10 + (letter - '0');
  }
  return -1;
}

template<class Packet>
void ModelBroker::say(Connection& connection, const Packet& packet) {
  const Wire wire{version_, Flow::to_client};
  Buffer bytes(packet_size(body_size(packet, wire)));
  encode(packet, wire, bytes);
  connection.held.insert(connection.held.end(), bytes.begin(), bytes.end());
}

void ModelBroker::received(Connection& connection, Bytes bytes, std::vector<Connection*> others) {
  state_.session.heard = now;
  while (connection.open) {
    const Frame frame = connection.framer.peek(bytes);
    if (frame.kind == Frame::Kind::none) return;
    if (frame.kind != Frame::Kind::packet) return blame("stream malformed");
    handle(connection, frame, others);
    connection.framer.consume(bytes);
  }
}

void ModelBroker::handle(Connection& connection, const Frame& frame, const std::vector<Connection*>& others) {
  const Wire wire{version_, Flow::to_server};
  const auto read = [&](auto packet, auto&& react) {
    const Violation violation = decode(frame.first, frame.bytes, wire, packet);
    if (violation != Violation::none) return blame("malformed: " + std::string(info(violation).what));
    react(packet);
  };
  if (!connection.connected && frame.type() != PacketType::connect)
    return blame("first packet is not CONNECT");
  switch (frame.type()) {
    case PacketType::connect:
      return read(Connect{}, [&](const Connect& packet) { on_connect(connection, packet, others); });
    case PacketType::publish:
      return read(Publish{}, [&](const Publish& packet) { on_publish(connection, packet); });
    case PacketType::puback:
      return read(Puback{}, [&](const Puback& p) { on_ack(connection, Puback::type, p.packet_id); });
    case PacketType::pubrec:
      return read(Pubrec{}, [&](const Pubrec& p) { on_ack(connection, Pubrec::type, p.packet_id); });
    case PacketType::pubcomp:
      return read(Pubcomp{}, [&](const Pubcomp& p) { on_ack(connection, Pubcomp::type, p.packet_id); });
    case PacketType::pubrel:
      return read(Pubrel{}, [&](const Pubrel& p) { on_pubrel(connection, p.packet_id); });
    case PacketType::subscribe:
      return read(Subscribe{}, [&](const Subscribe& packet) {
        use(connection, packet.packet_id, PacketType::subscribe, false);
        state_.session.subscribed = true;
        connection.owed.push_back({PacketType::suback, packet.packet_id});
      });
    case PacketType::pingreq:
      return say(connection, Pingresp{});
    case PacketType::disconnect:
      connection.open = false;
      return;
    default:
      return blame("unexpected packet");
  }
}

void ModelBroker::end(SessionState& session) {
  for (const InFlight& message : session.in_flight) dropped.insert(message.message.number);
  for (const NumberedMessage& message : session.queue) dropped.insert(message.number);
  session = {};
}

void ModelBroker::lose_session() {
  end(state_.session);
  end(durable_.session);
}

// Whether the session ended before this CONNECT, or does so by it.
bool ModelBroker::forgets(const Connect& packet) const {
  const SessionState& session = state_.session;
  const bool expired = session.expiry != Millis::max() && now - session.heard > session.expiry;
  return packet.clean_start || session.ends_with_connection || expired;
}

void ModelBroker::on_connect(Connection& connection, const Connect& packet,
                             const std::vector<Connection*>& others) {
  if (connection.connected) return blame("second CONNECT");
  for (Connection* other : others) {
    if (other != &connection && other->open && other->connected) ++seen["connections taken over"];
    other->open = other == &connection;
  }
  connection.connected = true;
  if (forgets(packet)) end(state_.session);
  const bool v5 = version_ == ProtocolVersion::v5;
  const bool present = state_.session.exists;
  const std::uint32_t expiry = packet.properties.number(PropertyId::session_expiry_interval).value_or(0);
  if (!present) ++state_.sessions;
  state_.session.exists = true;
  state_.session.ends_with_connection = v5 ? expiry == 0 : packet.clean_start;
  state_.session.expiry = v5 && expiry != 0xFFFFFFFF ? Millis{expiry * 1000LL} : Millis::max();
  state_.session.heard = now;
  connection.alias_maximum = packet.properties.number(PropertyId::topic_alias_maximum).value_or(0);
  connection.window = packet.properties.number(PropertyId::receive_maximum).value_or(65535);
  if (version_ == ProtocolVersion::v3_1_1) connection.window = 4;
  Properties granted;
  if (receive_maximum_ != 65535) granted.number(PropertyId::receive_maximum, receive_maximum_);
  if (alias_maximum_ != 0) granted.number(PropertyId::topic_alias_maximum, alias_maximum_);
  say(connection, Connack{.session_present = present, .properties = granted});
  for (const InFlight& message : state_.session.in_flight) {
    if (connection.in_flight == connection.window) break;
    transmit(connection, message, true);
  }
}

void ModelBroker::transmit(Connection& connection, const InFlight& message, bool dup) {
  if (message.released) return say(connection, Pubrel{message.packet_id});
  ++connection.in_flight;
  const bool qos1 = message.message.qos == QoS::at_least_once;
  (qos1 ? connection.puback_due : connection.pubrec_due).push_back(message.packet_id);
  const std::string payload = message.message.payload();
  say_message(connection, Publish{.dup = dup,
                                  .qos = message.message.qos,
                                  .topic = message.message.topic,
                                  .packet_id = message.packet_id,
                                  .payload = as_bytes(payload)});
}

// With a topic alias where the client takes one.
void ModelBroker::say_message(Connection& connection, Publish packet) {
  Properties properties;
  if (connection.alias_maximum != 0) {
    const std::uint32_t alias = 1 + static_cast<std::uint8_t>(packet.topic.back()) % connection.alias_maximum;
    std::string& known = connection.aliases_out[alias];
    properties.number(PropertyId::topic_alias, alias);
    packet.properties = properties;
    if (known == packet.topic) {
      packet.topic = {};
      ++seen["topic aliases to the client"];
    } else {
      known = packet.topic;
    }
  }
  say(connection, packet);
}

// The client starts to use a packet identifier.
void ModelBroker::use(Connection& connection, std::uint16_t packet_id, PacketType type, bool dup) {
  const bool known = state_.session.taken.contains(packet_id);
  if (connection.in_use.contains(packet_id)) blame("packet identifier used twice");
  if (known && !dup) blame("packet identifier of an earlier connection used again");
  connection.in_use[packet_id] = type;
}

void ModelBroker::on_publish(Connection& connection, Publish packet) {
  std::string topic{packet.topic};
  if (const auto alias = packet.properties.number(PropertyId::topic_alias)) {
    if (*alias == 0 || *alias > alias_maximum_) blame("topic alias out of range");
    std::string& known = connection.aliases_in[*alias];
    if (!topic.empty()) known = topic;
    if (topic.empty()) ++seen["topic aliases to the broker"];
    topic = known;
  }
  if (topic.empty()) return blame("no topic");
  const int number = NumberedMessage::number_in(as_text(packet.payload));
  if (number <= connection.highest_number) blame("message overtaken, or sent twice on one connection");
  connection.highest_number = number;
  const std::size_t prefix = std::to_string(number).size() + 1;
  const NumberedMessage message{number, topic, packet.qos, packet.payload.size() - prefix};
  if (packet.qos == QoS::at_most_once) return state_.accepted.push_back(message);
  use(connection, packet.packet_id, PacketType::publish, packet.dup);
  connection.in_window.insert(packet.packet_id);
  if (connection.in_window.size() > receive_maximum_) blame("receive maximum exceeded");
  if (connection.in_window.size() == receive_maximum_) ++seen["receive maximum used up by the client"];
  if (packet.dup) ++seen["messages sent again"];
  const bool qos1 = packet.qos == QoS::at_least_once;
  if (qos1 || state_.session.taken.insert(packet.packet_id).second) state_.accepted.push_back(message);
  connection.owed.push_back({qos1 ? PacketType::puback : PacketType::pubrec, packet.packet_id});
}

void ModelBroker::on_pubrel(Connection& connection, std::uint16_t packet_id) {
  if (!connection.in_use.contains(packet_id)) ++seen["PUBREL sent again"];
  state_.session.taken.erase(packet_id);
  connection.in_use[packet_id] = PacketType::publish;
  connection.owed.push_back({PacketType::pubcomp, packet_id});
}

void ModelBroker::send_owed(Connection& connection, std::size_t most) {
  for (; most != 0 && !connection.owed.empty(); --most) {
    const Connection::Owed owed = connection.owed.front();
    connection.owed.pop_front();
    const bool last = owed.type != PacketType::pubrec;
    if (last) connection.in_use.erase(owed.packet_id), connection.in_window.erase(owed.packet_id);
    const std::uint8_t granted[] = {2};
    switch (owed.type) {
      case PacketType::puback:
        say(connection, Puback{owed.packet_id});
        break;
      case PacketType::pubrec:
        say(connection, Pubrec{owed.packet_id});
        break;
      case PacketType::pubcomp:
        say(connection, Pubcomp{owed.packet_id});
        break;
      default:
        say(connection, Suback{owed.packet_id, {}, granted});
        break;
    }
  }
}

// An acknowledgement of the client for a message of ours.
void ModelBroker::on_ack(Connection& connection, PacketType type, std::uint16_t packet_id) {
  auto& in_flight = state_.session.in_flight;
  const auto at = std::find_if(in_flight.begin(), in_flight.end(), [packet_id](const InFlight& message) {
    return message.packet_id == packet_id;
  });
  if (at == in_flight.end()) return blame("acknowledgement of an unknown message");
  if (type != PacketType::pubcomp) {
    auto& due = type == PacketType::puback ? connection.puback_due : connection.pubrec_due;
    if (due.empty() || due.front() != packet_id) return blame("acknowledgements out of order");
    due.pop_front();
  }
  if (type == PacketType::pubrec) {
    if (at->message.qos != QoS::exactly_once) return blame("PUBREC for QoS 1");
    at->released = true;
    return say(connection, Pubrel{packet_id});
  }
  if ((type == PacketType::puback) != (at->message.qos == QoS::at_least_once))
    return blame("wrong acknowledgement");
  if (type == PacketType::pubcomp && !at->released) return blame("PUBCOMP without PUBREL");
  in_flight.erase(at);
  if (connection.in_flight != 0) --connection.in_flight;
  deliver(connection);
}

void ModelBroker::publish(const NumberedMessage& message) {
  if (state_.session.subscribed) state_.session.queue.push_back(message);
}

void ModelBroker::deliver(Connection& connection) {
  SessionState& session = state_.session;
  while (!session.queue.empty() && connection.connected && connection.open &&
         session.in_flight.size() < connection.window) {
    if (session.in_flight.size() + 1 == connection.window) ++seen["receive maximum used up by the broker"];
    const NumberedMessage message = session.queue.front();
    session.queue.pop_front();
    if (message.qos == QoS::at_most_once) {
      const std::string payload = message.payload();
      say_message(connection, Publish{.topic = message.topic, .payload = as_bytes(payload)});
      continue;
    }
    do {
      session.last_id =
          session.last_id == 60 ? std::uint16_t{1} : static_cast<std::uint16_t>(session.last_id + 1);
    } while (std::any_of(session.in_flight.begin(), session.in_flight.end(),
                         [&](const InFlight& other) { return other.packet_id == session.last_id; }));
    session.in_flight.push_back({session.last_id, message, false});
    transmit(connection, session.in_flight.back(), false);
  }
}

void ModelBroker::commit(std::vector<Connection*> connections) {
  durable_ = state_;
  for (Connection* connection : connections) {
    connection->out.insert(connection->out.end(), connection->held.begin(), connection->held.end());
    connection->held.clear();
  }
}

void ModelBroker::crash(std::vector<Connection*> connections) {
  state_ = durable_;
  for (Connection* connection : connections) {
    connection->open = false;
    connection->held.clear();
  }
}

}  // namespace mqboard::mqtt::testing
