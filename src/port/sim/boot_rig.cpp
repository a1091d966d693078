#include "port/sim/boot_rig.hpp"

namespace mqboard::port::sim {

Vendor::Vendor() : key_(PrivateKey::generate()) { trusted_.add(key_.public_key()); }

std::vector<std::uint8_t> Vendor::image(std::string_view version, std::uint32_t security_counter,
                                        std::string_view payload, std::string_view hardware) {
  const boot::ImageHeader header{.product = *boot::Label::make("mqboard"),
                                 .hardware = *boot::Label::make(hardware),
                                 .version = *boot::Label::make(version),
                                 .security_counter = security_counter,
                                 .payload_bytes = payload.size(),
                                 .payload_hash = sha256(as_bytes(payload))};
  const auto signed_header = boot::sign_header(header, key_);
  std::vector<std::uint8_t> image(signed_header.begin(), signed_header.end());
  image.insert(image.end(), payload.begin(), payload.end());
  return image;
}

boot::Verifier::Verdict Vendor::verify(const boot::KeyId& key, Bytes message,
                                       const boot::Signature& signature) {
  const auto [known, is_new] = verdicts_.try_emplace({{message.begin(), message.end()}, signature});
  if (is_new) known->second = trusted_.verify(key, message, signature);
  return known->second;
}

std::optional<boot::BootChoice> Rig::boot(boot::ResetCause cause, const boot::BootSettings& settings) {
  return boot(boot::BootEvent{.last_run = {.cause = cause}}, settings);
}

std::optional<boot::BootChoice> Rig::boot(const boot::BootEvent& event, const boot::BootSettings& settings) {
  events_.clear();
  slots_.load();
  return boot::Bootloader(slots_, *this, *this).choose(event, settings);
}

boot::InstallResult<boot::SlotId> Rig::install(boot::BootImage running, Bytes image, std::size_t piece,
                                               const std::optional<Sha256>& announced) {
  boot::SlotInstaller installer(slots_, bench_.policy, bench_.tools());
  if (const auto begun = installer.begin(running, announced); !begun) return Failure{begun.error()};
  while (!image.empty()) {
    const Bytes next = image.first(std::min(piece, image.size()));
    if (const auto written = installer.write(next); !written) return Failure{written.error()};
    image = image.subspan(next.size());
  }
  return installer.commit();
}

boot::InstallResult<boot::SlotId> Rig::install_resumed(boot::BootImage running, Bytes image,
                                                       std::size_t piece) {
  boot::SlotInstaller installer(slots_, bench_.policy, bench_.tools());
  resumed_bytes_ = 0;
  const auto found = installer.resume(running, sha256(image));
  if (!found) return Failure{found.error()};
  if (found->bytes != 0 && found->bytes <= image.size() &&
      sha256(image.first(static_cast<std::size_t>(found->bytes))) == found->hash) {
    if (const auto there = installer.go_on(); !there) return Failure{there.error()};
    image = image.subspan(static_cast<std::size_t>(found->bytes));
    resumed_bytes_ = found->bytes;
  }
  while (!image.empty()) {
    const Bytes next = image.first(std::min(piece, image.size()));
    if (const auto written = installer.write(next); !written) {
      installer.suspend();
      return Failure{written.error()};
    }
    image = image.subspan(next.size());
  }
  return installer.commit();
}

bool Rig::install_part(boot::BootImage running, Bytes image, std::size_t bytes) {
  boot::SlotInstaller installer(slots_, bench_.policy, bench_.tools());
  const bool written = installer.begin(running, {}) && installer.write(image.first(bytes));
  installer.suspend();
  return written;
}

Result<boot::VerifiedImage, boot::ImageError> Rig::load(boot::SlotId slot, const boot::SlotRecord& record) {
  return boot::verify_slot(flash_, slot, record, bench_.policy, bench_.tools(), nullptr);
}

void Rig::became_bad(boot::SlotId slot, const boot::SlotRecord& record) {
  events_.push_back(std::string(name(slot)) + " bad: " + std::string(name(record.reason)));
}

void Rig::unverifiable(boot::SlotId slot, boot::SlotState state, boot::ImageError error) {
  events_.push_back(std::string(name(slot)) + " " + std::string(name(state)) + ": " +
                    std::string(name(error)));
}

void Rig::not_recorded(boot::SlotId slot, FsError error) {
  events_.push_back(std::string(name(slot)) + " not recorded: " + std::string(errno_name(error)));
}

}  // namespace mqboard::port::sim
