// What the end of the firmware's process means (docs/BOOT.md, "Exit protocol").
#pragma once

#include "core/boot/crash_report.hpp"
#include "core/boot/rtc.hpp"

namespace mqboard::boot {

// The end as mqboot observed it.
struct ProcessEnd {
  enum class Intervention : std::uint8_t {
    none,
    starved,        // the watchdog was not patted in time
    trial_expired,  // the trial was not confirmed in time
    reset_button,   // mqboot was asked to reset the board
    stop,           // mqboot was asked to stop
  };
  bool signalled = false;
  int code = 0;  // signal number or exit status
  Intervention intervention = Intervention::none;
  bool out_of_memory = false;  // the kernel's out-of-memory killer acted during the run
};

struct Death {
  bool stops = false;  // mqboot ends too; nothing else matters then
  ResetCause cause = ResetCause::crash;
  ResetOrigin origin = ResetOrigin::application;
  ModeRequest mode = ModeRequest::none;
  Millis sleep{0};
  std::optional<CrashCause> report{};  // mqboot has to write a crash report
};

// `control` as the firmware left it.
[[nodiscard]] Death judge(const ProcessEnd& end, const RtcControl& control);

}  // namespace mqboard::boot
