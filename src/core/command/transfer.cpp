#include "core/command/transfer.hpp"

#include <utility>

#include "core/base/crc32.hpp"

namespace mqboard::command {
namespace {

constexpr std::string_view kTemporaryStart = ".mqb-";
constexpr std::string_view kPlainEnd = ".tmp";
constexpr std::string_view kResumableEnd = ".part";
constexpr std::size_t kNameDigits = 17;     // <8 digits>-<8 digits>
constexpr std::size_t kContentDigits = 25;  // <16 digits>-<8 digits>
constexpr std::string_view kDigits = "0123456789abcdef";

std::string_view directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

template<std::size_t Capacity>
void append_hex(FixedText<Capacity>& text, Bytes bytes) {
  for (const std::uint8_t byte : bytes)
    text.append(kDigits.substr(byte >> 4, 1)).append(kDigits.substr(byte & 15, 1));
}

template<std::size_t Capacity>
void append_hex(FixedText<Capacity>& text, std::uint32_t word) {
  std::uint8_t bytes[4];
  Writer(bytes).u32(word);
  append_hex(text, Bytes(bytes));
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Sha256> parse_hex(std::string_view hex) {
  Sha256 hash{};
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = digit_value(hex[2 * i]);
    const int low = digit_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return hash;
}

FixedText<64> to_hex(const Sha256& hash) {
  FixedText<64> text;
  append_hex(text, Bytes(hash));
  return text;
}

TemporaryKind temporary_kind(std::string_view file_name) {
  if (!file_name.starts_with(kTemporaryStart)) return TemporaryKind::none;
  const std::string_view rest = file_name.substr(kTemporaryStart.size());
  if (rest.ends_with(kPlainEnd) && rest.size() == kNameDigits + kPlainEnd.size()) return TemporaryKind::plain;
  if (rest.ends_with(kResumableEnd) && rest.size() == kContentDigits + kResumableEnd.size())
    return TemporaryKind::resumable;
  return TemporaryKind::none;
}

// ---- FileSink

FileSink::FileSink(FileSystem& files, Hasher& hasher, MutableBytes scratch)
    : files_(files), hasher_(hasher), scratch_(scratch) {}

FileSink::~FileSink() {
  if (resumable_)
    suspend();
  else
    abort();
}

Status FileSink::prepare(std::string_view path) {
  abort();
  path_ = FixedText<kMaxPath>(path);
  if (path_.truncated()) return file_status(FsError::too_long, path);
  if (name_of(path).empty()) return file_status(FsError::is_a_directory, path);
  const auto present = files_.stat(path);
  if (present && present->kind == FileInfo::Kind::directory) return fail(FsError::is_a_directory);
  if (!present && present.error() != FsError::not_found) return fail(present.error());
  temporary_.clear();
  temporary_.append(path.substr(0, path.size() - name_of(path).size())).append(kTemporaryStart);
  expected_.reset();
  bytes_ = 0;
  return {};
}

Status FileSink::create(std::string_view path, std::uint32_t unique) {
  if (Status prepared = prepare(path); !prepared.ok()) return prepared;
  append_hex(temporary_, unique);
  temporary_.append("-");
  append_hex(temporary_, crc32(as_bytes(name_of(path))));
  temporary_.append(kPlainEnd);
  const auto file =
      files_.open(temporary_, OpenMode::read | OpenMode::write | OpenMode::create | OpenMode::truncate);
  if (!file) return fail(file.error());
  file_ = *file;
  open_ = true;
  resumable_ = false;
  return {};
}

Result<FileSink::Prefix, Status> FileSink::resume(std::string_view path, const Sha256& content,
                                                  std::uint64_t content_bytes) {
  if (Status prepared = prepare(path); !prepared.ok()) return Failure<Status>(prepared);
  append_hex(temporary_, Bytes(content).first(8));
  temporary_.append("-");
  append_hex(temporary_, crc32(as_bytes(name_of(path))));
  temporary_.append(kResumableEnd);
  const auto file = files_.open(temporary_, OpenMode::read | OpenMode::write | OpenMode::create);
  if (!file) return Failure<Status>(fail(file.error()));
  file_ = *file;
  open_ = true;
  resumable_ = true;
  expected_ = content;
  const auto info = files_.stat(file_);
  if (!info) return Failure<Status>(fail(info.error()));
  bytes_ = info->size_bytes;
  if (bytes_ > content_bytes)
    if (Status emptied = restart(); !emptied.ok()) return Failure<Status>(emptied);
  const auto hash = hash_file();
  if (!hash) return Failure<Status>(fail(hash.error()));
  return Prefix{bytes_, *hash};
}

Status FileSink::restart() {
  if (const auto emptied = files_.truncate(file_, 0); !emptied) return fail(emptied.error());
  if (const auto there = files_.seek(file_, 0, SeekFrom::start); !there) return fail(there.error());
  bytes_ = 0;
  return {};
}

Status FileSink::write(Bytes data) {
  if (!open_) return {StatusCode::internal, "write to a closed file"};
  while (!data.empty()) {
    const auto count = files_.write(file_, data);
    if (!count) return fail(count.error());
    if (*count == 0 || *count > data.size()) return fail(FsError::io);
    data = data.subspan(*count);
    bytes_ += *count;
  }
  return {};
}

Status FileSink::commit() {
  if (!open_) return {StatusCode::internal, "commit of a closed file"};
  const auto failed = [this](Status status) {
    abort();
    return status;
  };
  if (const auto synced = files_.sync(file_); !synced) return failed(fail(synced.error()));
  if (expected_) {
    const auto stored = hash_file();
    if (!stored) return failed(fail(stored.error()));
    if (*stored != *expected_) {
      Status mismatch{StatusCode::integrity, path_};
      mismatch.text.append(": what was stored does not have the announced hash");
      return failed(mismatch);
    }
  }
  open_ = false;
  if (const auto closed = files_.close(file_); !closed) {
    static_cast<void>(files_.remove_file(temporary_));
    return fail(closed.error());
  }
  if (const auto renamed = files_.rename(temporary_, path_); !renamed) {
    static_cast<void>(files_.remove_file(temporary_));
    return fail(renamed.error());
  }
  if (const auto synced = files_.sync_directory(directory_of(path_)); !synced) return fail(synced.error());
  return {};
}

void FileSink::abort() {
  if (!open_) return;
  close();
  static_cast<void>(files_.remove_file(temporary_));  // what stays is found by remove_stale_temporaries
}

void FileSink::suspend() { close(); }

void FileSink::close() {
  if (open_) static_cast<void>(files_.close(file_));  // not committed: the next attempt hashes what is there
  open_ = false;
}

Status FileSink::fail(FsError error) { return file_status(error, path_); }

Result<Sha256, FsError> FileSink::hash_file() {
  if (const auto there = files_.seek(file_, 0, SeekFrom::start); !there)
    return Failure<FsError>(there.error());
  hasher_.reset();
  std::uint64_t total = 0;
  while (true) {
    const auto count = files_.read(file_, scratch_);
    if (!count) return Failure<FsError>(count.error());
    if (*count == 0) break;
    hasher_.update(scratch_.first(*count));
    total += *count;
  }
  if (total != bytes_) return Failure<FsError>(FsError::io);
  return hasher_.digest();
}

// ---- clean-up

namespace {

// Walks a tree without changing it and notes some of the temporaries to remove.
class StaleWalk final : public DirectoryVisitor {
 public:
  StaleWalk(FileSystem& files, std::int64_t keep_since_s) : files_(files), keep_since_s_(keep_since_s) {}

  FsResult<void> walk(std::string_view directory) {
    path_ = Path(directory);
    return files_.list(directory, *this);
  }

  bool entry(std::string_view name, const FileInfo& info) override {
    Path path = path_;
    if (!path.empty() && path.view().back() != '/') path.append("/");
    path.append(name);
    if (path.truncated()) return true;
    if (info.kind == FileInfo::Kind::directory) return descend(path);
    const TemporaryKind kind = temporary_kind(name);
    const bool stale =
        kind == TemporaryKind::plain || (kind == TemporaryKind::resumable && info.modified_s < keep_since_s_);
    if (stale) found_[count_++] = path;
    return count_ < found_.size();
  }

  // Removes what the walk found; zero: there is nothing left.
  FsResult<std::size_t> remove() {
    for (std::size_t i = 0; i < count_; ++i)
      if (const auto removed = files_.remove_file(found_[i]); !removed)
        return Failure<FsError>(removed.error());
    return std::exchange(count_, 0);
  }

 private:
  using Path = FixedText<kMaxPath>;
  static constexpr int kMaxDepth = 16;

  bool descend(const Path& path) {
    if (depth_ == kMaxDepth) return true;
    const Path parent = std::exchange(path_, path);
    ++depth_;
    static_cast<void>(files_.list(path_.view(), *this));  // an unreadable directory keeps its temporaries
    --depth_;
    path_ = parent;
    return count_ < found_.size();
  }

  FileSystem& files_;
  std::int64_t keep_since_s_;
  Path path_;
  std::array<Path, 4> found_{};
  std::size_t count_ = 0;
  int depth_ = 0;
};

}  // namespace

FsResult<std::size_t> remove_stale_temporaries(FileSystem& files, std::string_view directory,
                                               std::int64_t keep_since_s) {
  StaleWalk walk(files, keep_since_s);
  std::size_t total = 0;
  while (true) {
    if (const auto walked = walk.walk(directory); !walked) return Failure<FsError>(walked.error());
    const auto removed = walk.remove();
    if (!removed) return removed;
    if (*removed == 0) return total;
    total += *removed;
  }
}

}  // namespace mqboard::command
