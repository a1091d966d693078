// The life of a board: start the firmware, watch it, record its death, start it again.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "boot/firmware_process.hpp"
#include "boot/hardware.hpp"
#include "boot/options.hpp"
#include "core/boot/death.hpp"
#include "port/linux/flash.hpp"
#include "port/linux/rtc_mapping.hpp"

namespace mqboard::boot {

class Supervisor final : public BootObserver {
 public:
  explicit Supervisor(const Options& options);

  // Returns mqboot's exit status.
  int run();

 private:
  // A firmware that is to be started.
  struct Start {
    SystemRecord system;
    port::Fd executable;  // none for the factory image
  };

  std::expected<void, std::string> power_up();
  std::optional<Start> choose();
  std::optional<FirmwareProcess> launch(Start start);
  ProcessEnd watch(FirmwareProcess& process);
  // Of the image that runs, or ran last, and not confirmed yet.
  [[nodiscard]] bool on_trial() const;
  void stop(FirmwareProcess& process);
  void starve(FirmwareProcess& process);
  void report(const Death& death, const ProcessEnd& end);
  [[nodiscard]] std::string describe(const Death& death, const ProcessEnd& end) const;
  [[nodiscard]] bool hopeless(const Death& death) const;
  // False when mqboot is to stop.
  bool pause(Death& death);
  void power_down();

  void say(const std::string& line);
  void became_bad(SlotId slot, const SlotRecord& record) override;
  void unverifiable(SlotId slot, SlotState state, ImageError error) override;
  void not_recorded(SlotId slot, FsError error) override;

  [[nodiscard]] RtcMemory rtc() const { return rtc_->memory(); }

  const Options options_;
  Hardware hardware_;
  std::unique_ptr<port::LinuxFlash> files_;
  std::optional<port::RtcMapping> rtc_;
  SystemRecord system_;          // of the run going on, or the last one
  Death death_;                  // what the coming start follows
  std::string unstored_report_;  // what is left of it: a line for the next start's log
  Clock::time_point started_;
  Millis starved_for_{0};
  std::array<std::uint64_t, 2> kernel_kills_{};  // by the out-of-memory killer, up to the last two counts
};

}  // namespace mqboard::boot
