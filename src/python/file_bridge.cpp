#include "python/file_bridge.hpp"

#include <algorithm>

#include "python/errno.hpp"

namespace mqboard::python {

namespace {

constexpr std::int32_t kFirstDescriptor = 3;
constexpr std::string_view kRomMount = "/rom";

// Flags of open() as the binary numbers them.
constexpr std::uint32_t kAccessMask = 3;
constexpr std::uint32_t kReadOnly = 0;
constexpr std::uint32_t kWriteOnly = 1;
constexpr std::uint32_t kCreate = 0100;
constexpr std::uint32_t kExclusive = 0200;
constexpr std::uint32_t kTruncate = 01000;
constexpr std::uint32_t kAppend = 02000;

template<class Value>
std::int32_t status(const FsResult<Value>& result) {
  return result ? 0 : -errno_of(result.error());
}

// The part of `path` below the ROM's mount point, if it is there.
std::optional<std::string_view> in_rom(std::string_view path) {
  if (!path.starts_with(kRomMount)) return {};
  path.remove_prefix(kRomMount.size());
  if (path.empty()) return path;
  if (path.front() != '/') return {};
  return path.substr(1);
}

OpenMode flash_mode(std::uint32_t flags) {
  const std::uint32_t access = flags & kAccessMask;
  OpenMode mode = access == kReadOnly    ? OpenMode::read
                  : access == kWriteOnly ? OpenMode::write
                                         : OpenMode::read | OpenMode::write;
  if (flags & kCreate) mode = mode | OpenMode::create;
  if (flags & kExclusive) mode = mode | OpenMode::exclusive;
  if (flags & kTruncate) mode = mode | OpenMode::truncate;
  if (flags & kAppend) mode = mode | OpenMode::append;
  return mode;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash);
}

FileBridge::Stat to_stat(const FileInfo& info) {
  return {info.kind == FileInfo::Kind::directory, false, info.size_bytes, info.modified_s, info.inode};
}

FileBridge::Stat to_stat(const RomTree::Node& node) { return {node.directory, true, node.text.size(), 0, 1}; }

}  // namespace

FileBridge::~FileBridge() {
  for (OpenFile& file : files_) {
    // The interpreter is gone: there is nobody left to tell.
    if (auto* flash_file = std::get_if<FlashFile>(&file)) static_cast<void>(flash_.close(flash_file->id));
  }
}

std::optional<std::string> FileBridge::absolute(std::string_view path) const {
  std::string whole = path.starts_with('/') ? std::string(path) : current_ + "/" + std::string(path);
  std::string result;
  for (std::size_t begin = 0; begin <= whole.size();) {
    const std::size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string_view name = std::string_view(whole).substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name != "..") {
      result.append("/").append(name);
    } else if (result.empty()) {
      return {};
    } else {
      result.resize(result.rfind('/'));
    }
  }
  if (result.empty()) result = "/";
  return result;
}

FileBridge::OpenFile* FileBridge::find(std::int32_t descriptor) {
  const std::int32_t index = descriptor - kFirstDescriptor;
  if (index < 0 || index >= static_cast<std::int32_t>(files_.size())) return nullptr;
  OpenFile& file = files_[static_cast<std::size_t>(index)];
  return std::holds_alternative<Closed>(file) ? nullptr : &file;
}

std::int32_t FileBridge::add(OpenFile file) {
  std::size_t index = 0;
  while (index < files_.size() && !std::holds_alternative<Closed>(files_[index])) ++index;
  if (index == files_.size()) files_.emplace_back();
  files_[index] = std::move(file);
  return static_cast<std::int32_t>(index) + kFirstDescriptor;
}

std::int32_t FileBridge::open(std::string_view path, std::uint32_t flags) {
  const auto open =
      std::ranges::count_if(files_, [](const OpenFile& f) { return !std::holds_alternative<Closed>(f); });
  if (static_cast<std::size_t>(open) >= limit_) return -EMFILE;
  const auto whole = absolute(path);
  if (!whole) return -EACCES;
  const bool reads_only = (flags & kAccessMask) == kReadOnly && (flags & (kCreate | kTruncate)) == 0;

  Stat found;
  const std::int32_t missing = stat(*whole, found);
  if (missing == 0 && found.directory) return reads_only ? open_directory(*whole) : -EISDIR;
  if (const auto rom_path = in_rom(*whole)) {
    if (!reads_only) return -EROFS;
    if (missing != 0) return missing;
    return add(RomFileOpen{rom_.find(*rom_path)->text});
  }
  if (path.ends_with('/')) return missing == 0 ? -ENOTDIR : missing;
  return open_flash(*whole, flags);
}

