// For tests of Python code: a file system in memory, sinks that can be waited for, a running interpreter.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "python/runtime.hpp"

namespace mqboard::python::testing {

// A whole FileSystem in memory with a quota. Threads: may be shared.
class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(std::uint64_t quota_bytes = 4 * 1024 * 1024) : quota_bytes_(quota_bytes) {}

  FsResult<FileId> open(std::string_view path, OpenMode mode) override;
  FsResult<std::size_t> read(FileId file, MutableBytes into) override;
  FsResult<std::size_t> write(FileId file, Bytes data) override;
  FsResult<std::uint64_t> seek(FileId file, std::int64_t offset, SeekFrom from) override;
  FsResult<void> truncate(FileId file, std::uint64_t size_bytes) override;
  FsResult<void> sync(FileId file) override;
  FsResult<FileInfo> stat(FileId file) override;
  FsResult<void> close(FileId file) override;
  FsResult<FileInfo> stat(std::string_view path) override;
  FsResult<void> list(std::string_view directory, DirectoryVisitor& visitor) override;
  FsResult<void> make_directory(std::string_view path) override;
  FsResult<void> remove_file(std::string_view path) override;
  FsResult<void> remove_directory(std::string_view path) override;
  FsResult<void> rename(std::string_view from, std::string_view to) override;
  FsResult<void> sync_directory(std::string_view path) override;
  FsResult<FlashSpace> space() override;

  // Shortcuts for tests; paths absolute.
  void put(const std::string& path, std::string_view text);
  std::string text(const std::string& path);
  [[nodiscard]] std::size_t open_files();
  FsError fail_writes_with = FsError::io;  // when failing_writes
  bool failing_writes = false;

 private:
  struct Node {
    bool directory = false;
    std::string data = {};
    std::uint64_t inode = 0;
  };
  struct Open {
    std::shared_ptr<Node> node;
    OpenMode mode;
    std::uint64_t position = 0;
  };

  FsResult<std::string> normal(std::string_view path) const;
  FsResult<std::shared_ptr<Node>> parent_of(const std::string& path);
  Open* find(FileId file);
  [[nodiscard]] std::uint64_t used() const;
  [[nodiscard]] bool has_entries(const std::string& path) const;

  std::mutex mutex_;
  std::uint64_t quota_bytes_;
  std::uint64_t last_inode_ = 1;
  std::int32_t last_id_ = 0;
  std::map<std::string, std::shared_ptr<Node>> nodes_;  // by normal path; the root is not in it
  std::map<std::int32_t, Open> open_;
};

// Collects what a job says; wait() blocks until it is done.
class Result final : public JobSink {
 public:
  void output(Bytes chunk) override;
  void done(Outcome outcome) override;

  // Fails by exception when the job is not done within a generous deadline.
  const Outcome& wait();
  void wait_for_output(std::string_view text);
  [[nodiscard]] bool is_done();
  std::string output();
  [[nodiscard]] std::size_t chunks();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  std::size_t chunks_ = 0;
  std::optional<Outcome> outcome_;
};

// Remembers console lines and crashes.
class Watcher final : public Observer {
 public:
  void console(Stream stream, Bytes line) override;
  bool crashed(const Crash& crash) override;
  void started(unsigned generation) override;

  void wait_for_line(std::string_view text);
  void wait_for_generation(unsigned generation);
  std::vector<std::string> lines();  // "out: text" or "err: text"
  std::vector<Crash> crashes();
  bool restart = true;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::vector<Crash> crashes_;
  unsigned generation_ = 0;
};

// Time that passes whenever Python waits for it, at once, and at no other time: what a test sees of it does
// not depend on how busy the machine is.
class SkippingClock final : public Clock {
 public:
  Nanos monotonic() const override { return Nanos(now_.load()); }
  Nanos utc() const override { return Nanos(utc_at_start) + monotonic(); }
  void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, Nanos until) override {
    if (until == kForever) return wake.wait(lock);
    now_ = std::max(now_.load(), until.count());
  }
  std::int64_t utc_at_start = 1'700'000'000'000'000'000;

 private:
  std::atomic<std::int64_t> now_ = 0;
};

// An interpreter running on a file system in memory.
class Python {
 public:
  explicit Python(Limits limits = {}, std::vector<HostModule> modules = {}, Clock& clock = system_clock());
  explicit Python(Clock& clock) : Python({}, {}, clock) {}
  ~Python() { runtime.stop(); }

  std::shared_ptr<Result> start_eval(std::string source);
  std::shared_ptr<Result> start_exec(std::string source, std::string name = "script.py");
  Outcome eval(std::string source);
  // What statements printed, or "status: text" when they failed.
  std::string run(std::string source);
  // The repr of an expression, or the last line of the traceback.
  std::string value(std::string source);

  MemoryFileSystem flash;
  Watcher watcher;
  Runtime runtime;
};

std::string last_line(std::string_view text);

}  // namespace mqboard::python::testing
