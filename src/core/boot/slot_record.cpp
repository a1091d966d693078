#include "core/boot/slot_record.hpp"

namespace mqboard::boot {
namespace {

constexpr std::uint8_t kPlain = 1;
constexpr std::string_view kStates[] = {"empty", "new", "trial", "confirmed", "bad"};
constexpr std::string_view kReasons[] = {"none",  "unverifiable", "reset",      "watchdog",
                                         "crash", "attempts",     "rolled back"};

}  // namespace

std::string_view name(SlotId slot) { return slot == SlotId::a ? "a" : "b"; }
std::string_view name(SlotState state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view name(BadReason reason) { return kReasons[static_cast<std::size_t>(reason)]; }

std::array<std::uint8_t, kSlotRecordBytes> encode(const SlotRecord& record) {
  std::array<std::uint8_t, kSlotRecordBytes> payload{};
  Writer writer(payload);
  writer.u8(static_cast<std::uint8_t>(record.state));
  writer.u8(static_cast<std::uint8_t>(record.reason));
  writer.u8(record.attempts);
  writer.u8(record.plain ? kPlain : 0);
  writer.u32(record.order);
  writer.u32(record.security_counter);
  writer.u32(record.security_floor);
  writer.u64(record.image_bytes);
  writer.bytes(record.payload_hash);
  writer.bytes(record.version.padded());
  return payload;
}

std::optional<SlotRecord> decode_slot_record(Bytes payload) {
  Reader reader(payload);
  SlotRecord record;
  const std::uint8_t state = reader.u8();
  const std::uint8_t reason = reader.u8();
  record.attempts = reader.u8();
  const std::uint8_t flags = reader.u8();
  record.order = reader.u32();
  record.security_counter = reader.u32();
  record.security_floor = reader.u32();
  record.image_bytes = reader.u64();
  const Bytes hash = reader.take(record.payload_hash.size());
  const auto version = Label::decode(reader.take(Label::kBytes));
  if (!reader.at_end() || !version) return {};
  if (state >= std::size(kStates) || reason >= std::size(kReasons) || (flags & ~kPlain) != 0) return {};
  record.state = static_cast<SlotState>(state);
  record.reason = static_cast<BadReason>(reason);
  record.plain = flags == kPlain;
  record.version = *version;
  std::ranges::copy(hash, record.payload_hash.begin());
  return record;
}

}  // namespace mqboard::boot