std::int32_t FileBridge::open_flash(const std::string& path, std::uint32_t flags) {
  const OpenMode mode = flash_mode(flags);
  const auto id = flash_.open(path, mode);
  if (!id) return status(id);
  return add(FlashFile{*id, has(mode, OpenMode::truncate) || has(mode, OpenMode::create)});
}

std::int32_t FileBridge::open_directory(const std::string& path) {
  Directory directory;
  if (const auto rom_path = in_rom(path)) {
    for (const std::string& name : rom_.find(*rom_path)->names) {
      const std::string child = rom_path->empty() ? name : std::string(*rom_path) + "/" + name;
      directory.entries.push_back({name, rom_.find(child)->directory, 1});
    }
    return add(std::move(directory));
  }
  struct Collect final : DirectoryVisitor {
    std::vector<Entry>& entries;
    explicit Collect(std::vector<Entry>& into) : entries(into) {}
    bool entry(std::string_view name, const FileInfo& info) override {
      entries.push_back({std::string(name), info.kind == FileInfo::Kind::directory, info.inode});
      return true;
    }
  } collect(directory.entries);
  const auto listed = flash_.list(path, collect);
  if (!listed) return status(listed);
  std::ranges::sort(directory.entries, {}, &Entry::name);
  return add(std::move(directory));
}

std::int32_t FileBridge::close(std::int32_t descriptor) {
  OpenFile* file = find(descriptor);
  if (file == nullptr) return -EBADF;
  std::int32_t result = 0;
  if (auto* flash_file = std::get_if<FlashFile>(file)) {
    if (flash_file->written) result = status(flash_.sync(flash_file->id));
    const auto closed = flash_.close(flash_file->id);
    if (result == 0) result = status(closed);
  }
  *file = Closed{};
  return result;
}

std::int32_t FileBridge::read(std::int32_t descriptor, MutableBytes into) {
  OpenFile* file = find(descriptor);
  if (file == nullptr) return descriptor == 0 ? 0 : -EBADF;
  if (auto* rom_file = std::get_if<RomFileOpen>(file)) {
    const std::size_t count =
        std::min(into.size(), rom_file->text.size() - std::min(rom_file->position, rom_file->text.size()));
    if (count != 0) std::copy_n(rom_file->text.data() + rom_file->position, count, into.data());
    rom_file->position += count;
    return static_cast<std::int32_t>(count);
  }
  if (auto* flash_file = std::get_if<FlashFile>(file)) {
    const auto count = flash_.read(flash_file->id, into);
    return count ? static_cast<std::int32_t>(*count) : status(count);
  }
  return -EISDIR;
}

std::int32_t FileBridge::write(std::int32_t descriptor, Bytes data) {
  OpenFile* file = find(descriptor);
  auto* flash_file = file == nullptr ? nullptr : std::get_if<FlashFile>(file);
  if (flash_file == nullptr) return -EBADF;
  if (data.empty()) return 0;
  flash_file->written = true;
  const auto count = flash_.write(flash_file->id, data);
  return count ? static_cast<std::int32_t>(*count) : status(count);
}

std::int32_t FileBridge::seek(std::int32_t descriptor, std::int64_t offset, std::uint32_t whence,
                              std::uint64_t& position) {
  OpenFile* file = find(descriptor);
  if (file == nullptr || whence > 2) return file == nullptr ? -EBADF : -EINVAL;
  if (auto* rom_file = std::get_if<RomFileOpen>(file)) {
    const std::size_t base = whence == 0 ? 0 : whence == 1 ? rom_file->position : rom_file->text.size();
    const std::int64_t target =
        static_cast<std::int64_t>(base) + std::clamp<std::int64_t>(offset, INT32_MIN, INT32_MAX);
    if (target < 0) return -EINVAL;
    rom_file->position = static_cast<std::size_t>(target);
    position = rom_file->position;
    return 0;
  }
  if (auto* flash_file = std::get_if<FlashFile>(file)) {
    const SeekFrom from = whence == 0 ? SeekFrom::start : whence == 1 ? SeekFrom::current : SeekFrom::end;
    const auto reached = flash_.seek(flash_file->id, offset, from);
    if (!reached) return status(reached);
    position = *reached;
    return 0;
  }
  auto& directory = std::get<Directory>(*file);
  if (offset == 0 && whence == 0) directory.position = 0;
  position = directory.position;
  return 0;
}

