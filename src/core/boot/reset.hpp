// Why the board starts, and how it asks to be started again (docs/BOOT.md, "Reset causes").
#pragma once

#include <cstdint>
#include <string_view>

namespace mqboard::boot {

// The numbers are MicroPython's on the ESP32 (machine.PWRON_RESET …), `crash` beside them.
enum class ResetCause : std::uint8_t {
  power_on = 1,    // nothing is known of a time before
  hard_reset = 2,  // machine.reset(), the operator's reset, the reset button
  watchdog = 3,    // the board was not manageable for too long
  deep_sleep = 4,  // waking from machine.deepsleep()
  soft_reset = 5,  // machine.soft_reset(): the interpreter alone
  crash = 6,       // the firmware died: signal, exception, out of memory, killed
};
std::string_view name(ResetCause cause);  // "power_on" …

enum class ResetRequest : std::uint8_t { none = 0, hard = 1, soft = 2, deep_sleep = 3 };

// Who wanted it. A reset by the application before the board was found in order counts as a failed boot: an
// application that resets at every start must end in safe mode.
enum class ResetOrigin : std::uint8_t { application = 0, operator_ = 1 };

enum class BootMode : std::uint8_t { normal = 0, safe = 1 };
std::string_view name(BootMode mode);

enum class ModeRequest : std::uint8_t { none = 0, normal = 1, safe = 2 };

// The exit status with which the firmware tells mqboot what its end means.
inline constexpr int kExitStopped = 0;     // as asked by SIGTERM; unasked, a hard reset
inline constexpr int kExitHardReset = 70;  // the control block says more
inline constexpr int kExitSoftReset = 71;
inline constexpr int kExitDeepSleep = 72;
inline constexpr int kExitCrashReported = 73;  // crashed, and the crash report is in the store already

}  // namespace mqboard::boot
