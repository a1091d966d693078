// Operations of the application, and what of them goes into the out queue when.
#include <algorithm>
#include <utility>

#include "core/mqtt/encoder.hpp"
#include "core/mqtt/session_parts.hpp"

namespace mqboard::mqtt {

template<class Value>
using Outcome = Session::Outcome<Value>;
using Refusal = mqboard::Failure<SessionError>;

namespace {

constexpr std::size_t kCopiedRecordBytes =
    1024;  // larger payloads of restored messages are lent by their record

bool is_lent(const PublishRequest& request) {
  return request.payload_use == PayloadUse::lend && !request.payload.empty();
}

bool has_qos(const Slot& slot) { return slot.qos != QoS::at_most_once; }

}  // namespace

// --- publish()

std::optional<mqtt::Failure> Session::Parts::unacceptable(QoS qos, bool retain,
                                                          std::size_t packet_bytes) const {
  if (packet_bytes > negotiated.maximum_packet_bytes) return mqtt::Failure::packet_too_large;
  if (qos > negotiated.maximum_qos || (retain && !negotiated.retain)) return mqtt::Failure::not_supported;
  return std::nullopt;
}

std::optional<SessionError> Session::Parts::refuse_publish(const PublishRequest& request,
                                                           std::size_t body) const {
  if (!is_topic_name(request.topic)) return SessionError::topic_invalid;
  if (request.qos > QoS::exactly_once) return SessionError::arguments_invalid;
  const PropertyView properties = request.properties;
  if (wire_out.v5() && !properties.empty() &&
      (check_properties(properties.encoded(), PropertyHome::publish_to_server) != Violation::none ||
       properties.number(PropertyId::topic_alias))) {
    return SessionError::properties_invalid;
  }
  if (body > kMaxRemainingLength) return SessionError::too_large;
  const std::size_t copied = 8 + body - (is_lent(request) ? request.payload.size() : 0);  // 8: header, alias
  if (copied > out.ring_size() - out.ring_size() / 8) return SessionError::too_large;
  if (phase != Phase::connected) return std::nullopt;
  const auto why = unacceptable(request.qos, request.retain, packet_size(body));
  if (!why) return std::nullopt;
  return *why == mqtt::Failure::packet_too_large ? SessionError::too_large : SessionError::not_supported;
}

Outcome<Token> Session::Parts::publish(const PublishRequest& request, TimePoint now) {
  const Publish packet{.qos = request.qos,
                       .retain = request.retain,
                       .topic = request.topic,
                       .packet_id = 1,  // any: every identifier takes the same room
                       .payload = request.payload,
                       .properties = request.properties};
  const std::size_t body = body_size(packet, wire_out);
  if (const auto refused = refuse_publish(request, body)) return Refusal{*refused};
  if (request.qos == QoS::at_most_once) {
    const bool at_once = may_send_operations() && next_publish == 0;
    if (at_once && !is_lent(request)) return publish_now(packet, body, now);
    if (!may_send_operations() && config.offline_qos0 == OfflineQos0::refuse) {
      return Refusal{SessionError::not_connected};
    }
  }
  return enqueue(request, packet, body, now);
}

TopicAliases::Choice Session::Parts::choose_alias(Publish& packet,
                                                  std::span<std::uint8_t, 3> property) const {
  if (aliases_out.usable() == 0) return {};
  const TopicAliases::Choice choice = aliases_out.choose(packet.topic);
  if (choice.alias == 0) return choice;
  PropertyWriter writer{property};
  const std::string_view topic = packet.topic;
  packet.own_properties = writer.number(PropertyId::topic_alias, choice.alias).view();
  if (choice.known) packet.topic = {};
  if (!too_large(packet)) return choice;
  packet.own_properties = {};
  packet.topic = topic;
  return {};
}

// QoS 0 with nothing to wait for: from the caller's memory into the out queue.
Outcome<Token> Session::Parts::publish_now(Publish packet, std::size_t body, TimePoint now) {
  if (!room_beside_control(packet_size(body) + 3)) return Refusal{SessionError::no_room};
  const std::string_view topic = packet.topic;
  std::uint8_t property[3];
  const TopicAliases::Choice alias = choose_alias(packet, property);
  if (alias.alias != 0) body = body_size(packet, wire_out);
  if (!stage(packet, body, now)) return Refusal{SessionError::no_room};
  aliases_out.use(alias, topic);
  return Token{};
}

SlotId Session::Parts::take_slot_and_room(std::size_t chain_bytes) {
  while (slots.free_count() == 0 || !store.has_room(chain_bytes)) {
    if (config.offline_qos0 != OfflineQos0::drop_oldest || !drop_oldest_qos0()) return 0;
  }
  return slots.take();
}

Outcome<Token> Session::Parts::enqueue(const PublishRequest& request, const Publish& packet, std::size_t body,
                                       TimePoint now) {
  const bool lent = is_lent(request);
  const std::size_t chain_bytes = body - (lent ? request.payload.size() : 0);
  if (BlockStore::blocks_for(chain_bytes) * Block::kDataBytes > limits.store_bytes + Block::kDataBytes) {
    return Refusal{SessionError::too_large};
  }
  const SlotId id = take_slot_and_room(chain_bytes);
  if (id == 0) return Refusal{SessionError::no_room};
  Slot& slot = slots[id];
  slot.state = Slot::State::publishing;
  slot.qos = request.qos;
  slot.retain = request.retain;
  slot.order = ++order;
  Publish identified = packet;
  identified.packet_id = id;
  BlockStore::ChainWriter chain{store};
  Encoder encoder{wire_out, chain.next(), lent ? PayloadMode::elsewhere : PayloadMode::included, &chain};
  fields(encoder, identified);
  slot.chain = chain.chain();
  slot.chain_bytes = static_cast<std::uint32_t>(chain_bytes);
  if (lent) slot.payload = request.payload;
  if (has_qos(slot) && !keep_publish(slot, identified)) {
    store.release(slot.chain);
    slots.give_back(id);
    return Refusal{SessionError::persistence_failed};
  }
  const Token token = slot.token();
  publishes.append(slots, id);
  if (next_publish == 0) {
    next_publish = id;
    if (aliases_out.usable() != 0) stage_with_alias(slot, identified, now);
  }
  pump(now);
  return token;
}

// Of the messages that wait and were never sent.
bool Session::Parts::drop_oldest_qos0() {
  for (SlotId id = next_publish; id != 0; id = slots[id].next) {
    if (has_qos(slots[id])) continue;
    report_failure(slots[id], mqtt::Failure::dropped);
    return true;
  }
  return false;
}

bool Session::Parts::cancel(Token token) {
  Slot* slot = slots.find(token.packet_id());
  if (slot == nullptr || slot->token() != token) return false;
  if (slot->state != Slot::State::publishing || slot->staged || slot->attempted) return false;
  if (has_qos(*slot)) forget({RecordKey::Kind::outgoing, token.packet_id()});
  release_slot(*slot);
  return true;
}

// --- subscribe() and unsubscribe()

std::optional<SessionError> Session::Parts::refuse_filter(std::string_view filter) const {
  if (!is_topic_filter(filter)) return SessionError::topic_invalid;
  if (phase != Phase::connected) return std::nullopt;
  const bool wildcard = filter.find_first_of("+#") != std::string_view::npos;
  const bool shared = filter.starts_with("$share/");
  const bool supported =
      (!wildcard || negotiated.wildcard_subscriptions) && (!shared || negotiated.shared_subscriptions);
  return supported ? std::nullopt : std::optional{SessionError::not_supported};
}

// `packet_id` is that of `packet`, to be filled in.
Outcome<Token> Session::Parts::request(std::uint16_t& packet_id, const Encodable& packet, std::size_t filters,
                                       TimePoint now) {
  if (!may_send_operations()) return Refusal{SessionError::not_connected};
  if (filters == 0) return Refusal{SessionError::arguments_invalid};
  if (too_large(packet)) return Refusal{SessionError::too_large};
  packet_id = slots.take();
  if (packet_id == 0) return Refusal{SessionError::no_room};
  Slot& slot = slots[packet_id];
  slot.begin = out.appended();
  if (!stage(packet, now)) {
    slots.give_back(packet_id);
    return Refusal{SessionError::no_room};
  }
  const bool subscribe = packet.first >> 4 == static_cast<int>(PacketType::subscribe);
  slot.state = subscribe ? Slot::State::subscribing : Slot::State::unsubscribing;
  slot.end = out.appended();
  slot.staged = true;
  slot.filters = static_cast<std::uint16_t>(filters);
  requests.append(slots, packet_id);
  return slot.token();
}

Outcome<Token> Session::Parts::subscribe(std::span<const Subscription> filters, PropertyView properties,
                                         TimePoint now) {
  for (const Subscription& item : filters) {
    if (const auto refused = refuse_filter(item.filter)) return Refusal{*refused};
    const bool shared_no_local = wire_out.v5() && item.no_local && item.filter.starts_with("$share/");
    if (shared_no_local || item.max_qos > QoS::exactly_once ||
        item.retain_handling > RetainHandling::do_not_send) {
      return Refusal{SessionError::arguments_invalid};
    }
  }
  if (wire_out.v5() && check_properties(properties.encoded(), PropertyHome::subscribe) != Violation::none) {
    return Refusal{SessionError::properties_invalid};
  }
  const bool identified = properties.number(PropertyId::subscription_identifier).has_value();
  if (identified && !negotiated.subscription_identifiers) return Refusal{SessionError::not_supported};
  Subscribe packet{.properties = properties, .filters = {filters, {}}};
  return request(packet.packet_id, packet, filters.size(), now);
}

Outcome<Token> Session::Parts::unsubscribe(std::span<const std::string_view> filters, PropertyView properties,
                                           TimePoint now) {
  for (const std::string_view filter : filters) {
    if (!is_topic_filter(filter)) return Refusal{SessionError::topic_invalid};
  }
  if (wire_out.v5() && check_properties(properties.encoded(), PropertyHome::unsubscribe) != Violation::none) {
    return Refusal{SessionError::properties_invalid};
  }
  Unsubscribe packet{.properties = properties, .filters = {filters, {}}};
  return request(packet.packet_id, packet, filters.size(), now);
}

// --- Into the out queue

std::uint16_t Session::Parts::window() const {
  if (phase == Phase::connected) return std::min(config.send_window, negotiated.receive_maximum);
  return wire_out.v5() ? std::min(config.send_window, config.pipeline_window) : config.send_window;
}

// An eighth of the ring is left to acknowledgements and pings, so that they never wait for room behind
// publishes.
bool Session::Parts::room_beside_control(std::size_t bytes) const {
  return out.ring_used() + bytes <= out.ring_size() - out.ring_size() / 8;
}

// Encodes a packet into the out queue. False: no room.
bool Session::Parts::stage(const Encodable& packet, TimePoint now) {
  return stage(packet, body_size(packet, wire_out), now);
}

bool Session::Parts::stage(const Encodable& packet, std::size_t body, TimePoint now) {
  const MutableBytes room = out.reserve(packet_size(body));
  const std::size_t written = room.empty() ? 0 : encode(packet, body, wire_out, room);
  if (written == 0) return false;
  out.commit(written);
  appended(now);
  return true;
}

void Session::Parts::appended(TimePoint now, bool urgent) {
  if (urgent) urgent_end = out.appended();
  if (stall_since == kNever) stall_since = now;
  if (unanswered_since == kNever) unanswered_since = now;
}

// Sends whatever may be sent now, in order of urgency.
void Session::Parts::pump(TimePoint now) {
  if (phase == Phase::connected) {
    if (!inbound.empty()) stage_owed_acks(now);
    if (next_release != 0) stage_releases(now);
    if (ping_wanted && stage(Pingreq{}, now)) {
      ping_wanted = false;
      ping_outstanding = true;
      ping_end = out.appended();
      ping_sent_at = kNever;
    }
  }
  // A message that cannot be sent may end the connection: its record cannot be forgotten.
  while (next_publish != 0 && may_send_operations() && stage_publish(slots[next_publish], now)) continue;
}

void Session::Parts::stage_releases(TimePoint now) {
  while (next_release != 0) {
    Slot& slot = slots[next_release];
    slot.begin = out.appended();
    if (!stage_ack(PacketType::pubrel, next_release, ReasonCode::success, now)) return;
    slot.end = out.appended();
    slot.staged = true;
    next_release = slot.next;
  }
}

bool Session::Parts::stage_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason, TimePoint now) {
  const MutableBytes room = out.reserve(8);
  if (room.empty()) return false;
  const Acknowledgement packet{packet_id, reason, {}};
  out.commit(encode({type, packet}, wire_out, room));
  appended(now, type == PacketType::pubrel);
  return true;
}