std::int32_t FileBridge::sync(std::int32_t descriptor) {
  OpenFile* file = find(descriptor);
  if (file == nullptr) return descriptor <= 2 ? 0 : -EBADF;
  auto* flash_file = std::get_if<FlashFile>(file);
  return flash_file == nullptr ? 0 : status(flash_.sync(flash_file->id));
}

std::int32_t FileBridge::stat(std::int32_t descriptor, Stat& result) {
  OpenFile* file = find(descriptor);
  if (file == nullptr) return -EBADF;
  if (auto* flash_file = std::get_if<FlashFile>(file)) {
    const auto info = flash_.stat(flash_file->id);
    if (!info) return status(info);
    result = to_stat(*info);
  } else if (auto* rom_file = std::get_if<RomFileOpen>(file)) {
    result = {false, true, rom_file->text.size(), 0, 1};
  } else {
    result.directory = true;
  }
  return 0;
}

std::int32_t FileBridge::next_entry(std::int32_t descriptor, Entry& entry, bool consume) {
  OpenFile* file = find(descriptor);
  auto* directory = file == nullptr ? nullptr : std::get_if<Directory>(file);
  if (directory == nullptr) return file == nullptr ? -EBADF : -ENOTDIR;
  if (directory->position >= directory->entries.size()) return 0;
  entry = directory->entries[directory->position];
  if (consume) ++directory->position;
  return 1;
}

std::int32_t FileBridge::stat(std::string_view path, Stat& result) {
  const auto whole = absolute(path);
  if (!whole) return -EACCES;
  if (const auto rom_path = in_rom(*whole)) {
    const RomTree::Node* node = rom_.find(*rom_path);
    if (node == nullptr) return -ENOENT;
    result = to_stat(*node);
    return 0;
  }
  const auto info = flash_.stat(*whole);
  if (!info) return status(info);
  result = to_stat(*info);
  return 0;
}

template<class Change>
std::int32_t FileBridge::change_name(std::string_view path, Change change) {
  const auto whole = absolute(path);
  if (!whole) return -EACCES;
  if (in_rom(*whole)) return -EROFS;
  const auto changed = change(*whole);
  if (!changed) return status(changed);
  return status(flash_.sync_directory(parent_of(*whole)));
}

std::int32_t FileBridge::make_directory(std::string_view path) {
  return change_name(path, [this](const std::string& whole) { return flash_.make_directory(whole); });
}

std::int32_t FileBridge::remove_file(std::string_view path) {
  return change_name(path, [this](const std::string& whole) { return flash_.remove_file(whole); });
}

std::int32_t FileBridge::remove_directory(std::string_view path) {
  return change_name(path, [this](const std::string& whole) { return flash_.remove_directory(whole); });
}

std::int32_t FileBridge::rename(std::string_view from, std::string_view to) {
  const auto source = absolute(from);
  if (!source) return -EACCES;
  if (in_rom(*source)) return -EROFS;
  const std::int32_t renamed =
      change_name(to, [&](const std::string& target) { return flash_.rename(*source, target); });
  return renamed != 0 ? renamed : status(flash_.sync_directory(parent_of(*source)));
}

std::int32_t FileBridge::change_directory(std::string_view path) {
  const auto whole = absolute(path);
  if (!whole) return -EACCES;
  Stat found;
  if (const std::int32_t missing = stat(*whole, found); missing != 0) return missing;
  if (!found.directory) return -ENOTDIR;
  current_ = *whole;
  return 0;
}

std::int32_t FileBridge::space(FlashSpace& result) {
  const auto space = flash_.space();
  if (!space) return status(space);
  result = *space;
  return 0;
}

}  // namespace mqboard::python
