#include "core/boot/slot_store.hpp"

#include "core/base/replace_file.hpp"

namespace mqboard::boot {
namespace {

constexpr std::string_view kRecords = "records";
constexpr std::string_view kDirectories[] = {"a", "b", kRecords, "crash", "keys"};
constexpr std::string_view kCopies[2][2] = {{"records/a.0", "records/a.1"}, {"records/b.0", "records/b.1"}};

// Room for the longer records of later versions, which are then recognised as foreign.
constexpr std::size_t kPageBytes = 512;
using Page = std::array<std::uint8_t, kPageBytes>;

FsResult<void> write_in_place(FileSystem& files, std::string_view path, Bytes data) {
  const auto file = files.open(path, OpenMode::write | OpenMode::create);
  if (!file) return Failure{file.error()};
  auto result = write_all(files, *file, data);
  // Damage can have made the file longer than what is ever read of it.
  if (const auto info = files.stat(*file); result && info && info->size_bytes > kPageBytes) {
    result = files.truncate(*file, data.size());
  }
  if (result) result = files.sync(*file);
  const auto closed = files.close(*file);
  if (!result) return result;
  if (!closed) return closed;
  return files.sync_directory(parent_directory(path));
}

}  // namespace

std::string_view SlotStore::directory(SlotId slot) { return kDirectories[index(slot)]; }
std::string_view SlotStore::image_path(SlotId slot) { return slot == SlotId::a ? "a/image" : "b/image"; }

FsResult<void> SlotStore::prepare() {
  for (const std::string_view directory : kDirectories) {
    const auto made = files_.make_directory(directory);
    if (!made && made.error() != FsError::exists) return made;
  }
  return files_.sync_directory("");
}

void SlotStore::load() {
  for (const SlotId slot : {SlotId::a, SlotId::b}) slots_[index(slot)] = read_slot(slot);
}

SlotStore::Slot SlotStore::read_slot(SlotId slot) const {
  std::array<Page, 2> pages{};
  std::array<std::optional<Unsealed>, 2> copies;
  for (const std::size_t copy : {0u, 1u}) {
    const auto read = read_file(files_, kCopies[index(slot)][copy], pages[copy]);
    if (!read) continue;
    copies[copy] = unseal(*read, kSlotRecordFormat);
    if (copies[copy] && !decode_slot_record(copies[copy]->payload)) copies[copy].reset();
  }
  const Alternation turn = alternate(copies);
  Slot result{.record = {}, .next_copy = turn.next, .next_sequence = turn.next_sequence};
  if (turn.current) result.record = *decode_slot_record(copies[*turn.current]->payload);
  return result;
}

FsResult<void> SlotStore::store(SlotId slot, const SlotRecord& record) {
  Slot& target = slots_[index(slot)];
  SlotRecord carried = record;
  carried.security_floor = security_floor();
  if (record.state == SlotState::confirmed) {
    carried.security_floor = std::max(carried.security_floor, record.security_counter);
  }
  Page page;
  const Bytes sealed = seal(page, kSlotRecordFormat, target.next_sequence, encode(carried));
  const auto written = write_in_place(files_, kCopies[index(slot)][target.next_copy], sealed);
  if (!written) return written;
  target = {.record = carried, .next_copy = 1 - target.next_copy, .next_sequence = target.next_sequence + 1};
  return {};
}

std::uint32_t SlotStore::security_floor() const {
  return std::max(record(SlotId::a).security_floor, record(SlotId::b).security_floor);
}

std::uint32_t SlotStore::next_order() const {
  return std::max(record(SlotId::a).order, record(SlotId::b).order) + 1;
}

}  // namespace mqboard::boot
