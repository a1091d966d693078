// For tests: a board reduced to its flash, its slots and what its firmware would do, on a simulated flash.
#pragma once

#include <string>
#include <vector>

#include "core/boot/bootloader.hpp"
#include "core/boot/installer.hpp"
#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/sim/faulty_flash.hpp"

namespace mqboard::port::sim {

inline constexpr std::string_view kRigHardware = "simulated";

// One vendor's key, the images it signs, and a verifier that trusts it. Signatures are checked once and
// remembered: simulations verify the same images very often.
class Vendor final : public boot::Verifier {
 public:
  Vendor();

  // An image of this version whose payload is `payload`.
  std::vector<std::uint8_t> image(std::string_view version, std::uint32_t security_counter,
                                  std::string_view payload, std::string_view hardware = kRigHardware);
  Verdict verify(const boot::KeyId& key, Bytes message, const boot::Signature& signature) override;

 private:
  PrivateKey key_;
  TrustedKeys trusted_;
  std::map<std::pair<std::vector<std::uint8_t>, boot::Signature>, Verdict> verdicts_;
};

// What is outside storage and survives nothing: hasher, scratch memory, policy.
struct Bench {
  Vendor vendor;
  Sha256Hasher hasher;
  std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(512);
  boot::ImagePolicy policy{.product = *boot::Label::make("mqboard"),
                           .hardware = *boot::Label::make(kRigHardware)};

  [[nodiscard]] boot::ImageTools tools() { return {hasher, vendor, scratch}; }
};

// Starts a board as mqboot does, and acts as its firmware does.
class Rig final : public boot::ImageLoader, public boot::BootObserver {
 public:
  // Borrows both. The flash needs slot directories: prepare().
  Rig(FileSystem& flash, Bench& bench) : flash_(flash), bench_(bench), slots_(flash) {}

  // Loads the records and chooses. What the last run was is given: RTC memory is not simulated here.
  std::optional<boot::BootChoice> boot(boot::ResetCause cause, const boot::BootSettings& settings = {});
  std::optional<boot::BootChoice> boot(const boot::BootEvent& event, const boot::BootSettings& settings);

  boot::InstallResult<boot::SlotId> install(boot::BootImage running, Bytes image, std::size_t piece = 1000,
                                            const std::optional<Sha256>& announced = {});
  // Goes on behind what is there of the image; what has arrived stays when it fails.
  boot::InstallResult<boot::SlotId> install_resumed(boot::BootImage running, Bytes image,
                                                    std::size_t piece = 1000);
  // An installation that ends after `bytes`, what has arrived being kept.
  bool install_part(boot::BootImage running, Bytes image, std::size_t bytes);
  // How much of the image the last install_resumed() found.
  [[nodiscard]] std::uint64_t resumed_bytes() const { return resumed_bytes_; }

  [[nodiscard]] boot::SlotStore& slots() { return slots_; }
  [[nodiscard]] boot::SlotState state(boot::SlotId slot) const { return slots_.record(slot).state; }
  // Lines of what the observer heard since the last boot.
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }

  Result<boot::VerifiedImage, boot::ImageError> load(boot::SlotId slot,
                                                     const boot::SlotRecord& record) override;
  void became_bad(boot::SlotId slot, const boot::SlotRecord& record) override;
  void unverifiable(boot::SlotId slot, boot::SlotState state, boot::ImageError error) override;
  void not_recorded(boot::SlotId slot, FsError error) override;

 private:
  FileSystem& flash_;
  Bench& bench_;
  boot::SlotStore slots_;
  std::vector<std::string> events_;
  std::uint64_t resumed_bytes_ = 0;
};

}  // namespace mqboard::port::sim
