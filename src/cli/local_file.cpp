#include "cli/local_file.hpp"

#include <fcntl.h>
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

Result<LocalTarget> LocalTarget::create(const std::string& path, std::optional<unsigned> mode) {
  LocalTarget target;
  target.path_ = path;
  if (path == "-") {
    target.file_ = Descriptor(STDOUT_FILENO);
    return target;
  }
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) return fail(ExitStatus::usage, fmt::format("{} is a directory", path));
  if (exists && !S_ISREG(old.st_mode)) {  // a device or a pipe is written, not replaced
    target.file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (target.file_.get() < 0) return std::unexpected(local_failure("cannot write", path));
    return target;
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  target.temporary_ = fmt::format("{}.{}.mqb-XXXXXX", directory, path.substr(directory.size()));
  target.file_ = Descriptor(::mkostemp(target.temporary_.data(), O_CLOEXEC));
  if (target.file_.get() < 0) {
    target.temporary_.clear();
    return std::unexpected(local_failure("cannot write", path));
  }
  const mode_t fresh = 0666U & ~process_umask();
  const mode_t wanted = mode ? static_cast<mode_t>(*mode) : exists ? (old.st_mode & 07777U) : fresh;
  if (::fchmod(target.file_.get(), wanted) != 0) return std::unexpected(local_failure("cannot write", path));
  return target;
}

LocalTarget::LocalTarget(LocalTarget&& other) noexcept
    : file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      size_(other.size_) {}

LocalTarget::~LocalTarget() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
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
