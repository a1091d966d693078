#include "mqtt/persistence/file_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/base/crc32.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::uint8_t kHeader[] = {'M', 'Q', 'B', 'S', 1, 0, 0, 0};
constexpr std::size_t kEntryHeader = 11;
constexpr std::uint8_t kErased = 0x80;
constexpr std::size_t kRewriteFrom = 256 * 1024;  // smaller files are not worth rewriting

std::size_t entry_bytes(const std::vector<std::uint8_t>& value) { return kEntryHeader + value.size(); }

void append_entry(std::vector<std::uint8_t>& to, RecordKey key, bool erased, Bytes value) {
  const std::size_t begin = to.size();
  to.resize(begin + kEntryHeader + value.size());
  const MutableBytes entry = std::span(to).subspan(begin);
  Writer body(entry.subspan(4));
  body.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(key.kind) | (erased ? kErased : 0)));
  body.u16(key.packet_id);
  body.u32(static_cast<std::uint32_t>(value.size()));
  body.bytes(value);
  Writer(entry.first(4)).u32(crc32(body.written()));
}

bool write_all(int file, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

std::vector<std::uint8_t> read_all(int file) {
  std::vector<std::uint8_t> content;
  std::uint8_t chunk[64 * 1024];
  for (ssize_t count; (count = ::read(file, chunk, sizeof chunk)) != 0;) {
    if (count < 0 && errno != EINTR) break;
    if (count > 0) content.insert(content.end(), chunk, chunk + count);
  }
  return content;
}

// Makes a rename durable.
bool sync_folder_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const bool synced = ::fsync(folder) == 0;
  ::close(folder);
  return synced;
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(const std::string& path) {
  std::unique_ptr<FileStore> store(new FileStore(path));
  if (auto opened = store->open_file(); !opened) return std::unexpected(std::move(opened.error()));
  return store;
}

FileStore::~FileStore() { close(); }

void FileStore::close() {
  commit();
  closed_ = true;
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

std::unexpected<Error> FileStore::failure(std::string_view doing) const {
  return std::unexpected(
      Error(Errc::storage_failed, path_ + ": " + std::string(doing) + ": " + std::strerror(errno)));
}

Result<void> FileStore::open_file() {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return failure("cannot open the session file");
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) return failure("session file is in use by another client");
  const std::vector<std::uint8_t> journal = read_all(file_);
  const Bytes content(journal);
  const bool known =
      content.size() >= sizeof kHeader && std::memcmp(content.data(), kHeader, sizeof kHeader) == 0;
  // A file shorter than its header was cut while it was created: it never held anything.
  if (!known && content.size() >= sizeof kHeader) {
    return std::unexpected(Error(Errc::storage_failed, path_ + ": not a session file"));
  }
  if (known) replay(content.subspan(sizeof kHeader));
  if (!rewrite()) return failure("cannot write the session file");
  return {};
}

void FileStore::replay(Bytes journal) {
  for (;;) {
    Reader entry(journal);
    const std::uint32_t crc = entry.u32();
    const Bytes body = entry.rest();
    const std::uint8_t kind = entry.u8();
    const std::uint16_t id = entry.u16();
    const Bytes value = entry.take(entry.u32());
    if (entry.failed() || crc32(body.first(kEntryHeader - 4 + value.size())) != crc) return;
    const RecordKey key{static_cast<RecordKey::Kind>(kind & ~kErased), id};
    if ((kind & kErased) != 0) {
      records_.erase(key);
    } else {
      records_[key].assign(value.begin(), value.end());
    }
    journal = entry.rest();
  }
}

bool FileStore::put(RecordKey key, std::span<const Bytes> value) {
  if (damaged_ && !rewrite()) return false;
  std::vector<std::uint8_t> joined;
  for (const Bytes part : value) joined.insert(joined.end(), part.begin(), part.end());
  if (!append(key, false, joined)) return false;
  owes_commit_ = true;
  const auto [record, added] = records_.try_emplace(key);
  if (!added) live_bytes_ -= entry_bytes(record->second);
  record->second = std::move(joined);
  live_bytes_ += entry_bytes(record->second);
  return true;
}

bool FileStore::erase(RecordKey key) {
  const auto record = records_.find(key);
  if (record == records_.end()) return true;
  if (!append(key, true, {})) return false;
  live_bytes_ -= entry_bytes(record->second);
  records_.erase(record);
  return true;
}

bool FileStore::load(Visitor& visitor) {
  for (const auto& [key, value] : records_) {
    if (!visitor.record(key, value)) return false;
  }
  return true;
}

bool FileStore::append(RecordKey key, bool erased, Bytes value) {
  if (closed_) return false;
  if (!damaged_) append_entry(pending_, key, erased, value);
  return true;
}

bool FileStore::commit() {
  if (closed_) return false;
  if (damaged_) return rewrite();
  if (pending_.empty()) return true;
  if (file_bytes_ + pending_.size() > std::max(kRewriteFrom, 4 * live_bytes_)) return rewrite();
  if (!write_all(file_, pending_) || ::fdatasync(file_) != 0) {
    damaged_ = true;
    pending_.clear();
    return false;
  }
  file_bytes_ += pending_.size();
  pending_.clear();
  owes_commit_ = false;
  return true;
}

bool FileStore::rewrite() {
  std::vector<std::uint8_t> content(std::begin(kHeader), std::end(kHeader));
  for (const auto& [key, value] : records_) append_entry(content, key, false, value);
  const std::string fresh = path_ + ".new";
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = ::flock(file, LOCK_EX | LOCK_NB) == 0 && write_all(file, content) &&
                       ::fsync(file) == 0 && ::rename(fresh.c_str(), path_.c_str()) == 0 &&
                       sync_folder_of(path_);
  if (!written) {
    const int why = errno;
    ::close(file);
    ::unlink(fresh.c_str());  // its room may be what is missing
    errno = why;
    return false;
  }
  if (file_ >= 0) ::close(file_);
  file_ = file;
  pending_.clear();
  owes_commit_ = damaged_ = false;
  file_bytes_ = live_bytes_ = content.size();
  return true;
}

}  // namespace mqboard::mqtt
