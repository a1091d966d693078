#include "core/boot/crash_store.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/replace_file.hpp"

namespace mqboard::boot {
namespace {

constexpr std::string_view kDirectory = "crash";
constexpr std::size_t kDigits = 8;
constexpr CrashId kMaxId = 99'999'999;

struct ReportPath {
  explicit ReportPath(CrashId id) {
    std::ranges::copy(kPrefix, text);
    for (std::size_t i = sizeof text; i-- > kPrefix.size(); id /= 10)
      text[i] = static_cast<char>('0' + id % 10);
  }
  [[nodiscard]] std::string_view view() const { return {text, sizeof text}; }

  static constexpr std::string_view kPrefix = "crash/";
  char text[kPrefix.size() + kDigits];
};

// 0 for a name that is no report's.
CrashId parse_id(std::string_view name) {
  CrashId id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool whole = error == std::errc{} && end == name.data() + name.size();
  return whole && name.size() == kDigits ? id : 0;
}

// Keeps the newest entries that fit, in order.
class Collector final : public DirectoryVisitor {
 public:
  explicit Collector(std::span<CrashStore::Entry> into) : into_(into) {}

  bool entry(std::string_view name, const FileInfo& info) override {
    const CrashId id = parse_id(name);
    if (id == 0 || info.kind != FileInfo::Kind::file) return true;
    if (count_ == into_.size()) {
      if (id < into_[0].id) return true;
      std::ranges::copy(into_.subspan(1), into_.begin());
      --count_;
    }
    const auto held = into_.first(count_);
    const auto place = std::ranges::upper_bound(held, id, {}, &CrashStore::Entry::id);
    std::ranges::copy_backward(place, held.end(), into_.begin() + static_cast<std::ptrdiff_t>(count_) + 1);
    *place = {.id = id, .size_bytes = info.size_bytes};
    ++count_;
    return true;
  }
  [[nodiscard]] std::span<CrashStore::Entry> entries() const { return into_.first(count_); }

 private:
  std::span<CrashStore::Entry> into_;
  std::size_t count_ = 0;
};

}  // namespace

FsResult<std::span<CrashStore::Entry>> CrashStore::list(std::span<Entry, kMaxReports + 1> into) const {
  Collector collector(into);
  if (const auto listed = files_.list(kDirectory, collector); !listed) return Failure{listed.error()};
  return collector.entries();
}

FsResult<CrashId> CrashStore::add(const CrashReport& report) {
  std::array<Entry, kMaxReports + 1> room;
  const auto kept = list(room);
  if (!kept) return Failure{kept.error()};
  std::span<Entry> entries = *kept;
  const CrashId id = entries.empty() ? 1 : entries.back().id % kMaxId + 1;
  // Not synced: that is done with the new report, and until then there may be one more after a power cut.
  const auto drop_oldest = [&] {
    (void)files_.remove_file(ReportPath(entries.front().id).view());
    entries = entries.subspan(1);
  };
  while (entries.size() >= kMaxReports) drop_oldest();

  std::array<std::uint8_t, kMaxCrashReport> text;
  const Bytes encoded = encode(report, text);
  for (;;) {
    const auto stored = replace_file(files_, ReportPath(id).view(), encoded);
    if (stored) return id;
    if (stored.error() != FsError::no_space || entries.empty()) return Failure{stored.error()};
    drop_oldest();
    (void)files_.sync_directory(kDirectory);  // what was removed may keep its room until then
  }
}

FsResult<Bytes> CrashStore::read(CrashId id, MutableBytes into) const {
  return read_file(files_, ReportPath(id).view(), into);
}

FsResult<void> CrashStore::remove(CrashId id) {
  if (const auto removed = files_.remove_file(ReportPath(id).view()); !removed) return removed;
  return files_.sync_directory(kDirectory);
}

}  // namespace mqboard::boot
