// The crash reports kept on a board: files crash/<id> of the slot directory, <id> eight decimal digits,
// counting up. At most kMaxReports, the oldest dropped for a new one; each is written durably
// (core/base/replace_file.hpp). One user at a time: mqboot between runs, the firmware while it runs.
#pragma once

#include "core/base/file_system.hpp"
#include "core/boot/crash_report.hpp"

namespace mqboard::boot {

using CrashId = std::uint32_t;

class CrashStore {
 public:
  static constexpr std::size_t kMaxReports = 16;

  // `files` is rooted at the slot directory, which has a directory `crash` (SlotStore::prepare).
  explicit CrashStore(FileSystem& files) : files_(files) {}

  // Drops the oldest when there are too many or no room. Durable when it returns success.
  FsResult<CrashId> add(const CrashReport& report);

  struct Entry {
    CrashId id = 0;
    std::uint64_t size_bytes = 0;
  };
  // The reports kept, oldest first, as many as fit `into`.
  FsResult<std::span<Entry>> list(std::span<Entry, kMaxReports + 1> into) const;

  // The report's text, borrowed from `into` (kMaxCrashReport is always enough).
  FsResult<Bytes> read(CrashId id, MutableBytes into) const;
  FsResult<void> remove(CrashId id);

 private:
  FileSystem& files_;
};

}  // namespace mqboard::boot
