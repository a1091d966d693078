// Chooses what to start: applies the tables of boot_table.hpp to the slots and keeps their records.
//
// Every change of a record is durable before what depends on it happens: an image whose trial cannot be
// recorded is not started. A record that cannot be written never keeps the board from starting something
// else.
#pragma once

#include "core/boot/boot_table.hpp"
#include "core/boot/image.hpp"
#include "core/boot/slot_store.hpp"

namespace mqboard::boot {

enum class BootImage : std::uint8_t { a = 0, b = 1, factory = 2 };
std::string_view name(BootImage image);
constexpr BootImage boot_image(SlotId slot) { return slot == SlotId::a ? BootImage::a : BootImage::b; }
[[nodiscard]] constexpr std::optional<SlotId> slot_of(BootImage image) {
  if (image == BootImage::factory) return {};
  return image == BootImage::a ? SlotId::a : SlotId::b;
}

// Verifies a slot's image and makes it ready to run; consumer of the slot directory on a real board.
class ImageLoader {
 public:
  virtual Result<VerifiedImage, ImageError> load(SlotId slot, const SlotRecord& record) = 0;

 protected:
  ~ImageLoader() = default;
};

struct BootEvent {
  RunEnd last_run;
  std::uint8_t failed_boots = 0;  // before counting last_run
  ModeRequest request = ModeRequest::none;
};

struct BootSettings {
  std::uint8_t max_failed_boots = 3;  // 0: failing boots never lead to safe mode
  bool has_factory = false;
};

struct BootChoice {
  BootImage image = BootImage::factory;
  BootKind kind = BootKind::factory;
  BootMode mode = BootMode::normal;
  std::uint8_t failed_boots = 0;
  Label version{};  // empty for the factory image and plain ones
};

// Hears what the bootloader found, for the log.
class BootObserver {
 public:
  virtual void became_bad(SlotId slot, const SlotRecord& record) = 0;
  virtual void unverifiable(SlotId slot, SlotState state, ImageError error) = 0;
  virtual void not_recorded(SlotId slot, FsError error) = 0;

 protected:
  ~BootObserver() = default;
};

class Bootloader {
 public:
  // Borrows everything. `slots` must be loaded.
  Bootloader(SlotStore& slots, ImageLoader& loader, BootObserver& observer)
      : slots_(slots), loader_(loader), observer_(observer) {}

  // Nothing when there is nothing that may be started.
  [[nodiscard]] std::optional<BootChoice> choose(const BootEvent& event, const BootSettings& settings);

 private:
  void settle_trials(ResetCause cause);
  [[nodiscard]] bool start(SlotId slot, const CandidateRow& row, Label& version);
  [[nodiscard]] std::optional<BootChoice> choose_image(const BootSettings& settings);
  bool update(SlotId slot, const SlotRecord& record);
  void mark_bad(SlotId slot, BadReason reason);

  SlotStore& slots_;
  ImageLoader& loader_;
  BootObserver& observer_;
  std::array<SlotRecord, 2> records_;  // as decided, also where storage refused to take it
};

}  // namespace mqboard::boot