bool Session::Parts::stage_publish(Slot& slot, TimePoint now) {
  if (has_qos(slot) && window_used >= window()) return false;
  return slot.record.empty() ? stage_body(slot, now) : stage_record(slot, now);
}

bool Session::Parts::stage_body(Slot& slot, TimePoint now) {
  const std::size_t body = slot.chain_bytes + slot.payload.size();
  const auto why = unacceptable(slot.qos, slot.retain, packet_size(body));
  if (why && phase == Phase::connected) return report_failure(slot, *why), true;
  const std::size_t header = packet_size(body) - body;
  if (!room_beside_control(header + slot.chain_bytes) || (!slot.payload.empty() && !out.can_lend()))
    return false;
  const MutableBytes room = out.reserve(header + slot.chain_bytes);
  if (room.empty()) return false;
  slot.begin = out.appended();
  room[0] =
      first_byte(PacketType::publish,
                 Publish{.dup = slot.attempted && has_qos(slot), .qos = slot.qos, .retain = slot.retain});
  write_varint(static_cast<std::uint32_t>(body), room.data() + 1);
  store.copy(slot.chain, slot.chain_bytes, room.data() + header);
  out.commit(header + slot.chain_bytes);
  if (!slot.payload.empty()) {
    out.lend(slot.payload, slot.id);
    slot.lent_out = true;
  }
  staged(slot, now);
  return true;
}

