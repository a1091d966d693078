// The firmware's side of mqboot: why this run was started, the slots, RTC memory, the watchdog, resets.
//
// Under mqboot (it passes the RTC memory's descriptor and the slot directory in the environment) a reset
// means ending the process with the status prepare_reset() returns. Without mqboot, for development, the same
// object works on memory of its own: the board re-creates itself in the process and calls
// restart_in_process().
//
// Threads: pat(), arm_watchdog(), set_in_order() and prepare_reset() may be called from any thread, the crash
// note from a signal handler too. The rest belongs to one thread (the I/O thread).
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "core/boot/crash_store.hpp"
#include "core/boot/installer.hpp"
#include "core/boot/rtc.hpp"
#include "port/linux/rtc_mapping.hpp"

namespace mqboard::port {

inline constexpr const char* kRtcVariable = "MQBOARD_RTC";      // number of a descriptor
inline constexpr const char* kSlotsVariable = "MQBOARD_SLOTS";  // path of the slot directory

// What a board without mqboot, or an image tool, takes for its own hardware: "linux-" and the machine, e.g.
// linux-x86_64.
std::string default_hardware_kind();

class BootClient {
 public:
  struct Development {
    std::string slots_directory;  // for crash reports; created when missing. Empty: nothing is kept
    std::uint8_t max_failed_boots = 3;
  };

  // Reads the environment and removes these variables from it: processes started by the firmware are not the
  // firmware. `development` counts when they are not there. Errors are one line for a person: descriptor or
  // slot directory unusable.
  static std::expected<BootClient, std::string> connect(const Development& development);

  [[nodiscard]] bool under_mqboot() const { return under_mqboot_; }

  // Of this run: reset cause, image, mode, boot count …
  [[nodiscard]] const boot::SystemRecord& system() const { return system_; }
  [[nodiscard]] boot::RtcMemory rtc() const { return rtc_.memory(); }

  // What mqboot has to say about this start, lines of text.
  [[nodiscard]] std::string_view boot_messages() const { return rtc().boot_messages().text(); }

  // The slot directory; none in development without a directory.
  [[nodiscard]] FileSystem* slot_files() const { return files_.get(); }
  // Loaded; none where slot_files() is none.
  [[nodiscard]] boot::SlotStore* slots() const { return slots_.get(); }

  void arm_watchdog(Millis timeout) const { control().arm_watchdog(timeout); }
  void pat() const { control().pat(); }

  // The board has been manageable for `allok`: failed boots no longer count, and an image on trial is
  // confirmed. After a storage error the trial goes on; call again.
  FsResult<void> set_in_order();
  // The operator confirms the running image.
  FsResult<void> confirm();
  // Marks the running image bad, on trial or confirmed; then reset.
  Result<void, boot::RollbackError> roll_back();

  // Records what the coming end of the process means and returns the exit status to end it with.
  int prepare_reset(boot::ResetRequest request, boot::ModeRequest mode, boot::ResetOrigin origin,
                    Millis sleep = Millis{0}) const;

  // The interpreter alone is about to be started again. False when it has been too often without the board
  // being in order in between: make it a hard reset instead. On success system().cause is soft_reset.
  bool begin_soft_reset();

  // Development only: the board starts again in this process, as mqboot would start it after that request.
  void restart_in_process(boot::ResetCause cause, boot::ModeRequest mode, boot::ResetOrigin origin);

 private:
  BootClient(RtcMapping rtc, bool under_mqboot) : rtc_(std::move(rtc)), under_mqboot_(under_mqboot) {}

  static std::expected<BootClient, std::string> start_development(const Development& development);
  std::expected<void, std::string> open_slots(const std::string& directory);
  [[nodiscard]] boot::RtcControl control() const { return rtc().control(); }

  RtcMapping rtc_;
  bool under_mqboot_;
  boot::SystemRecord system_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<boot::SlotStore> slots_;
};

}  // namespace mqboard::port
