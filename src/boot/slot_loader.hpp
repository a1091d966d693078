// Verifies a slot's image into sealed memory that can be executed: what runs is what was verified.
#pragma once

#include <vector>

#include "core/boot/bootloader.hpp"
#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/fd.hpp"

namespace mqboard::boot {

class SlotLoader final : public ImageLoader {
 public:
  // Borrows `files`, rooted at the slot directory, and `keys`.
  SlotLoader(FileSystem& files, const ImagePolicy& policy, port::TrustedKeys& keys)
      : files_(files), policy_(policy), keys_(keys), scratch_(256 * 1024) {}

  Result<VerifiedImage, ImageError> load(SlotId slot, const SlotRecord& record) override;

  // Of the last slot loaded successfully.
  [[nodiscard]] port::Fd take_executable() { return std::move(executable_); }

 private:
  FileSystem& files_;
  const ImagePolicy policy_;
  port::TrustedKeys& keys_;
  port::Sha256Hasher hasher_;
  std::vector<std::uint8_t> scratch_;
  port::Fd executable_;
};

}  // namespace mqboard::boot