bool Session::Parts::stage_record(Slot& slot, TimePoint now) {
  Publish packet;
  std::uint64_t record_order = 0;
  bool releasing = false;
  read_record(slot.record, packet, record_order, releasing);
  packet.packet_id = slot.id;
  packet.dup = slot.attempted;
  const std::size_t size = packet_size(body_size(packet, wire_out));
  const auto why = unacceptable(packet.qos, packet.retain, size);
  if (why && phase == Phase::connected) return report_failure(slot, *why), true;
  return stage_packet(slot, packet, packet.payload.size() > kCopiedRecordBytes || size > out.ring_size() / 2,
                      now);
}

// Only a message that goes out at once gets an alias: the stored form is without, since it may have to be
// resent on another connection.
bool Session::Parts::stage_with_alias(Slot& slot, Publish packet, TimePoint now) {
  if (!may_send_operations() || (has_qos(slot) && window_used >= window()) || !slot.payload.empty())
    return false;
  const std::string_view topic = packet.topic;
  std::uint8_t property[3];
  const TopicAliases::Choice alias = choose_alias(packet, property);
  if (alias.alias == 0) return false;
  if (!stage_packet(slot, packet, false, now)) return false;
  aliases_out.use(alias, topic);
  return true;
}

// Encodes a message from a contiguous form of it, its payload lent or copied.
bool Session::Parts::stage_packet(Slot& slot, const Publish& packet, bool lend, TimePoint now) {
  const std::size_t body = body_size(packet, wire_out);
  const std::size_t copied = packet_size(body) - (lend ? packet.payload.size() : 0);
  if (!room_beside_control(copied) || (lend && !out.can_lend())) return false;
  const MutableBytes room = out.reserve(copied);
  if (room.empty()) return false;
  slot.begin = out.appended();
  out.commit(encode(packet, body, wire_out, room, lend ? PayloadMode::elsewhere : PayloadMode::included));
  if (lend) {
    out.lend(packet.payload, slot.id);
    slot.lent_out = true;
  }
  staged(slot, now);
  return true;
}

