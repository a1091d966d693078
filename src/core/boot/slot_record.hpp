// What the board remembers about each of its two firmware slots (docs/BOOT.md, "Slot records").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/hasher.hpp"
#include "core/boot/label.hpp"
#include "core/boot/sealed.hpp"

namespace mqboard::boot {

enum class SlotId : std::uint8_t { a = 0, b = 1 };
constexpr SlotId other(SlotId slot) { return slot == SlotId::a ? SlotId::b : SlotId::a; }
constexpr std::size_t index(SlotId slot) { return static_cast<std::size_t>(slot); }
std::string_view name(SlotId slot);  // "a", "b"

// The numbers of the enumerations below are on storage: never renumber, only add.
enum class SlotState : std::uint8_t {
  empty = 0,      // nothing usable, or being written
  fresh = 1,      // "new": installed and verified, never started
  trial = 2,      // started, not confirmed yet
  confirmed = 3,  // was manageable, or an operator said so
  bad = 4,        // failed its trial, was refused, or was rolled back
};
std::string_view name(SlotState state);

// Why a slot is bad.
enum class BadReason : std::uint8_t {
  none = 0,
  unverifiable = 1,  // signature, hash, length or hardware does not fit what is in storage
  reset = 2,         // its trial ended by a reset
  watchdog = 3,      // … by the watchdog, or it was not confirmed in time
  crash = 4,         // … by a crash
  attempts = 5,      // … by running out of attempts interrupted by power cuts and deep sleeps
  rolled_back = 6,   // an operator rolled it back
};
std::string_view name(BadReason reason);

struct SlotRecord {
  SlotState state = SlotState::empty;
  BadReason reason = BadReason::none;
  std::uint8_t attempts = 0;  // how often its trial was started
  bool plain = false;       // installed without a signed header, by an operator whose configuration allows it
  std::uint32_t order = 0;  // greater: installed later
  std::uint32_t security_counter = 0;
  std::uint32_t security_floor = 0;  // the greatest counter of any image ever confirmed on this board
  std::uint64_t image_bytes = 0;     // the whole image file
  Sha256 payload_hash{};
  Label version{};

  bool operator==(const SlotRecord&) const = default;
};

inline constexpr RecordFormat kSlotRecordFormat{.magic = 0x4d51534c, .version = 1};  // "MQSL"
inline constexpr std::size_t kSlotRecordBytes = 88;
inline constexpr std::size_t kSealedSlotRecordBytes = kSlotRecordBytes + kSealBytes;

[[nodiscard]] std::array<std::uint8_t, kSlotRecordBytes> encode(const SlotRecord& record);
[[nodiscard]] std::optional<SlotRecord> decode_slot_record(Bytes payload);

}  // namespace mqboard::boot
