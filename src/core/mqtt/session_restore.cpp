// Records of the persistence, and what happens when the server no longer has our session.
//
// A record of kind `outgoing` (all numbers big-endian):
//   u8   format, 1
//   u8   bits 0-1 QoS, bit 2 retain, bit 7: PUBREC came, only the identifier is left and the rest below is
//   empty u64  order u16  bytes of topic u32  bytes of properties topic, properties, payload
// A record of kind `inbound` is empty: its key says it all.
#include <utility>

#include "core/mqtt/session_parts.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kReleasing = 0x80;
constexpr std::size_t kHeaderBytes = 16;

Bytes write_header(std::span<std::uint8_t, kHeaderBytes> header, std::uint8_t flags, std::uint64_t order,
                   std::size_t topic_bytes, std::size_t property_bytes) {
  Writer writer{header};
  writer.u8(kFormat);
  writer.u8(flags);
  writer.u64(order);
  writer.u16(static_cast<std::uint16_t>(topic_bytes));
  writer.u32(static_cast<std::uint32_t>(property_bytes));
  return writer.written();
}

}  // namespace

bool Session::Parts::keep_publish(const Slot& slot, const Publish& packet) {
  if (persistence == nullptr) return true;
  std::uint8_t header[kHeaderBytes];
  const Bytes properties = packet.properties.encoded();
  const auto flags = static_cast<std::uint8_t>(static_cast<unsigned>(slot.qos) | (slot.retain ? 4u : 0u));
  const Bytes pieces[] = {write_header(header, flags, slot.order, packet.topic.size(), properties.size()),
                          as_bytes(packet.topic), properties, packet.payload};
  return persistence->put({RecordKey::Kind::outgoing, slot.id}, pieces);
}

bool Session::Parts::keep_release(SlotId id, std::uint64_t release_order) {
  if (persistence == nullptr) return true;
  std::uint8_t header[kHeaderBytes];
  const Bytes pieces[] = {write_header(header, kReleasing, release_order, 0, 0)};
  return persistence->put({RecordKey::Kind::outgoing, id}, pieces);
}

bool Session::Parts::keep_inbound(std::uint16_t packet_id) {
  return persistence == nullptr || persistence->put({RecordKey::Kind::inbound, packet_id}, {});
}

bool Session::Parts::forget(RecordKey key) {
  if (persistence == nullptr || persistence->erase(key)) return true;
  store_failed(last_sent);
  return false;
}

void Session::Parts::store_failed(TimePoint now) {
  close(CloseCause::persistence_failed, ReasonCode::implementation_specific_error, now);
}

bool Session::Parts::read_record(Bytes record, Publish& packet, std::uint64_t& record_order,
                                 bool& releasing) {
  Reader reader{record};
  const std::uint8_t format = reader.u8();
  const std::uint8_t flags = reader.u8();
  record_order = reader.u64();
  const std::uint16_t topic_bytes = reader.u16();
  const std::uint32_t property_bytes = reader.u32();
  packet.topic = as_text(reader.take(topic_bytes));
  packet.properties = PropertyView{reader.take(property_bytes)};
  packet.payload = reader.rest();
  packet.retain = (flags & 4) != 0;
  packet.qos = static_cast<QoS>(flags & 3);
  releasing = (flags & kReleasing) != 0;
  if (reader.failed() || format != kFormat) return false;
  if (releasing) return flags == kReleasing && record.size() == kHeaderBytes;
  return (flags & ~7u) == 0 && (packet.qos == QoS::at_least_once || packet.qos == QoS::exactly_once) &&
         is_topic_name(packet.topic) &&
         check_properties(packet.properties.encoded(), PropertyHome::publish_to_server) == Violation::none;
}

bool Session::Parts::restore_record(RecordKey key, Bytes value) {
  if (key.kind == RecordKey::Kind::inbound) return inbound.take_over(key.packet_id, false);
  Publish packet;
  bool releasing = false;
  std::uint64_t record_order = 0;
  if (key.kind != RecordKey::Kind::outgoing || !read_record(value, packet, record_order, releasing))
    return false;
  const std::size_t copied = 16 + packet.topic.size() + packet.properties.encoded().size();
  if (!releasing && copied > out.ring_size() - out.ring_size() / 8) return false;
  if (key.packet_id == 0 || key.packet_id > slots.size() || !slots.take_this(key.packet_id)) return false;
  Slot& slot = slots[key.packet_id];
  slot.state = releasing ? Slot::State::releasing : Slot::State::publishing;
  slot.qos = releasing ? QoS::exactly_once : packet.qos;
  slot.retain = packet.retain;
  slot.attempted = true;  // as far as anybody knows
  slot.order = record_order;
  if (!releasing) slot.record = value;
  (releasing ? releases : publishes).insert_by_order(slots, key.packet_id);
  order = std::max(order, record_order);
  return true;
}

Session::Outcome<void> Session::Parts::restore() {
  if (persistence == nullptr) return {};
  class Restorer final : public Persistence::Visitor {
   public:
    explicit Restorer(Parts& parts) : parts_(parts) {}
    bool record(RecordKey key, Bytes value) override { return parts_.restore_record(key, value); }

   private:
    Parts& parts_;
  } restorer{*this};
  if (!persistence->load(restorer)) return mqboard::Failure<SessionError>{SessionError::restore_failed};
  next_publish = publishes.head();
  next_release = releases.head();
  has_session = true;
  return {};
}

// What we kept for the session is resolved as SessionLostPolicy says.
void Session::Parts::session_lost() {
  event::SessionLost lost;
  while (!releases.empty()) {
    ++lost.failed;
    report_failure(slots[releases.head()], mqtt::Failure::session_lost);
  }
  for (SlotId id = publishes.head(); id != 0;) {
    Slot& slot = slots[id];
    id = slot.next;
    if (!slot.attempted) continue;
    if (config.session_lost == SessionLostPolicy::republish) {
      ++lost.republished;
      slot.attempted = false;
    } else {
      ++lost.failed;
      report_failure(slot, mqtt::Failure::session_lost);
    }
  }
  for (const TakenId& taken : inbound.all_taken()) forget({RecordKey::Kind::inbound, taken.packet_id});
  inbound.clear();
  if (lost.republished + lost.failed != 0) lost_due = lost;
}

}  // namespace mqboard::mqtt
