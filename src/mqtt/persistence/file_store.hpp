// Keeps a session's records in one file, so that they survive the process and, once committed, a power cut.
//
// The file is a journal: a header, then one entry per put or erase, each with its length and CRC-32. Opening
// replays it up to the first entry that is incomplete or damaged, which is where a cut happened, and discards
// the rest. When most of the journal is history it is rewritten: new file, fsync, rename, fsync of the
// folder. So it is after a write failed, with the next put or commit: a file system that recovers is used
// again.
//
// Format, numbers big endian:  header "MQBS" version(1) 0 0 0
//                              entry  crc(4) of what follows, kind(1), packet id(2), value length(4), value
// kind is that of RecordKey, plus 128 for an erase.
#pragma once

#include <map>
#include <memory>
#include <mqboard/mqtt/error.hpp>
#include <string>
#include <vector>

#include "core/mqtt/persistence.hpp"

namespace mqboard::mqtt {

class FileStore final : public Persistence {
 public:
  // Opens or creates the file; one process at a time may have it open. Errors: storage_failed, naming the
  // file.
  static Result<std::unique_ptr<FileStore>> open(const std::string& path);
  ~FileStore();
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;

  bool put(RecordKey key, std::span<const Bytes> value) override;
  bool erase(RecordKey key) override;
  bool load(Visitor& visitor) override;

  // Makes everything put and erased so far durable. Cheap when there is nothing new.
  bool commit();
  // Whether something put is not durable yet.
  [[nodiscard]] bool owes_commit() const { return owes_commit_; }

  // Commits and lets go of the file; from then on nothing is stored.
  void close();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit FileStore(std::string path) : path_(std::move(path)) {}

  Result<void> open_file();
  void replay(Bytes journal);
  bool append(RecordKey key, bool erased, Bytes value);
  bool rewrite();
  [[nodiscard]] std::unexpected<Error> failure(std::string_view doing) const;

  std::string path_;
  int file_ = -1;
  std::map<RecordKey, std::vector<std::uint8_t>> records_;
  std::vector<std::uint8_t> pending_;  // entries not yet written
  std::size_t file_bytes_ = 0;
  std::size_t live_bytes_ = 0;  // what a rewritten file would hold
  bool owes_commit_ = false;    // something in pending_ is a put
  bool damaged_ = false;        // a write failed: what is in the file after that is not known
  bool closed_ = false;
};

}  // namespace mqboard::mqtt
