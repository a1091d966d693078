// A flash file system in memory for tests: files by normalised path, faults on demand.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file_system.hpp"

namespace mqboard::command::testing {

class MemoryFiles final : public FileSystem {
 public:
  struct File {
    std::vector<std::uint8_t> bytes;
    std::int64_t modified_s = 0;
  };
  std::map<std::string, File> files;  // "/a/b"
  std::map<std::string, int> directories{{"/", 0}};
  std::size_t largest_write = SIZE_MAX;  // short writes
  std::optional<FsError> write_fault;    // every write fails
  std::optional<FsError> sync_fault;
  std::optional<std::size_t> corrupt_byte_at;  // stored differently from what was written
  std::vector<std::string> calls;              // sync, rename, sync_directory, in order

  void put(const std::string& path, std::string_view text, std::int64_t modified_s = 0) {
    files[path] = {{text.begin(), text.end()}, modified_s};
  }
  [[nodiscard]] std::string text(const std::string& path) const {
    const auto& bytes = files.at(path).bytes;
    return {bytes.begin(), bytes.end()};
  }
  [[nodiscard]] std::size_t open_files() const { return open_.size(); }

  FsResult<FileId> open(std::string_view path, OpenMode mode) override {
    const std::string key = normal(path);
    if (directories.contains(key)) return Failure<FsError>(FsError::is_a_directory);
    if (!directories.contains(parent(key))) return Failure<FsError>(FsError::not_found);
    if (!files.contains(key) && !has(mode, OpenMode::create)) return Failure<FsError>(FsError::not_found);
    if (has(mode, OpenMode::truncate)) files[key].bytes.clear();
    files[key];
    open_[++last_] = {key, 0};
    return FileId{last_};
  }
  FsResult<std::size_t> read(FileId file, MutableBytes into) override {
    auto& [path, at] = open_.at(static_cast<int>(file));
    const auto& bytes = files.at(path).bytes;
    const std::size_t count = at >= bytes.size() ? 0 : std::min(into.size(), bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at, bytes.size())), count, into.begin());
    at += count;
    return count;
  }
  FsResult<std::size_t> write(FileId file, Bytes data) override {
    if (write_fault) return Failure<FsError>(*write_fault);
    auto& [path, at] = open_.at(static_cast<int>(file));
    auto& bytes = files.at(path).bytes;
    const std::size_t count = std::min(data.size(), largest_write);
    if (bytes.size() < at + count) bytes.resize(at + count);
    for (std::size_t i = 0; i < count; ++i) {
      bytes[at + i] = data[i];
      if (corrupt_byte_at == at + i) bytes[at + i] ^= 1;
    }
    at += count;
    return count;
  }
  FsResult<std::uint64_t> seek(FileId file, std::int64_t offset, SeekFrom from) override {
    auto& [path, at] = open_.at(static_cast<int>(file));
    const std::int64_t base = from == SeekFrom::start ? 0
                              : from == SeekFrom::current
                                  ? static_cast<std::int64_t>(at)
                                  : static_cast<std::int64_t>(files.at(path).bytes.size());
    at = static_cast<std::size_t>(base + offset);
    return at;
  }
  FsResult<void> truncate(FileId file, std::uint64_t size) override {
    files.at(open_.at(static_cast<int>(file)).first).bytes.resize(static_cast<std::size_t>(size));
    return {};
  }
  FsResult<void> sync(FileId file) override {
    calls.push_back("sync " + open_.at(static_cast<int>(file)).first);
    if (sync_fault) return Failure<FsError>(*sync_fault);
    return {};
  }
  FsResult<FileInfo> stat(FileId file) override { return stat(open_.at(static_cast<int>(file)).first); }
  FsResult<void> close(FileId file) override {
    open_.erase(static_cast<int>(file));
    return {};
  }
  FsResult<FileInfo> stat(std::string_view path) override {
    const std::string key = normal(path);
    if (directories.contains(key)) return FileInfo{.kind = FileInfo::Kind::directory};
    const auto found = files.find(key);
    if (found == files.end()) return Failure<FsError>(FsError::not_found);
    return FileInfo{.size_bytes = found->second.bytes.size(), .modified_s = found->second.modified_s};
  }
  FsResult<void> list(std::string_view directory, DirectoryVisitor& visitor) override {
    const std::string key = normal(directory);
    if (!directories.contains(key)) return Failure<FsError>(FsError::not_found);
    for (const auto& [path, ignored] : directories)
      if (path != "/" && parent(path) == key && !visitor.entry(name(path), *stat(path))) return {};
    for (const auto& [path, ignored] : files)
      if (parent(path) == key && !visitor.entry(name(path), *stat(path))) return {};
    return {};
  }
  FsResult<void> make_directory(std::string_view path) override {
    directories[normal(path)] = 0;
    return {};
  }
  FsResult<void> remove_file(std::string_view path) override {
    if (files.erase(normal(path)) == 0) return Failure<FsError>(FsError::not_found);
    return {};
  }
  FsResult<void> remove_directory(std::string_view path) override {
    directories.erase(normal(path));
    return {};
  }
  FsResult<void> rename(std::string_view from, std::string_view to) override {
    calls.push_back("rename " + normal(to));
    const auto found = files.find(normal(from));
    if (found == files.end()) return Failure<FsError>(FsError::not_found);
    files[normal(to)] = found->second;
    files.erase(normal(from));
    return {};
  }
  FsResult<void> sync_directory(std::string_view path) override {
    calls.push_back("sync_directory " + normal(path));
    return {};
  }
  FsResult<FlashSpace> space() override { return FlashSpace{1 << 20, 1 << 19}; }

 private:
  static std::string normal(std::string_view path) {
    std::string key = "/" + std::string(path);
    for (std::size_t at; (at = key.find("//")) != std::string::npos;) key.erase(at, 1);
    if (key.size() > 1 && key.back() == '/') key.pop_back();
    return key;
  }
  static std::string parent(const std::string& key) {
    const auto slash = key.rfind('/');
    return slash == 0 ? "/" : key.substr(0, slash);
  }
  static std::string name(const std::string& key) { return key.substr(key.rfind('/') + 1); }

  std::map<int, std::pair<std::string, std::size_t>> open_;
  int last_ = 0;
};

}  // namespace mqboard::command::testing
