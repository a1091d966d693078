#include "core/boot/rtc.hpp"

#include <algorithm>

namespace mqboard::boot {
namespace {

constexpr std::size_t kSystemBytes = 88;

std::array<std::uint8_t, kSystemBytes> encode(const SystemRecord& record) {
  std::array<std::uint8_t, kSystemBytes> payload{};
  Writer writer(payload);
  writer.u32(record.boot_count);
  writer.u8(static_cast<std::uint8_t>(record.cause));
  writer.u8(static_cast<std::uint8_t>(record.choice.image));
  writer.u8(static_cast<std::uint8_t>(record.choice.kind));
  writer.u8(static_cast<std::uint8_t>(record.choice.mode));
  writer.u8(record.choice.failed_boots);
  writer.u8(record.max_failed_boots);
  writer.u16(0);
  writer.u32(record.machine_boot);
  writer.u64(record.boot_id);
  writer.bytes(record.choice.version.padded());
  writer.bytes(record.hardware.padded());
  return payload;
}

std::optional<SystemRecord> decode(Bytes payload) {
  Reader reader(payload);
  SystemRecord record;
  record.boot_count = reader.u32();
  const std::uint8_t cause = reader.u8();
  const std::uint8_t image = reader.u8();
  const std::uint8_t kind = reader.u8();
  const std::uint8_t mode = reader.u8();
  record.choice.failed_boots = reader.u8();
  record.max_failed_boots = reader.u8();
  (void)reader.u16();
  record.machine_boot = reader.u32();
  record.boot_id = reader.u64();
  const auto version = Label::decode(reader.take(Label::kBytes));
  const auto hardware = Label::decode(reader.take(Label::kBytes));
  if (!reader.at_end() || !version || !hardware) return {};
  if (cause < 1 || cause > 6 || image > 2 || kind > 3 || mode > 1) return {};
  record.cause = static_cast<ResetCause>(cause);
  record.choice.image = static_cast<BootImage>(image);
  record.choice.kind = static_cast<BootKind>(kind);
  record.choice.mode = static_cast<BootMode>(mode);
  record.choice.version = *version;
  record.hardware = *hardware;
  return record;
}

std::atomic_ref<std::uint32_t> word_at(MutableBytes place, std::size_t offset) {
  return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(place.data() + offset));
}

}  // namespace

MutableBytes RtcArea::copy(std::size_t which) const {
  const std::size_t size = copies_.size() / 2;
  return copies_.subspan(which * size, size);
}

std::array<std::optional<Unsealed>, 2> RtcArea::unsealed() const {
  return {unseal(copy(0), format_), unseal(copy(1), format_)};
}

Bytes RtcArea::read() const {
  const auto copies = unsealed();
  const Alternation turn = alternate(copies);
  return turn.current ? copies[*turn.current]->payload : Bytes{};
}

bool RtcArea::write(Bytes data) {
  if (data.size() > capacity()) return false;
  const Alternation turn = alternate(unsealed());
  return !seal(copy(turn.next), format_, turn.next_sequence, data).empty();
}

std::atomic_ref<std::uint32_t> RtcNote::length() const { return word_at(place_, 0); }

void RtcNote::clear() { length().store(0); }

void RtcNote::append(std::string_view text) {
  const MutableBytes room = place_.subspan(sizeof(std::uint32_t));
  const std::size_t used = std::min<std::size_t>(length().load(), room.size());
  const std::size_t count = std::min(text.size(), room.size() - used);
  if (count != 0) std::memcpy(room.data() + used, text.data(), count);
  length().store(static_cast<std::uint32_t>(used + count), std::memory_order_release);
}

std::string_view RtcNote::text() const {
  const Bytes room = place_.subspan(sizeof(std::uint32_t));
  return as_text(room.first(std::min<std::size_t>(length().load(std::memory_order_acquire), room.size())));
}

std::atomic_ref<std::uint32_t> RtcControl::word(Word which) const {
  return word_at(place_, static_cast<std::size_t>(which) * sizeof(std::uint32_t));
}

void RtcControl::clear(Millis watchdog_timeout) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Word::count); ++i) word(static_cast<Word>(i)).store(0);
  arm_watchdog(watchdog_timeout);
}

void RtcControl::arm_watchdog(Millis timeout) const {
  const auto bounded = std::clamp<Millis::rep>(timeout.count(), 0, 0xffff'ffff);
  word(Word::watchdog_ms).store(static_cast<std::uint32_t>(bounded));
}

void RtcControl::request(ResetRequest request, ModeRequest mode, ResetOrigin origin, Millis sleep) const {
  const auto bounded = std::clamp<Millis::rep>(sleep.count(), 0, kMaxDeepSleep.count());
  word(Word::sleep_ms).store(static_cast<std::uint32_t>(bounded));
  word(Word::mode).store(static_cast<std::uint32_t>(mode));
  word(Word::origin).store(static_cast<std::uint32_t>(origin));
  word(Word::request).store(static_cast<std::uint32_t>(request), std::memory_order_release);
}

ResetRequest RtcControl::requested() const {
  const std::uint32_t value = word(Word::request).load(std::memory_order_acquire);
  return value <= 3 ? static_cast<ResetRequest>(value) : ResetRequest::none;
}

ModeRequest RtcControl::requested_mode() const {
  const std::uint32_t value = word(Word::mode).load();
  return value <= 2 ? static_cast<ModeRequest>(value) : ModeRequest::none;
}

ResetOrigin RtcControl::origin() const {
  return word(Word::origin).load() == 1 ? ResetOrigin::operator_ : ResetOrigin::application;
}

std::optional<SystemRecord> RtcMemory::system() const {
  const Bytes payload = system_area().read();
  return payload.empty() ? std::nullopt : decode(payload);
}

void RtcMemory::store_system(const SystemRecord& record) { (void)system_area().write(encode(record)); }

void RtcMemory::format() {
  std::ranges::fill(region_, std::uint8_t{0});
  log().format();
}

}  // namespace mqboard::boot
