// The slot directory: images and slot records in durable storage.
//
//   a/image  b/image                the firmware images (core/boot/image.hpp)
//   records/a.0 a.1 b.0 b.1         each slot's record in two copies, written in turn
//   crash/                          crash reports (core/boot/crash_store.hpp)
//   keys/                           public keys of those who may sign images
//
// A record is written to the copy that does not count, then synced: a cut leaves the old record or the new.
// mqboot changes records between runs of the firmware, the firmware while it runs; never both at once.
#pragma once

#include "core/base/file_system.hpp"
#include "core/boot/slot_record.hpp"

namespace mqboard::boot {

class SlotStore {
 public:
  // `files` is rooted at the slot directory and must outlive the store.
  explicit SlotStore(FileSystem& files) : files_(files) {}

  // Makes the directories that are missing.
  FsResult<void> prepare();

  // Reads both records. A copy that cannot be read counts as absent, a slot without a whole copy as empty.
  void load();

  [[nodiscard]] const SlotRecord& record(SlotId slot) const { return slots_[index(slot)].record; }

  // Durable when it returns success. After a failure the old record still counts, and after a power cut the
  // old or the new. Carries the security floor along, whatever `record` says about it.
  FsResult<void> store(SlotId slot, const SlotRecord& record);

  [[nodiscard]] std::uint32_t security_floor() const;
  [[nodiscard]] std::uint32_t next_order() const;

  [[nodiscard]] static std::string_view image_path(SlotId slot);
  [[nodiscard]] static std::string_view directory(SlotId slot);
  [[nodiscard]] FileSystem& files() const { return files_; }

 private:
  struct Slot {
    SlotRecord record;
    std::size_t next_copy = 0;
    std::uint32_t next_sequence = 1;
  };

  [[nodiscard]] Slot read_slot(SlotId slot) const;

  FileSystem& files_;
  std::array<Slot, 2> slots_;
};

}  // namespace mqboard::boot
