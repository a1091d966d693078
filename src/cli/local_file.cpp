#include "cli/local_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

Result<> write_all(int fd, Bytes data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(local_failure("cannot write", path));
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::vector<std::uint8_t>> read_all(int fd, const std::string& path) {
  std::vector<std::uint8_t> content;
  std::size_t used = 0;
  while (true) {
    content.resize(used + 65536);
    const ssize_t count = ::read(fd, content.data() + used, content.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(local_failure("cannot read", path));
    used += static_cast<std::size_t>(count);
    if (count == 0) break;
  }
  content.resize(used);
  return content;
}

mode_t process_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace

Failure local_failure(std::string_view doing, std::string_view path) {
  return {ExitStatus::usage, fmt::format("{} {}: {}", doing, path, std::strerror(errno))};
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

Result<LocalSource> LocalSource::open(const std::string& path) {
  const bool standard = path == "-";
  const Descriptor file(standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return std::unexpected(local_failure("cannot open", path));
  if (S_ISDIR(info.st_mode)) return fail(ExitStatus::usage, fmt::format("{} is a directory", path));
  LocalSource source;
  const auto size = static_cast<std::size_t>(info.st_size);
  if (S_ISREG(info.st_mode) && !standard && size > 0) {
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) return std::unexpected(local_failure("cannot read", path));
    source.mapped_ = {static_cast<const std::uint8_t*>(memory), size};
    return source;
  }
  auto content = read_all(file.get(), path);
  if (!content) return std::unexpected(content.error());
  source.read_ = std::move(*content);
  return source;
}

LocalSource::LocalSource(LocalSource&& other) noexcept
    : mapped_(std::exchange(other.mapped_, {})), read_(std::move(other.read_)) {}

LocalSource& LocalSource::operator=(LocalSource&& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(read_, other.read_);
  return *this;
}

LocalSource::~LocalSource() {
  if (!mapped_.empty()) ::munmap(const_cast<std::uint8_t*>(mapped_.data()), mapped_.size());
}

namespace {

// ".x<suffix>" beside "dir/x".
std::string beside(const std::string& path, std::string_view suffix) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.{}{}", path.substr(0, name), path.substr(name), suffix);
}

}  // namespace

// True when the path is written in place: standard output, a device, a pipe.
Result<bool> LocalTarget::open_direct(const std::string& path) {
  path_ = path;
  if (path == "-") {
    file_ = Descriptor(STDOUT_FILENO);
    return true;
  }
  struct stat old {};
  if (::stat(path.c_str(), &old) != 0 || S_ISREG(old.st_mode)) return false;
  if (S_ISDIR(old.st_mode)) return fail(ExitStatus::usage, fmt::format("{} is a directory", path));
  file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file_.get() < 0) return std::unexpected(local_failure("cannot write", path));
  return true;
}

Result<> LocalTarget::open_temporary(std::optional<unsigned> mode) {
  temporary_ = beside(path_, ".mqb-XXXXXX");
  file_ = Descriptor(::mkostemp(temporary_.data(), O_CLOEXEC));
  if (file_.get() < 0) {
    temporary_.clear();
    return std::unexpected(local_failure("cannot write", path_));
  }
  return apply_mode(mode);
}

// That of the old file, or what the umask leaves.
Result<> LocalTarget::apply_mode(std::optional<unsigned> mode) const {
  struct stat old {};
  const bool exists = ::stat(path_.c_str(), &old) == 0;
  const mode_t otherwise = exists ? (old.st_mode & 07777U) : (0666U & ~process_umask());
  if (::fchmod(file_.get(), mode ? static_cast<mode_t>(*mode) : otherwise) != 0) {
    return std::unexpected(local_failure("cannot write", path_));
  }
  return {};
}

// The lock tells a temporary that is being written from one that was left.
bool LocalTarget::open_resumable() {
  temporary_ = beside(path_, ".mqb-part");
  Descriptor file(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info {};
  const bool usable = file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 &&
                      ::fstat(file.get(), &info) == 0 && info.st_nlink == 1 && S_ISREG(info.st_mode);
  if (!usable) {
    temporary_.clear();
    return false;
  }
  file_ = std::move(file);
  size_ = static_cast<std::uint64_t>(info.st_size);
  return ::lseek(file_.get(), 0, SEEK_END) >= 0;
}

Result<LocalTarget> LocalTarget::create(const std::string& path, std::optional<unsigned> mode) {
  LocalTarget target;
  const auto direct = target.open_direct(path);
  if (!direct) return std::unexpected(direct.error());
  if (*direct) return target;
  if (auto ok = target.open_temporary(mode); !ok) return std::unexpected(ok.error());
  return target;
}

Result<LocalTarget> LocalTarget::create_resumable(const std::string& path) {
  LocalTarget target;
  const auto direct = target.open_direct(path);
  if (!direct) return std::unexpected(direct.error());
  if (*direct) return target;
  auto ok = target.open_resumable() ? target.apply_mode({}) : target.open_temporary({});
  if (!ok) return std::unexpected(ok.error());
  return target;
}

Result<> LocalTarget::truncate() {
  if (temporary_.empty()) {
    return fail(ExitStatus::integrity,
                fmt::format("{}: the content changed while it was being written", path_));
  }
  if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
    return std::unexpected(local_failure("cannot write", path_));
  }
  size_ = 0;
  return {};
}

Result<> LocalTarget::read_back(const std::function<void(Bytes)>& take) const {
  std::vector<std::uint8_t> buffer(size_ == 0 ? 0 : 1U << 18);
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t count = ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (count <= 0) return std::unexpected(local_failure("cannot read", path_));
    take(Bytes(buffer).first(static_cast<std::size_t>(count)));
    at += static_cast<std::uint64_t>(count);
  }
  return {};
}

LocalTarget::LocalTarget(LocalTarget&& other) noexcept
    : file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      size_(other.size_),
      keep_(other.keep_) {}

LocalTarget::~LocalTarget() {
  if (!temporary_.empty() && !keep_) ::unlink(temporary_.c_str());
}

Result<> LocalTarget::write(Bytes data) {
  size_ += data.size();
  return write_all(file_.get(), data, path_);
}

// No fsync: a crash of the operator's machine may cost the new copy, which can be fetched again; the rename
// keeps every other interruption from leaving half a file.
Result<> LocalTarget::commit() {
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return std::unexpected(local_failure("cannot write", path_));
  temporary_.clear();
  return {};
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<> make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    return fail(ExitStatus::usage, fmt::format("cannot create directory {}: {}", path, error.message()));
  return {};
}

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

std::string join(std::string_view directory, std::string_view name) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  while (name.starts_with('/')) name.remove_prefix(1);
  return fmt::format("{}/{}", directory, name);
}

}  // namespace mqboard::cli