// The next of `publishes` is encoded completely.
void Session::Parts::staged(Slot& slot, TimePoint now) {
  appended(now);
  slot.end = out.appended();
  slot.staged = true;
  slot.sent_at = kNever;
  next_publish = slot.next;
  if (has_qos(slot)) {
    slot.counted = true;
    ++window_used;
  } else if (slot.lent_out) {
    publishes.remove(slots, slot.id);
    slot.state = Slot::State::departing;
    departures.append(slots, slot.id);
  } else {
    report(slot);
  }
}

// --- Slots

SlotList& Session::Parts::list_of(const Slot& slot) {
  switch (slot.state) {
    case Slot::State::publishing:
      return publishes;
    case Slot::State::releasing:
      return releases;
    case Slot::State::departing:
      return departures;
    case Slot::State::reporting:
      return reports;
    default:
      return requests;
  }
}

void Session::Parts::unstage(Slot& slot) {
  slot.staged = slot.lent_out = slot.counted = false;
  slot.sent_at = kNever;
}

void Session::Parts::uncount(Slot& slot) {
  if (std::exchange(slot.counted, false)) --window_used;
}

void Session::Parts::release_slot(Slot& slot) {
  const SlotId id = slot.id;
  if (next_publish == id) next_publish = slot.next;
  if (next_release == id) next_release = slot.next;
  list_of(slot).remove(slots, id);
  uncount(slot);
  store.release(slot.chain);
  slots.give_back(id);
}

void Session::Parts::to_reports(Slot& slot) {
  const SlotId id = slot.id;
  if (next_publish == id) next_publish = slot.next;
  if (next_release == id) next_release = slot.next;
  list_of(slot).remove(slots, id);
  uncount(slot);
  store.release(std::exchange(slot.chain, 0));
  slot.payload = slot.record = {};
  slot.state = Slot::State::reporting;
  reports.append(slots, id);
}

void Session::Parts::report(Slot& slot) {
  slot.why.reset();
  to_reports(slot);
}

void Session::Parts::report_failure(Slot& slot, mqtt::Failure why) {
  if (has_qos(slot)) forget({RecordKey::Kind::outgoing, slot.id});
  slot.why = why;
  to_reports(slot);
}

}  // namespace mqboard::mqtt
