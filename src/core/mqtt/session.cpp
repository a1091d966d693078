#include "core/mqtt/session.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <memory>

#include "core/base/crc32.hpp"
#include "core/mqtt/reason_table.hpp"
#include "core/mqtt/session_parts.hpp"
#include "core/mqtt/text.hpp"

namespace mqboard::mqtt {

using Outcome = Session::Outcome<void>;

Session::Parts::Parts(const SessionLimits& session_limits, const SessionConfig& session_config,
                      const SessionMemory& memory, Persistence* session_persistence)
    : limits(session_limits),
      config(session_config),
      persistence(session_persistence),
      out(memory.out_ring, memory.out_entries),
      store(memory.blocks),
      slots(memory.slots),
      framer(memory.inbound),
      inbound(memory.pending, memory.taken),
      aliases_in(memory.alias_sizes_in, memory.alias_text_in, limits.topic_alias_bytes),
      aliases_out(memory.alias_sizes_out, memory.alias_text_out, limits.topic_alias_bytes,
                  memory.alias_uses_out) {}

SessionMemory::SessionMemory(const SessionLimits& limits, std::byte* base) {
  // Arrays of bytes hold implicit-lifetime types; who gets one writes its elements before reading them.
  const auto take = [&]<class Item>(std::span<Item>& array, std::size_t count) {
    bytes = (bytes + alignof(Item) - 1) / alignof(Item) * alignof(Item);
    if (base != nullptr) array = {reinterpret_cast<Item*>(base + bytes), count};
    bytes += count * sizeof(Item);
  };
  take(slots, limits.outgoing_messages);
  take(out_entries, OutQueue::entries_for(limits.out_segments));
  take(blocks, BlockStore::blocks_for(limits.store_bytes));
  take(pending, limits.receive_window);
  take(alias_uses_out, limits.topic_aliases_out);
  take(taken, limits.inbound_qos2);
  take(alias_sizes_in, limits.topic_aliases_in);
  take(alias_sizes_out, limits.topic_aliases_out);
  take(alias_text_in, std::size_t{limits.topic_aliases_in} * limits.topic_alias_bytes);
  take(alias_text_out, std::size_t{limits.topic_aliases_out} * limits.topic_alias_bytes);
  take(out_ring, limits.out_bytes);
  take(inbound, limits.inbound_bytes);
}

namespace {

// At least what the descriptions of the limits promise.
SessionLimits sane(SessionLimits limits) {
  const auto at_least = [](auto& limit, auto least) { limit = std::max(limit, least); };
  at_least(limits.outgoing_messages, std::uint16_t{1});
  at_least(limits.out_bytes, std::uint32_t{512});
  at_least(limits.out_segments, std::uint16_t{1});
  at_least(limits.inbound_bytes, std::uint32_t{128});
  at_least(limits.receive_window, std::uint16_t{1});
  at_least(limits.inbound_qos2, std::uint16_t{1});
  return limits;
}

template<class Error>
mqboard::Failure<Error> fail(Error error) {
  return mqboard::Failure<Error>{error};
}

}  // namespace

std::size_t Session::memory_bytes(const SessionLimits& limits) {
  return sizeof(Parts) + SessionMemory{sane(limits), nullptr}.bytes;
}

Session::Session(const SessionLimits& limits, const SessionConfig& config, std::span<std::byte> memory,
                 Persistence* persistence) {
  assert(memory.size() >= memory_bytes(limits));
  static_assert(alignof(Parts) >= alignof(Slot) && alignof(Parts) >= alignof(OutQueue::Entry));
  const SessionLimits safe = sane(limits);
  parts_ = std::construct_at(reinterpret_cast<Parts*>(memory.data()), safe, config,
                             SessionMemory{safe, memory.data() + sizeof(Parts)}, persistence);
}

Session::~Session() { std::destroy_at(parts_); }

// --- Connecting

namespace {

// The properties of CONNECT that belong to the session.
PropertyView own_connect_properties(PropertyWriter& writer, const SessionLimits& limits,
                                    const ConnectOptions& options) {
  using enum PropertyId;
  if (options.session_expiry_s != 0) writer.number(session_expiry_interval, options.session_expiry_s);
  if (limits.receive_window != 65535) writer.number(receive_maximum, limits.receive_window);
  if (options.maximum_packet_bytes != 0) writer.number(maximum_packet_size, options.maximum_packet_bytes);
  if (limits.topic_aliases_in != 0) writer.number(topic_alias_maximum, limits.topic_aliases_in);
  return writer.view();
}

bool valid_connect_properties(PropertyView view) {
  using enum PropertyId;
  for (const PropertyId reserved :
       {session_expiry_interval, receive_maximum, maximum_packet_size, topic_alias_maximum}) {
    if (view.number(reserved)) return false;
  }
  return check_properties(view.encoded(), PropertyHome::connect) == Violation::none;
}

bool is_text(std::string_view text) {
  return text.size() <= 0xFFFF && check_text(as_bytes(text)) == Violation::none;
}

std::optional<SessionError> check(const ConnectOptions& options, ProtocolVersion version) {
  const bool v5 = version == ProtocolVersion::v5;
  if (!is_text(options.client_id)) return SessionError::arguments_invalid;
  if (options.client_id.empty() && !options.clean_start && !v5) return SessionError::arguments_invalid;
  if (options.user_name && !is_text(*options.user_name)) return SessionError::arguments_invalid;
  if (options.password && (options.password->size() > 0xFFFF || (!v5 && !options.user_name))) {
    return SessionError::arguments_invalid;
  }
  if (v5 && !valid_connect_properties(options.properties)) return SessionError::properties_invalid;
  if (!options.will) return std::nullopt;
  if (!is_topic_name(options.will->topic)) return SessionError::topic_invalid;
  if (options.will->payload.size() > 0xFFFF || options.will->qos > QoS::exactly_once) {
    return SessionError::arguments_invalid;
  }
  if (v5 && check_properties(options.will->properties.encoded(), PropertyHome::will) != Violation::none) {
    return SessionError::properties_invalid;
  }
  return std::nullopt;
}

}  // namespace

Outcome Session::Parts::connect(const ConnectOptions& options, TimePoint now) {
  if (phase != Phase::offline) return fail(SessionError::already_connected);
  if (const auto refused = check(options, config.version)) return fail(*refused);
  std::uint8_t own[32];
  PropertyWriter writer{own};
  const Connect packet{.version = config.version,
                       .clean_start = options.clean_start,
                       .keep_alive_s = options.keep_alive_s,
                       .client_id = options.client_id,
                       .will = options.will,
                       .user_name = options.user_name,
                       .password = options.password,
                       .properties = options.properties,
                       .own_properties = own_connect_properties(writer, limits, options)};
  if (!stage(packet, now)) return fail(SessionError::too_large);
  ++connection;
  phase = Phase::connecting;
  clean_start = options.clean_start;
  adopt_session = options.adopt_session;
  const auto method = options.properties.text(PropertyId::authentication_method);
  authenticating = wire_out.v5() && method.has_value();
  method_crc = crc32(as_bytes(method.value_or("")));
  negotiated = Negotiated{};
  negotiated.keep_alive_s = options.keep_alive_s;
  negotiated.session_expiry_s = options.session_expiry_s;
  maximum_inbound_bytes = options.maximum_packet_bytes != 0 ? options.maximum_packet_bytes
                                                            : std::numeric_limits<std::uint32_t>::max();
  framer.reset(wire_in, maximum_inbound_bytes);
  aliases_in.reset(limits.topic_aliases_in);
  aliases_out.reset(0);
  connect_started = last_received = last_sent = now;
  clock_floor = now;
  if (clean_start) session_lost();
  const bool nothing_to_resend =
      releases.empty() && (publishes.empty() || !slots[publishes.head()].attempted);
  pipelining = options.pipeline && !authenticating && nothing_to_resend;
  return {};
}

void Session::Parts::transport_lost() {
  if (phase == Phase::offline) return;
  settle_inbound_on_loss();
  const bool session_ends = wire_out.v5() ? negotiated.session_expiry_s == 0 : clean_start;
  has_session = (has_session || phase == Phase::connecting) && !session_ends;  // CONNACK may have been lost
  for (SlotId id = publishes.head(); id != 0 && slots[id].staged; id = slots[id].next) {
    slots[id].attempted = slots[id].attempted || slots[id].begin < out.sent();
    unstage(slots[id]);
  }
  for (SlotId id = releases.head(); id != 0; id = slots[id].next) unstage(slots[id]);
  while (!requests.empty()) report_failure(slots[requests.head()], mqtt::Failure::connection_lost);
  while (!departures.empty()) report_failure(slots[departures.head()], mqtt::Failure::connection_lost);
  out.clear();
  urgent_end = 0;
  publishes.restart();
  releases.restart();
  next_publish = publishes.head();
  next_release = releases.head();
  window_used = receive_quota_used = 0;
  unread = 0;
  ping_wanted = ping_outstanding = blocked = paused = pipelining = answer_allowed = false;
  unanswered_since = stall_since = kNever;
  closed_due.reset();
  phase = Phase::offline;
}

Outcome Session::Parts::disconnect(ReasonCode reason, PropertyView properties, TimePoint now) {
  if (!in_use()) return fail(SessionError::not_connected);
  std::uint32_t expiry = negotiated.session_expiry_s;
  if (wire_out.v5()) {
    if (!reason_allowed(static_cast<std::uint8_t>(reason), PacketType::disconnect, Flow::to_server)) {
      return fail(SessionError::arguments_invalid);
    }
    const Bytes encoded = properties.encoded();
    const bool valid = check_properties(encoded, PropertyHome::disconnect_to_server) == Violation::none;
    expiry = properties.number(PropertyId::session_expiry_interval).value_or(expiry);
    // A session that was to end with the connection cannot be kept after all (section 3.14.2.2.2).
    if (!valid || (expiry != 0 && negotiated.session_expiry_s == 0)) {
      return fail(SessionError::properties_invalid);
    }
  }
  if (const auto said = say(PacketType::disconnect, reason, properties, now); !said) return said;
  negotiated.session_expiry_s = expiry;
  phase = Phase::closing;
  return {};
}

Outcome Session::Parts::authenticate(ReasonCode reason, PropertyView properties, TimePoint now) {
  if (!in_use() || !wire_out.v5() || !authenticating) return fail(SessionError::not_connected);
  const bool answering = reason == ReasonCode::continue_authentication && answer_allowed;
  const bool starting = reason == ReasonCode::reauthenticate && phase == Phase::connected;
  if (!answering && !starting) return fail(SessionError::arguments_invalid);
  const auto method = properties.text(PropertyId::authentication_method);
  if (check_properties(properties.encoded(), PropertyHome::auth) != Violation::none ||
      !is_our_method(method)) {
    return fail(SessionError::properties_invalid);
  }
  const auto said = say(PacketType::auth, reason, properties, now);
  if (said) answer_allowed = false;
  return said;
}

// DISCONNECT and AUTH.
Outcome Session::Parts::say(PacketType type, ReasonCode reason, PropertyView properties, TimePoint now) {
  const ReasonOnly packet{reason, properties};
  const Encodable encodable{type, packet};
  if (too_large(encodable)) return fail(SessionError::too_large);
  if (!stage(encodable, now)) return fail(SessionError::no_room);
  return {};
}

bool Session::Parts::too_large(const Encodable& packet) const {
  const std::size_t size = packet_size(body_size(packet, wire_out));
  return size > out.ring_size() || size > negotiated.maximum_packet_bytes;
}

// The connection ends because of us: tell a 5.0 server why, and let the owner of the transport know.
void Session::Parts::close(CloseCause cause, ReasonCode reason, TimePoint now, Violation violation) {
  if (!in_use()) return;
  if (phase == Phase::connected && wire_out.v5()) {
    // No room: the closed transport says enough.
    static_cast<void>(say(PacketType::disconnect, reason, {}, now));
  }
  phase = Phase::over;
  closed_due = event::Closed{cause, reason, violation, {}};
}

// --- The public calls

Outcome Session::restore() { return parts_->restore(); }
Outcome Session::connect(const ConnectOptions& options, TimePoint now) {
  return parts_->connect(options, now);
}
void Session::transport_lost(TimePoint) { parts_->transport_lost(); }
Outcome Session::disconnect(ReasonCode reason, PropertyView properties, TimePoint now) {
  return parts_->disconnect(reason, properties, now);
}
Outcome Session::authenticate(ReasonCode reason, PropertyView properties, TimePoint now) {
  return parts_->authenticate(reason, properties, now);
}
Session::Outcome<Token> Session::publish(const PublishRequest& request, TimePoint now) {
  return parts_->publish(request, now);
}
Session::Outcome<Token> Session::subscribe(std::span<const Subscription> filters, PropertyView properties,
                                           TimePoint now) {
  return parts_->subscribe(filters, properties, now);
}
Session::Outcome<Token> Session::unsubscribe(std::span<const std::string_view> filters,
                                             PropertyView properties, TimePoint now) {
  return parts_->unsubscribe(filters, properties, now);
}
bool Session::cancel(Token token) { return parts_->cancel(token); }
bool Session::acknowledge(AckHandle handle, ReasonCode reason, TimePoint now) {
  return parts_->acknowledge(handle, reason, now);
}
std::optional<Event> Session::poll(Bytes& input, TimePoint now) { return parts_->poll(input, now); }
void Session::pause_input(bool paused, TimePoint now) { parts_->pause_input(paused, now); }
std::size_t Session::outgoing(std::span<Bytes> list) const { return parts_->out.gather(list); }
void Session::sent(std::size_t bytes, TimePoint now) { parts_->sent(bytes, now); }
TimePoint Session::next_deadline() const { return parts_->deadline().at; }
void Session::tick(TimePoint now) { parts_->tick(now); }
bool Session::connected() const { return parts_->phase == Parts::Phase::connected; }
const Negotiated& Session::negotiated() const { return parts_->negotiated; }
std::size_t Session::outstanding() const { return parts_->slots.size() - parts_->slots.free_count(); }
std::size_t Session::free_slots() const { return parts_->slots.free_count(); }
std::size_t Session::free_store_bytes() const { return parts_->store.free_bytes(); }
std::size_t Session::deferrable_bytes() const {
  const OutQueue& out = parts_->out;
  return parts_->urgent_end <= out.sent() ? out.appended() - out.sent() : 0;
}
std::size_t Session::unreleased() const { return parts_->inbound.all_taken().size(); }
bool Session::has_outgoing() const { return !parts_->out.empty(); }
bool Session::invariants_hold() const { return parts_->invariants_hold(); }

}  // namespace mqboard::mqtt
