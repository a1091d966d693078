// Crash reports: what is kept of a death, as text a person can read (docs/BOOT.md, "Crash reports").
//
//   mqboard crash report 1
//   cause: watchdog
//   detail: not patted for 60000 ms
//   firmware: 1.4.2
//   image: a trial normal
//   boot: 17
//   uptime_ms: 123456
//   time_s: 1790000000
//   [traceback 123]
//   …123 bytes of text…
//   [backtrace 0]
//
//   [log 4711]
//   …
//
// Header lines first, in this order; then three sections, each with its length in bytes and a newline after
// it. The text is UTF-8 without control characters but newline and tab; what is not is replaced by '?'.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::boot {

enum class CrashCause : std::uint8_t {
  exception,         // a module's uncaught exception; the board lives on
  interpreter_trap,  // the interpreter died and was replaced; the board lives on
  cpp_exception,     // an exception nobody caught in the firmware
  signal,            // SIGSEGV, SIGABRT …
  watchdog,          // not manageable for too long
  trial_expired,     // a trial that was not confirmed in time
  out_of_memory,     // the kernel's out-of-memory killer, or an allocation that failed
  killed,            // SIGKILL by somebody else
  exit_status,       // an exit status that means nothing
};
std::string_view name(CrashCause cause);
[[nodiscard]] std::optional<CrashCause> crash_cause(std::string_view name);

inline constexpr std::size_t kMaxCrashReport = 16 * 1024;

// All text is borrowed.
struct CrashReport {
  CrashCause cause = CrashCause::signal;
  std::string_view detail{};    // one line
  std::string_view firmware{};  // version
  std::string_view image{};     // slot, kind and mode
  std::uint32_t boot_count = 0;
  std::uint64_t uptime_ms = 0;
  std::int64_t time_s = 0;       // since 1970-01-01 UTC; 0 when unknown
  std::string_view traceback{};  // Python's; its end is kept when it is too long
  std::string_view backtrace{};  // native; its beginning is kept
  std::string_view log{};        // the last lines; their end is kept
};

// Encodes into the front of `into`, shortening detail, traceback, backtrace and log as needed. `into` needs 1
// KiB at least; larger than kMaxCrashReport is not used.
[[nodiscard]] Bytes encode(const CrashReport& report, MutableBytes into);

// A crash note (RTC memory) as the firmware writes it while dying: first, when it knows better than the
// process's end tells, a line `cause: CAUSE DETAIL`. A line `[traceback]` begins Python's traceback, a line
// `[backtrace]` the native one; what stands before either counts as native.
struct CrashNote {
  std::optional<CrashCause> cause;
  std::string_view detail;
  std::string_view traceback;
  std::string_view backtrace;
};
[[nodiscard]] CrashNote split_crash_note(std::string_view note);

// Accepts what encode() makes. Borrows from `text`.
[[nodiscard]] std::optional<CrashReport> decode_crash_report(Bytes text);

}  // namespace mqboard::boot
