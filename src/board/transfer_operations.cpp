// get and put over a channel.
#include <algorithm>
#include <array>
#include <utility>

#include "board/operation.hpp"
#include "board/services.hpp"
#include "board/text.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::board {

using command::Field;
using command::FieldWriter;
using command::RecordKind;
using command::Request;
using command::Status;
using command::StatusCode;

namespace {

// Files are hashed in steps of this size, so that the connection is served in between.
constexpr std::size_t kStep = 1024 * 1024;

// Hashes an open file from its beginning, step by step.
class FileHash {
 public:
  // `prefix`: also gives the hash of so many bytes, when it is not 0.
  FileHash(FileSystem& files, FileId file, std::uint64_t prefix)
      : files_(files), file_(file), prefix_(prefix) {
    hasher_.reset();
  }

  // True once it is done; false: call again.
  FsResult<bool> step() {
    std::array<std::uint8_t, 16 * 1024> buffer;
    for (std::size_t done = 0; done < kStep;) {
      std::size_t most = buffer.size();
      if (bytes_ < prefix_) most = static_cast<std::size_t>(std::min<std::uint64_t>(most, prefix_ - bytes_));
      const auto count = files_.read(file_, MutableBytes(buffer).first(most));
      if (!count) return Failure<FsError>(count.error());
      if (*count == 0) return finish(), true;
      hasher_.update(Bytes(buffer).first(*count));
      bytes_ += *count;
      done += *count;
      if (bytes_ == prefix_) prefix_hash_ = hasher_.so_far();
    }
    return false;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const Sha256& hash() const { return hash_; }
  [[nodiscard]] const std::optional<Sha256>& prefix_hash() const { return prefix_hash_; }

 private:
  void finish() { hash_ = hasher_.digest(); }

  FileSystem& files_;
  FileId file_;
  std::uint64_t prefix_;
  std::uint64_t bytes_ = 0;
  port::Sha256Hasher hasher_;
  Sha256 hash_{};
  std::optional<Sha256> prefix_hash_;
};

class Get final : public Operation {
 public:
  Get(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        path_(request.path()),
        offset_(request.fields.number(Field::offset).value_or(0)),
        offset_hash_(request.sha256()) {}
  ~Get() override { close(); }
  Get(const Get&) = delete;
  Get& operator=(const Get&) = delete;

  void pump() override {
    if (!hash_ && !open()) return;
    const auto done = hash_->step();
    if (!done) return fail(done.error());
    if (!*done) return reply_.wake()();
    const bool resumes = offset_ != 0 && hash_->prefix_hash() && offset_hash_ == hash_->prefix_hash();
    const std::uint64_t offset = resumes ? offset_ : 0;
    reply_.fields(RecordKind::head, [&](FieldWriter& head) {
      head.number(Field::size, hash_->bytes())
          .bytes(Field::sha256, hash_->hash())
          .number(Field::offset, offset)
          .number(Field::modified_s, static_cast<std::uint64_t>(std::max<std::int64_t>(0, info_.modified_s)));
    });
    reply_.body(services_.files, *std::exchange(file_, std::nullopt), offset, hash_->bytes() - offset);
    reply_.finish();
  }

 private:
  bool open() {
    const auto file = services_.files.open(path_, OpenMode::read);
    if (!file) return fail(file.error()), false;
    file_ = *file;
    const auto info = services_.files.stat(*file_);
    if (!info) return fail(info.error()), false;
    if (info->kind == FileInfo::Kind::directory) return fail(FsError::is_a_directory), false;
    info_ = *info;
    hash_.emplace(services_.files, *file_, offset_);
    return true;
  }
  void close() {
    if (file_) static_cast<void>(services_.files.close(*std::exchange(file_, std::nullopt)));
  }
  void fail(FsError error) {
    close();
    reply_.finish(command::file_status(error, path_));
  }

  Services& services_;
  Reply& reply_;
  const std::string path_;
  const std::uint64_t offset_;
  const std::optional<Sha256> offset_hash_;
  std::optional<FileId> file_;
  FileInfo info_;
  std::optional<FileHash> hash_;
};

class Put final : public Operation {
 public:
  Put(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        path_(request.path()),
        size_(request.fields.number(Field::size).value_or(0)),
        hash_(request.sha256().value_or(Sha256{})),
        key_(concat(path_, '\n', as_text(hash_))),
        sink_(services.files, hasher_, scratch_) {
    begin(request.fields.flag(Field::resume));
  }
  ~Put() override {
    if (mine_) services_.uploads.erase(key_);
    if (sink_.is_open()) sink_.suspend();
  }
  Put(const Put&) = delete;
  Put& operator=(const Put&) = delete;

  void piece(const command::RecordReader::Piece& piece) override {
    if (piece.kind == RecordKind::head) return go_on_from(piece.payload);
    if (piece.kind != RecordKind::body || identical_) return;
    if (piece.payload.size() > size_ - sink_.bytes()) {
      return give_up({StatusCode::malformed, concat(path_, ": more content than announced")});
    }
    if (const Status written = sink_.write(piece.payload); !written.ok()) give_up(written);
  }

  void ended() override {
    if (identical_) return reply_.finish();
    if (sink_.bytes() != size_) {
      return give_up({StatusCode::malformed, concat(path_, ": less content than announced")});
    }
    const Status stored = sink_.commit();
    if (stored.ok()) services_.report(20, concat("put ", path_, ": ", size_, " bytes"));
    reply_.finish(stored);
  }

  // What has arrived is kept for the next attempt.
  void cancel(Reply& reply) override { reply.finish({StatusCode::cancelled, path_}); }

 private:
  void begin(bool resume) {
    // Two would share a temporary. The newer one counts: mostly it is that of an operator who was cut off.
    if (const auto older = services_.uploads.find(key_); older != services_.uploads.end()) {
      const auto give_way = older->second;
      give_way();
    }
    services_.uploads[key_] = [this] { give_way(); };
    mine_ = true;
    if (resume && target_is_identical()) {
      identical_ = true;
      return reply_.fields(RecordKind::head, [](FieldWriter& head) { head.flag(Field::identical); });
    }
    const auto prefix = sink_.resume(path_, hash_, size_);
    if (!prefix) return reply_.finish(prefix.error());
    if (!resume) return restart();
    prefix_ = prefix->bytes;
    reply_.fields(RecordKind::head, [&](FieldWriter& head) {
      head.number(Field::offset, prefix->bytes).bytes(Field::sha256, prefix->hash);
    });
  }

  void give_way() {
    services_.uploads.erase(key_);
    mine_ = false;
    sink_.suspend();
    reply_.finish(
        {StatusCode::cancelled, concat(path_, ": a newer put of the same content goes on with it")});
    reply_.wake()();
  }

  void go_on_from(Bytes head) {
    const std::uint64_t offset = command::Fields(head).number(Field::offset).value_or(0);
    if (offset == 0) return restart();
    if (offset != prefix_) give_up({StatusCode::malformed, concat(path_, ": cannot continue there")});
  }

  void restart() {
    if (sink_.bytes() == 0) return;
    if (const Status emptied = sink_.restart(); !emptied.ok()) give_up(emptied);
  }

  bool target_is_identical() {
    const auto info = services_.files.stat(path_);
    if (!info || info->kind != FileInfo::Kind::file || info->size_bytes != size_) return false;
    const auto hash = hash_file(services_.files, path_);
    return hash && *hash == hash_;
  }

  void give_up(const Status& status) {
    sink_.abort();
    reply_.finish(status);
  }

  Services& services_;
  Reply& reply_;
  const std::string path_;
  const std::uint64_t size_;
  const Sha256 hash_;
  const std::string key_;  // in Services::uploads
  std::array<std::uint8_t, 16 * 1024> scratch_;
  port::Sha256Hasher hasher_;
  command::FileSink sink_;
  std::uint64_t prefix_ = 0;
  bool identical_ = false;
  bool mine_ = false;
};

}  // namespace

FsResult<Sha256> hash_file(FileSystem& files, std::string_view path) {
  const auto file = files.open(path, OpenMode::read);
  if (!file) return Failure<FsError>(file.error());
  FileHash hash(files, *file, 0);
  FsResult<bool> done = false;
  while (done && !*done) done = hash.step();
  static_cast<void>(files.close(*file));
  if (!done) return Failure<FsError>(done.error());
  return hash.hash();
}

std::unique_ptr<Operation> make_transfer_operation(const Request& request, Services& services, Reply& reply) {
  if (request.operation == command::Operation::get) return std::make_unique<Get>(request, services, reply);
  if (request.operation == command::Operation::put) return std::make_unique<Put>(request, services, reply);
  return nullptr;
}

}  // namespace mqboard::board
