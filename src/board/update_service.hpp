// The firmware slots behind v1 `ota` and v2 `ota_install`: verifies and installs images, confirms, rolls
// back.
//
// Threads: the I/O thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "board/config.hpp"
#include "board/services.hpp"
#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"

namespace mqboard::board {

class UpdateService final : public Updates {
 public:
  // `boot` must have slots. Trusts the keys in the slot directory and the one the configuration names; a key
  // that cannot be read is reported and not trusted.
  UpdateService(port::BootClient& boot, const OtaConfig& config,
                std::function<void(int, std::string_view)> report, std::function<TimePoint()> now);
  ~UpdateService();

  // One installation at a time. A newer one of the same image takes its place at once; one of another image
  // does when the operator of the older one is gone: does not answer for kAnswerTime, or, where he cannot be
  // asked, is silent for kSilence. What has arrived is kept.
  static constexpr Millis kAnswerTime{5'000};
  static constexpr Millis kSilence{15'000};
  Result<std::unique_ptr<UpdateSink>, command::Status> open(const Sha256& announced,
                                                            UpdateOperator installer) override;
  Result<std::unique_ptr<UpdateSink>, command::Status> resume(const Sha256& announced,
                                                              UpdateOperator installer) override;
  [[nodiscard]] bool undecided() const override { return asked_at_.has_value(); }
  command::Status confirm() override;
  command::Status roll_back() override;
  std::string status_json() override;

 private:
  class Installation;

  // The refusal of another installation, while the one under way does not give way to it.
  std::optional<command::Status> refusal(const Sha256& announced);
  [[nodiscard]] bool is_gone(const UpdateOperator& installer);

  port::BootClient& boot_;
  std::function<void(int, std::string_view)> report_;
  port::TrustedKeys keys_;
  port::Sha256Hasher hasher_;
  std::vector<std::uint8_t> scratch_;
  boot::SlotInstaller installer_;
  std::function<TimePoint()> now_;
  Installation* active_ = nullptr;
  std::optional<TimePoint> asked_at_;  // its operator, who has not answered yet
};

}  // namespace mqboard::board
