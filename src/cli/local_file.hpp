// The operator's own files: read for put, replaced by get. "-" is standard input or output.
//
// Errors have the status `usage` (what the command line names is not there) and name the file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_status.hpp"
#include "core/base/bytes.hpp"

namespace mqboard::cli {

// "cannot open x: No such file or directory", from errno.
[[nodiscard]] Failure local_failure(std::string_view doing, std::string_view path);

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  [[nodiscard]] int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

// The content of a local file, mapped into memory where possible: transfers slice it, hash it and send slices
// again without copying it first. A file that shrinks while it is mapped ends the process (SIGBUS), as with
// any tool that maps its input.
class LocalSource {
 public:
  [[nodiscard]] static Result<LocalSource> open(const std::string& path);
  LocalSource(LocalSource&& other) noexcept;
  LocalSource& operator=(LocalSource&& other) noexcept;
  ~LocalSource();

  [[nodiscard]] Bytes bytes() const { return mapped_.empty() ? Bytes{read_} : mapped_; }
  [[nodiscard]] std::uint64_t size() const { return bytes().size(); }

 private:
  LocalSource() = default;

  Bytes mapped_;
  std::vector<std::uint8_t> read_;  // of a pipe
};

// A local file being written: a temporary beside it that commit() renames into place. Without commit nothing
// is left. Standard output is written straight through.
class LocalTarget {
 public:
  // With a mode, the file gets exactly that; without, that of the file it replaces, or what the umask leaves.
  [[nodiscard]] static Result<LocalTarget> create(const std::string& path, std::optional<unsigned> mode = {});
  // The same with a temporary that has the name `.<name>.mqb-part` and may have content already; if another
  // process is writing that one, a fresh one.
  [[nodiscard]] static Result<LocalTarget> create_resumable(const std::string& path);
  LocalTarget(LocalTarget&& other) noexcept;
  LocalTarget& operator=(LocalTarget&&) = delete;
  ~LocalTarget();

  [[nodiscard]] Result<> write(Bytes data);
  [[nodiscard]] Result<> commit();
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Discards what was written; standard output cannot.
  [[nodiscard]] Result<> truncate();
  // Hands over what a resumable target had when it was created.
  [[nodiscard]] Result<> read_back(const std::function<void(Bytes)>& take) const;
  // The temporary stays when there is no commit.
  void keep() { keep_ = true; }

 private:
  LocalTarget() = default;
  [[nodiscard]] Result<bool> open_direct(const std::string& path);
  [[nodiscard]] Result<> open_temporary(std::optional<unsigned> mode);
  [[nodiscard]] bool open_resumable();
  [[nodiscard]] Result<> apply_mode(std::optional<unsigned> mode) const;

  Descriptor file_;
  std::string path_;
  std::string temporary_;  // empty: standard output
  std::uint64_t size_ = 0;
  bool keep_ = false;
};

[[nodiscard]] bool is_directory(const std::string& path);
// As `mkdir -p`.
[[nodiscard]] Result<> make_directories(const std::string& path);
// "c" of "a/b/c" and of "a/b/c/".
[[nodiscard]] std::string_view base_name(std::string_view path);
// "a/b": exactly one '/' between them.
[[nodiscard]] std::string join(std::string_view directory, std::string_view name);

}  // namespace mqboard::cli
