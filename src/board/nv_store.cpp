#include "board/nv_store.hpp"

#include "core/base/bytes.hpp"
#include "core/base/crc32.hpp"
#include "core/base/replace_file.hpp"

namespace mqboard::board {

namespace {

constexpr std::string_view kMagic = "MQBNVS1\n";
constexpr std::size_t kFrameBytes = kMagic.size() + 4;
constexpr std::size_t kItemBytes = 5;  // lengths and kind

enum Kind : std::uint8_t { kInteger = 1, kBlob = 2 };

bool is_name(std::string_view name) { return !name.empty() && name.size() <= NvStore::kMaxName; }

std::size_t data_bytes(const NvStore::Item& item) {
  const auto* blob = std::get_if<std::vector<std::uint8_t>>(&item);
  return blob != nullptr ? blob->size() : 4;
}

}  // namespace

std::size_t NvStore::size_of(const Name& name, const Item& item) {
  return kItemBytes + name.first.size() + name.second.size() + data_bytes(item);
}

bool NvStore::parse(Bytes file) {
  if (file.size() < kFrameBytes) return false;
  Reader checksum(file.last(4));
  if (crc32(file.first(file.size() - 4)) != checksum.u32()) return false;
  Reader in(file.first(file.size() - 4));
  if (as_text(in.take(kMagic.size())) != kMagic) return false;
  while (!in.failed() && !in.at_end()) {
    Name name;
    name.first = as_text(in.take(in.u8()));
    name.second = as_text(in.take(in.u8()));
    const std::uint8_t kind = in.u8();
    const Bytes data = in.take(in.u16());
    if (in.failed() || (kind == kInteger && data.size() != 4)) return false;
    Item item = std::vector<std::uint8_t>(data.begin(), data.end());
    if (kind == kInteger) item = static_cast<std::int32_t>(Reader(data).u32());
    bytes_ += size_of(name, item);
    items_.insert_or_assign(std::move(name), std::move(item));
  }
  return !in.failed();
}

FsResult<void> NvStore::load() {
  if (loaded_) return {};
  std::vector<std::uint8_t> buffer(kMaxFile);
  const auto file = read_file(files_, path_, buffer);
  const bool missing = !file && file.error() == FsError::not_found;
  const bool too_large = !file && file.error() == FsError::no_space;
  if (!file && !missing && !too_large) return Failure(file.error());
  loaded_ = true;
  if (missing) return {};
  if (!file || !parse(*file)) {
    damaged_ = true;
    items_.clear();
    bytes_ = 0;
  }
  return {};
}

std::optional<NvStore::Item> NvStore::get(std::string_view space, std::string_view key) {
  if (!load()) return {};
  const auto found = items_.find(Name(space, key));
  if (found == items_.end()) return {};
  return found->second;
}

FsResult<void> NvStore::set(std::string_view space, std::string_view key, Item item) {
  if (const auto loaded = load(); !loaded) return loaded;
  if (!is_name(space) || !is_name(key) || data_bytes(item) > kMaxBlob) return Failure(FsError::invalid);
  Name name(space, key);
  const auto found = items_.find(name);
  const std::size_t before = found == items_.end() ? 0 : size_of(name, found->second);
  const std::size_t after = bytes_ - before + size_of(name, item);
  if (after > kMaxFile - kFrameBytes) return Failure(FsError::no_space);
  bytes_ = after;
  items_.insert_or_assign(std::move(name), std::move(item));
  changed_ = true;
  return {};
}

bool NvStore::erase(std::string_view space, std::string_view key) {
  if (!load()) return false;
  const auto found = items_.find(Name(space, key));
  if (found == items_.end()) return false;
  bytes_ -= size_of(found->first, found->second);
  items_.erase(found);
  changed_ = true;
  return true;
}

FsResult<void> NvStore::commit() {
  if (!changed_) return {};
  std::vector<std::uint8_t> file(kFrameBytes + bytes_);
  Writer out(file);
  out.text(kMagic);
  for (const auto& [name, item] : items_) {
    out.u8(static_cast<std::uint8_t>(name.first.size()));
    out.text(name.first);
    out.u8(static_cast<std::uint8_t>(name.second.size()));
    out.text(name.second);
    const auto* blob = std::get_if<std::vector<std::uint8_t>>(&item);
    out.u8(blob != nullptr ? kBlob : kInteger);
    out.u16(static_cast<std::uint16_t>(data_bytes(item)));
    if (blob != nullptr) {
      out.bytes(*blob);
    } else {
      out.u32(static_cast<std::uint32_t>(std::get<std::int32_t>(item)));
    }
  }
  out.u32(crc32(out.written()));
  if (auto made = files_.make_directory(directory_); made) {
    if (auto synced = files_.sync_directory(parent_directory(directory_)); !synced) return synced;
  } else if (made.error() != FsError::exists) {
    return made;
  }
  if (auto written = replace_file(files_, path_, out.written()); !written) return written;
  changed_ = false;
  return {};
}

}  // namespace mqboard::board
