#include "core/base/replace_file.hpp"

namespace mqboard {

std::string_view parent_directory(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

FsResult<void> write_all(FileSystem& files, FileId file, Bytes data) {
  while (!data.empty()) {
    const auto count = files.write(file, data);
    if (!count) return Failure{count.error()};
    data = data.subspan(*count);
  }
  return {};
}

FsResult<void> FileReplacement::begin(std::string_view path) {
  abandon();
  if (path.empty()) return Failure{FsError::invalid};
  if (path.size() + kReplacementSuffix.size() > kMaxPath) return Failure{FsError::too_long};
  path_size_ = path.size();
  std::memcpy(name_, path.data(), path.size());
  std::memcpy(name_ + path.size(), kReplacementSuffix.data(), kReplacementSuffix.size());
  const auto existing = files_.stat(path);
  if (existing && existing->kind == FileInfo::Kind::directory) return Failure{FsError::is_a_directory};
  const auto file = files_.open(temporary(), OpenMode::write | OpenMode::create | OpenMode::truncate);
  if (!file) return Failure{file.error()};
  file_ = *file;
  active_ = true;
  return {};
}

FsResult<void> FileReplacement::write(Bytes data) {
  if (!active_) return Failure{FsError::invalid};
  return write_all(files_, file_, data);
}

FsResult<void> FileReplacement::commit() {
  if (!active_) return Failure{FsError::invalid};
  if (const auto synced = files_.sync(file_); !synced) return abandon(), synced;
  active_ = false;
  const auto closed = files_.close(file_);
  const auto renamed = closed ? files_.rename(temporary(), path()) : closed;
  if (!renamed) {
    (void)files_.remove_file(temporary());
    return renamed;
  }
  return files_.sync_directory(parent_directory(path()));
}

void FileReplacement::abandon() {
  if (!active_) return;
  active_ = false;
  (void)files_.close(file_);
  (void)files_.remove_file(temporary());
}

FsResult<void> replace_file(FileSystem& files, std::string_view path, Bytes data) {
  FileReplacement replacement(files);
  if (const auto begun = replacement.begin(path); !begun) return begun;
  if (const auto written = replacement.write(data); !written) return written;
  return replacement.commit();
}

FsResult<Bytes> read_file(FileSystem& files, std::string_view path, MutableBytes into) {
  const auto file = files.open(path, OpenMode::read);
  if (!file) return Failure{file.error()};
  std::size_t used = 0;
  FsResult<Bytes> result = Failure{FsError::no_space};
  for (;;) {
    // One byte beyond the buffer tells a file that fits from one that does not.
    std::uint8_t beyond = 0;
    const MutableBytes room = used < into.size() ? into.subspan(used) : MutableBytes{&beyond, 1};
    const auto count = files.read(*file, room);
    if (!count) {
      result = Failure{count.error()};
      break;
    }
    if (*count == 0) {
      result = Bytes{into.first(used)};
      break;
    }
    if (used == into.size()) break;
    used += *count;
  }
  (void)files.close(*file);
  return result;
}

}  // namespace mqboard
