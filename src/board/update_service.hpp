// The firmware slots behind v1 `ota` and v2 `ota_install`: verifies and installs images, confirms, rolls
// back.
//
// Threads: the I/O thread only.
#pragma once

#include <functional>
#include <memory>
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
                std::function<void(int, std::string_view)> report);
  ~UpdateService();

  // One installation at a time; resume() of the same image takes the place of the older one, mostly that of
  // an operator who was cut off.
  Result<std::unique_ptr<UpdateSink>, command::Status> open(const Sha256& announced) override;
  Result<std::unique_ptr<UpdateSink>, command::Status> resume(const Sha256& announced) override;
  command::Status confirm() override;
  command::Status roll_back() override;
  std::string status_json() override;

 private:
  class Installation;

  port::BootClient& boot_;
  std::function<void(int, std::string_view)> report_;
  port::TrustedKeys keys_;
  port::Sha256Hasher hasher_;
  std::vector<std::uint8_t> scratch_;
  boot::SlotInstaller installer_;
  Installation* active_ = nullptr;
};

}  // namespace mqboard::board
