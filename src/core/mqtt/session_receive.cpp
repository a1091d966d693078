// What the server sends, and how the session reacts to it: one row and one handler per packet type.
#include <utility>

#include "core/mqtt/decoder.hpp"
#include "core/mqtt/reason_table.hpp"
#include "core/mqtt/session_parts.hpp"

namespace mqboard::mqtt {

// Which packets a client accepts. 3.1.1 and 5.0 differ in rows 14 and 15 only.
struct Session::Parts::PacketRow {
  Violation on_v3;  // none: accepted
  Violation on_v5;
  Handler handler;
};

const Session::Parts::PacketRow Session::Parts::kPacketRows[16] = {
    {Violation::packet_type, Violation::packet_type, nullptr},
    {Violation::direction, Violation::direction, nullptr},  // CONNECT
    {Violation::none, Violation::none, &Parts::on_connack},
    {Violation::none, Violation::none, &Parts::on_publish},
    {Violation::none, Violation::none, &Parts::on_puback},
    {Violation::none, Violation::none, &Parts::on_pubrec},
    {Violation::none, Violation::none, &Parts::on_pubrel},
    {Violation::none, Violation::none, &Parts::on_pubcomp},
    {Violation::direction, Violation::direction, nullptr},  // SUBSCRIBE
    {Violation::none, Violation::none, &Parts::on_filters_answered},
    {Violation::direction, Violation::direction, nullptr},  // UNSUBSCRIBE
    {Violation::none, Violation::none, &Parts::on_filters_answered},
    {Violation::direction, Violation::direction, nullptr},  // PINGREQ
    {Violation::none, Violation::none, &Parts::on_pingresp},
    {Violation::disconnect_from_server, Violation::none, &Parts::on_disconnect},
    {Violation::packet_type, Violation::none, &Parts::on_auth},
};

std::optional<Event> Session::Parts::poll(Bytes& input, TimePoint now) {
  settle_automatic_ack(now);
  if (input.size() > unread && in_use()) {  // not what waited already
    last_received = now;
    unanswered_since = kNever;
  }
  const bool was_blocked = blocked;
  blocked = false;
  pump(now);
  std::optional<Event> event = pending_event();
  while (!event && in_use()) {
    const Frame frame = framer.peek(input);
    if (frame.kind == Frame::Kind::none || !handle(frame, now, event)) break;
    framer.consume(input);
    if (event) break;
    // At once: what we send, and when we hold the server back, does not depend on how its bytes came.
    pump(now);
    event = pending_event();
  }
  // Not behind a CONNACK: what the owner submits on hearing of it goes ahead of the publishes that waited.
  if (event && !std::holds_alternative<event::Connected>(*event)) pump(now);
  if (was_blocked && !blocked) clock_floor = now;
  unread = input.size();
  return event;
}

std::optional<Event> Session::Parts::pending_event() {
  if (aborted_due) {
    aborted_due = false;
    return event::MessageAborted{};
  }
  if (lost_due) {
    const event::SessionLost lost = *lost_due;
    lost_due.reset();
    return lost;
  }
  if (!reports.empty()) {
    Slot& slot = slots[reports.head()];
    const Token token = slot.token();
    const std::optional<mqtt::Failure> why = slot.why;
    release_slot(slot);
    if (why) return event::Failed{token, *why};
    return event::Published{token};
  }
  if (closed_due) {
    const event::Closed closed = *closed_due;
    closed_due.reset();
    return closed;
  }
  return std::nullopt;
}

bool Session::Parts::handle(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  if (frame.kind == Frame::Kind::malformed) return violated(frame.violation, now), true;
  if (frame.kind == Frame::Kind::body) return on_body(frame, now, out_event);
  const PacketRow& row = kPacketRows[frame.first >> 4];
  const Violation refused = wire_in.v5() ? row.on_v5 : row.on_v3;
  if (refused != Violation::none) return violated(refused, now), true;
  const bool opening = frame.type() == PacketType::connack || frame.type() == PacketType::auth;
  if (phase == Phase::connecting && !opening) return violated(Violation::first_packet, now), true;
  return (this->*row.handler)(frame, now, out_event);
}

void Session::Parts::violated(Violation violation, TimePoint now) {
  close(CloseCause::violation, info(violation).reason, now, violation);
}

bool Session::Parts::accept(Violation violation, TimePoint now) {
  if (violation == Violation::none) return true;
  violated(violation, now);
  return false;
}

template<class Form>
bool Session::Parts::read(const Frame& frame, TimePoint now, Form& packet) {
  return read_with(read_fields<Form>, frame, now, &packet);
}

bool Session::Parts::read_with(FieldReader fields, const Frame& frame, TimePoint now, void* packet) {
  return accept(decode_with(fields, packet, frame.type(), frame.first, frame.bytes, wire_in), now);
}

// --- Connection

void Session::Parts::negotiate(const Connack& connack) {
  for (PropertyView rest = connack.properties; const auto property = rest.next();) {
    const std::uint32_t number = property->number;
    const auto number16 = static_cast<std::uint16_t>(number);
    switch (property->id) {
      case PropertyId::server_keep_alive:
        negotiated.keep_alive_s = number16;
        break;
      case PropertyId::receive_maximum:
        negotiated.receive_maximum = number16;
        break;
      case PropertyId::topic_alias_maximum:
        negotiated.topic_alias_maximum = number16;
        break;
      case PropertyId::maximum_packet_size:
        negotiated.maximum_packet_bytes = number;
        break;
      case PropertyId::session_expiry_interval:
        negotiated.session_expiry_s = number;
        break;
      case PropertyId::maximum_qos:
        negotiated.maximum_qos = static_cast<QoS>(number);
        break;
      case PropertyId::retain_available:
        negotiated.retain = number != 0;
        break;
      case PropertyId::wildcard_subscription_available:
        negotiated.wildcard_subscriptions = number != 0;
        break;
      case PropertyId::subscription_identifier_available:
        negotiated.subscription_identifiers = number != 0;
        break;
      case PropertyId::shared_subscription_available:
        negotiated.shared_subscriptions = number != 0;
        break;
      default:
        break;
    }
  }
  aliases_out.reset(negotiated.topic_alias_maximum);
}

bool Session::Parts::on_connack(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  if (phase == Phase::connected) return violated(Violation::second_connack, now), true;
  Connack packet;
  if (!read(frame, now, packet)) return true;
  if (packet.reason != ReasonCode::success) {
    phase = Phase::over;
    out_event.emplace(event::Closed{CloseCause::refused, packet.reason, Violation::none, packet.properties});
    return true;
  }
  const auto method = packet.properties.text(PropertyId::authentication_method);
  if (method && !is_our_method(method)) {
    return violated(Violation::authentication, now), true;
  }
  if (packet.session_present && clean_start) return violated(Violation::session_present, now), true;
  if (packet.session_present && !has_session && !adopt_session && wire_in.v5()) {
    close(CloseCause::session_mismatch, ReasonCode::protocol_error, now);
    return true;
  }
  negotiate(packet);
  phase = Phase::connected;
  if (!packet.session_present && !clean_start) session_lost();  // which may close, when records stay
  has_session = true;
  clock_floor = now;
  out_event.emplace(event::Connected{packet.session_present, packet.properties});
  return true;
}

bool Session::Parts::on_disconnect(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  ReasonOnly packet;
  if (!read(frame, now, packet)) return true;
  phase = Phase::over;
  out_event.emplace(event::Closed{CloseCause::server, packet.reason, Violation::none, packet.properties});
  return true;
}

bool Session::Parts::on_auth(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  ReasonOnly packet;
  if (!read(frame, now, packet)) return true;
  const auto method = packet.properties.text(PropertyId::authentication_method);
  const bool in_turn = is_our_method(method) && packet.reason != ReasonCode::reauthenticate &&
                       (phase == Phase::connected || packet.reason == ReasonCode::continue_authentication);
  if (!in_turn) return violated(Violation::authentication, now), true;
  answer_allowed = packet.reason == ReasonCode::continue_authentication;
  connect_started = now;
  out_event.emplace(event::Auth{packet.reason, packet.properties});
  return true;
}

bool Session::Parts::on_pingresp(const Frame& frame, TimePoint now, std::optional<Event>&) {
  Pingresp packet;
  if (read(frame, now, packet)) ping_outstanding = false;
  return true;
}

// --- Messages from the server

// Completes the topic of a message that has an alias, or has none.
Violation Session::Parts::resolve_alias(Publish& packet) {
  const auto alias = packet.properties.number(PropertyId::topic_alias);
  if (!alias) return packet.topic.empty() ? Violation::topic_name : Violation::none;
  const auto number = static_cast<std::uint16_t>(*alias);
  if (!packet.topic.empty())
    return aliases_in.define(number, packet.topic) ? Violation::none : Violation::topic_alias;
  packet.topic = aliases_in.topic(number);
  return packet.topic.empty() ? Violation::topic_alias : Violation::none;
}

// Whether the message may come in now, and whether the application gets to see it: a QoS 2 message that it
// has seen already is acknowledged without it [MQTT-4.3.3-10].
bool Session::Parts::admit(const Publish& packet, TimePoint now, bool& deliver) {
  deliver = true;
  if (packet.qos == QoS::at_most_once) return true;
  PendingAck owed{
      .packet_id = packet.packet_id, .qos = packet.qos, .connection = connection, .arrived = true};
  bool* counted = &owed.counted;
  bool known_pending = false;
  if (packet.qos == QoS::exactly_once) {
    if (TakenId* taken = inbound.taken(packet.packet_id)) {
      deliver = false;
      owed.acknowledged = true;
      counted = &taken->counted;
    } else if (PendingAck* pending = inbound.arrived_again(packet.packet_id)) {
      deliver = false;
      known_pending = true;
      pending->arrived = true;
      counted = &pending->counted;
    }
  }
  if (!*counted && wire_in.v5() && receive_quota_used == limits.receive_window) {
    violated(Violation::receive_maximum, now);
    deliver = false;
    return true;
  }
  if (!known_pending && inbound.full()) {
    blocked = true;
    return false;
  }
  if (!*counted) ++receive_quota_used;
  *counted = true;
  if (!known_pending) inbound.push(owed);
  return true;
}

bool Session::Parts::on_publish(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  Publish packet;
  if (!accept(decode_publish(frame.first, frame.bytes, wire_in, packet), now)) return true;
  if (packet.topic.empty() || !packet.properties.empty()) {
    const Violation violation = resolve_alias(packet);
    if (violation != Violation::none) return violated(violation, now), true;
  }
  bool deliver = true;
  if (!admit(packet, now, deliver)) return false;
  if (phase == Phase::over) return true;
  inside_message = frame.missing != 0;
  discarding_body = inside_message && !deliver;
  body_offset = static_cast<std::uint32_t>(packet.payload.size());
  if (!deliver) return true;
  const AckHandle handle{packet.packet_id, packet.packet_id == 0 ? 0 : connection};
  (inside_message ? arriving : automatic_ack) = handle;
  out_event.emplace(event::Message{.topic = packet.topic,
                                   .payload = packet.payload,
                                   .payload_bytes = body_offset + frame.missing,
                                   .qos = packet.qos,
                                   .retain = packet.retain,
                                   .dup = packet.dup,
                                   .ack = handle,
                                   .properties = packet.properties});
  return true;
}

bool Session::Parts::on_body(const Frame& frame, TimePoint, std::optional<Event>& out_event) {
  const std::uint32_t offset = body_offset;
  body_offset += static_cast<std::uint32_t>(frame.bytes.size());
  const bool last = frame.missing == 0;
  const bool deliver = !discarding_body;
  if (deliver) out_event.emplace(event::MessageBody{frame.bytes, offset, last});
  if (!last) return true;
  inside_message = discarding_body = false;
  if (deliver) automatic_ack = std::exchange(arriving, {});
  return true;
}

bool Session::Parts::acknowledge(AckHandle handle, ReasonCode reason, TimePoint now) {
  const bool acknowledged = note_acknowledged(handle, reason, now);
  pump(now);
  return acknowledged;
}

bool Session::Parts::note_acknowledged(AckHandle handle, ReasonCode reason, TimePoint now) {
  if (handle.packet_id == 0 || handle == arriving) return false;
  PendingAck* owed = inbound.find(handle);
  if (owed == nullptr) return false;
  const PacketType type = owed->answer();
  const bool told = wire_out.v5() && reason != ReasonCode::success;
  if (told && !reason_allowed(static_cast<std::uint8_t>(reason), type, Flow::to_server)) return false;
  const bool taken = type == PacketType::pubrec && !is_failure(reason);
  if (taken && !keep_inbound(owed->packet_id)) {
    store_failed(now);
    return false;
  }
  if (taken && !inbound.take_over(owed->packet_id, owed->counted)) {
    forget({RecordKey::Kind::inbound, owed->packet_id});
    violated(Violation::receive_maximum, now);
    return false;
  }
  owed->acknowledged = true;
  owed->reason = reason;
  return true;
}

void Session::Parts::settle_automatic_ack(TimePoint now) {
  const bool settled = config.acknowledge != AckMode::automatic ||
                       note_acknowledged(automatic_ack, ReasonCode::success, now) || in_use();
  if (settled) automatic_ack = {};  // else closed, for want of a record: on the next connection
}

void Session::Parts::settle_inbound_on_loss() {
  settle_automatic_ack(last_received);
  if (inside_message && !discarding_body) {
    aborted_due = true;
    if (arriving.packet_id != 0) inbound.pop_back();
  }
  arriving = {};
  inside_message = discarding_body = false;
  inbound.connection_lost();
}

void Session::Parts::stage_owed_acks(TimePoint now) {
  while (!inbound.empty() && inbound.front().acknowledged) {
    const PendingAck& owed = inbound.front();
    const PacketType type = owed.answer();
    if (owed.arrived && !stage_ack(type, owed.packet_id, owed.reason, now)) return;
    if (owed.counted && (type == PacketType::puback || is_failure(owed.reason))) --receive_quota_used;
    inbound.pop_front();
  }
}

bool Session::Parts::on_pubrel(const Frame& frame, TimePoint now, std::optional<Event>&) {
  Acknowledgement packet;
  if (!read(frame, now, packet)) return true;
  if (inbound.arrived_again(packet.packet_id) != nullptr)
    return violated(Violation::acknowledgement, now), true;
  const TakenId* taken = inbound.taken(packet.packet_id);
  const ReasonCode reason = taken != nullptr ? ReasonCode::success : ReasonCode::packet_identifier_not_found;
  if (out.reserve(8).empty()) return false;
  if (taken != nullptr) {
    // First: after PUBCOMP the server may use the identifier for another message.
    if (!forget({RecordKey::Kind::inbound, packet.packet_id})) return true;
    if (taken->counted) --receive_quota_used;
    inbound.forget(packet.packet_id);
  }
  return stage_ack(PacketType::pubcomp, packet.packet_id, reason, now);
}

// --- Acknowledgements of ours

std::optional<Event> Session::Parts::complete(Slot& slot, ReasonCode reason, PropertyView properties) {
  const Token token = slot.token();
  forget({RecordKey::Kind::outgoing, slot.id});
  release_slot(slot);
  return event::Published{token, reason, properties};
}

bool Session::Parts::on_puback(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  Acknowledgement packet;
  if (!read(frame, now, packet)) return true;
  Slot* slot = slots.find(packet.packet_id);
  if (slot == nullptr) return true;  // acknowledged before: ignored
  if (slot->state != Slot::State::publishing || slot->qos != QoS::at_least_once || !slot->staged) {
    return violated(Violation::acknowledgement, now), true;
  }
  if (slot->lent_out) return false;
  out_event = complete(*slot, packet.reason, packet.properties);
  return true;
}

bool Session::Parts::on_pubrec(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  Acknowledgement packet;
  if (!read(frame, now, packet)) return true;
  Slot* slot = slots.find(packet.packet_id);
  const bool failed = is_failure(packet.reason);
  if (slot == nullptr) {
    if (failed) return true;
    return stage_ack(PacketType::pubrel, packet.packet_id, ReasonCode::packet_identifier_not_found, now);
  }
  if (slot->state == Slot::State::releasing && slot->staged) {  // again: so is the answer [MQTT-4.3.3-4]
    return failed || stage_ack(PacketType::pubrel, packet.packet_id, ReasonCode::success, now);
  }
  const bool expected =
      slot->state == Slot::State::releasing ||
      (slot->state == Slot::State::publishing && slot->qos == QoS::exactly_once && slot->staged);
  if (!expected) return violated(Violation::acknowledgement, now), true;
  if (slot->state == Slot::State::releasing) return true;  // its PUBREL is about to be resent
  if (slot->lent_out) return false;
  if (failed) {
    out_event = complete(*slot, packet.reason, packet.properties);
    return true;
  }
  begin_release(*slot, now);
  return true;
}

void Session::Parts::begin_release(Slot& slot, TimePoint now) {
  const SlotId id = slot.id;
  if (!keep_release(id, order + 1)) return store_failed(now);  // to be answered when PUBREC comes again
  publishes.remove(slots, id);
  store.release(std::exchange(slot.chain, 0));
  slot.payload = slot.record = {};
  slot.state = Slot::State::releasing;
  slot.staged = false;
  slot.sent_at = kNever;
  slot.order = ++order;
  releases.append(slots, id);
  if (next_release == 0) next_release = id;
}

bool Session::Parts::on_pubcomp(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  Acknowledgement packet;
  if (!read(frame, now, packet)) return true;
  Slot* slot = slots.find(packet.packet_id);
  if (slot == nullptr) return true;
  if (slot->state != Slot::State::releasing) return violated(Violation::acknowledgement, now), true;
  // "Not found" comes when an earlier PUBCOMP was lost with its connection: the message has been delivered.
  const bool known = packet.reason != ReasonCode::packet_identifier_not_found;
  out_event = complete(*slot, known ? packet.reason : ReasonCode::success, packet.properties);
  return true;
}

// SUBACK and UNSUBACK. One that answers no outstanding request is ignored.
bool Session::Parts::on_filters_answered(const Frame& frame, TimePoint now, std::optional<Event>& out_event) {
  FilterAcknowledgement packet;
  if (!read(frame, now, packet)) return true;
  Slot* slot = slots.find(packet.packet_id);
  if (slot == nullptr) return true;
  const bool suback = frame.type() == PacketType::suback;
  if (slot->state != (suback ? Slot::State::subscribing : Slot::State::unsubscribing)) {
    return violated(Violation::acknowledgement, now), true;
  }
  const bool has_codes = suback || wire_in.v5();
  if (has_codes && packet.reason_codes.size() != slot->filters)
    return violated(Violation::suback_count, now), true;
  const Token token = slot->token();
  release_slot(*slot);
  if (suback) {
    out_event.emplace(event::Subscribed{token, packet.reason_codes, packet.properties});
  } else {
    out_event.emplace(event::Unsubscribed{token, packet.reason_codes, packet.properties});
  }
  return true;
}

}  // namespace mqboard::mqtt
