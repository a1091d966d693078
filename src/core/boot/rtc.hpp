// RTC memory: what survives a reset and a crash but not a loss of power. On Linux a memory mqboot holds and
// the firmware maps; on a microcontroller the memory of that name. Layout (docs/BOOT.md, "RTC memory"):
//
//   0x00000    256  system record, copy 0        sealed; written by mqboot between runs
//   0x00100    256  system record, copy 1
//   0x00200    256  control words                u32, host byte order; see RtcControl
//   0x00400   3072  boot messages                text; mqboot's, about the start of this run
//   0x01000   2304  user memory, copy 0          sealed; machine.RTC().memory()
//   0x01900   2304  user memory, copy 1
//   0x03000   4096  session memory, copy 0       sealed; the connection's (TLS session)
//   0x04000   4096  session memory, copy 1
//   0x06000   8192  crash note                   text; the firmware's, about its own death
//   0x08000  98304  retained log                 see retained_log.hpp
//
// The firmware can die at any instruction: whatever it writes is either one aligned word or sealed in two
// copies written in turn.
#pragma once

#include <atomic>
#include <optional>

#include "core/base/time.hpp"
#include "core/boot/bootloader.hpp"
#include "core/boot/retained_log.hpp"

namespace mqboard::boot {

inline constexpr std::size_t kRtcBytes = 0x20000;
inline constexpr std::size_t kRtcUserBytes = 2048;
inline constexpr std::size_t kRtcSessionBytes = 4096 - kSealBytes;
inline constexpr Millis kMaxDeepSleep = std::chrono::hours{24};

// What mqboot tells the firmware about this run.
struct SystemRecord {
  std::uint32_t boot_count = 0;  // since power-on, this start included
  ResetCause cause = ResetCause::power_on;
  BootChoice choice{};
  std::uint8_t max_failed_boots = 0;
  std::uint32_t machine_boot = 0;  // which start of the machine: another one, and this memory is of before
  std::uint64_t boot_id = 0;       // random, other at every start
  Label hardware{};

  [[nodiscard]] bool safe_mode() const { return choice.mode == BootMode::safe; }
};

// Sealed memory of up to `capacity` bytes. Writing is safe against death at any instruction; one writer.
class RtcArea {
 public:
  // `copies`: two places of equal size, one after the other.
  RtcArea(MutableBytes copies, RecordFormat format) : copies_(copies), format_(format) {}

  [[nodiscard]] std::size_t capacity() const { return copies_.size() / 2 - kSealBytes; }
  // Borrowed; valid until the next write. Empty when nothing was written since power-on.
  [[nodiscard]] Bytes read() const;
  // False, and nothing changed, when `data` is larger than capacity().
  bool write(Bytes data);

 private:
  [[nodiscard]] MutableBytes copy(std::size_t which) const;
  [[nodiscard]] std::array<std::optional<Unsealed>, 2> unsealed() const;

  MutableBytes copies_;
  RecordFormat format_;
};

// Text appended to in place. append() may be called from a signal handler.
class RtcNote {
 public:
  explicit RtcNote(MutableBytes place) : place_(place) {}

  void clear();
  void append(std::string_view text);  // what does not fit is dropped
  [[nodiscard]] std::string_view text() const;

 private:
  [[nodiscard]] std::atomic_ref<std::uint32_t> length() const;
  MutableBytes place_;
};

// The words the firmware writes and mqboot reads. Each is stored atomically.
class RtcControl {
 public:
  explicit RtcControl(MutableBytes place) : place_(place) {}

  // mqboot, before each run.
  void clear(Millis watchdog_timeout);

  // The firmware. A request only counts together with the matching exit status.
  void pat() const { word(Word::pats).fetch_add(1, std::memory_order_relaxed); }
  void arm_watchdog(Millis timeout) const;  // 0 switches it off, except during a trial
  // Manageable for `allok`.
  void set_in_order() const {
    word(Word::in_order).store(1);
    word(Word::soft_resets).store(0);
  }
  void set_confirmed() const { word(Word::confirmed).store(1); }
  void request(ResetRequest request, ModeRequest mode, ResetOrigin origin, Millis sleep) const;
  // Soft resets since the board was last in order. They stay inside the process: when they become more than
  // the limit of failed boots, the firmware makes the next one a hard reset, which mqboot counts.
  std::uint32_t count_soft_reset() const { return word(Word::soft_resets).fetch_add(1) + 1; }

  [[nodiscard]] std::uint32_t pats() const { return word(Word::pats).load(std::memory_order_relaxed); }
  [[nodiscard]] Millis watchdog_timeout() const { return Millis{word(Word::watchdog_ms).load()}; }
  [[nodiscard]] bool in_order() const { return word(Word::in_order).load() == 1; }
  [[nodiscard]] bool confirmed() const { return word(Word::confirmed).load() == 1; }
  [[nodiscard]] ResetRequest requested() const;
  [[nodiscard]] ModeRequest requested_mode() const;
  [[nodiscard]] ResetOrigin origin() const;
  [[nodiscard]] Millis sleep() const { return Millis{word(Word::sleep_ms).load()}; }

 private:
  enum class Word : std::uint8_t {
    pats,
    watchdog_ms,
    in_order,
    confirmed,
    request,
    mode,
    origin,
    sleep_ms,
    soft_resets,
    count
  };
  [[nodiscard]] std::atomic_ref<std::uint32_t> word(Word which) const;

  MutableBytes place_;
};

class RtcMemory {
 public:
  // Borrows `region`: kRtcBytes, aligned for u32.
  explicit RtcMemory(MutableBytes region) : region_(region) {}

  // Nothing after a loss of power: call format() then.
  [[nodiscard]] std::optional<SystemRecord> system() const;
  void store_system(const SystemRecord& record);
  void format();

  [[nodiscard]] RtcControl control() const { return RtcControl(region_.subspan(0x200, 0x100)); }
  // The version of the firmware of this run, as it says itself.
  [[nodiscard]] RtcNote firmware_version() const { return RtcNote(region_.subspan(0x300, 0x100)); }
  [[nodiscard]] RtcNote boot_messages() const { return RtcNote(region_.subspan(0x400, 0xc00)); }
  [[nodiscard]] RtcArea user() const { return {region_.subspan(0x1000, 0x1200), {0x4d515552, 1}}; }
  [[nodiscard]] RtcArea session() const { return {region_.subspan(0x3000, 0x2000), {0x4d515353, 1}}; }
  [[nodiscard]] RtcNote crash_note() const { return RtcNote(region_.subspan(0x6000, 0x2000)); }
  [[nodiscard]] RetainedLog log() const { return RetainedLog(region_.subspan(0x8000)); }

 private:
  [[nodiscard]] RtcArea system_area() const { return {region_.subspan(0, 0x200), {0x4d515254, 1}}; }

  MutableBytes region_;
};

}  // namespace mqboard::boot
