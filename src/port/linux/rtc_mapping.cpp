#include "port/linux/rtc_mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace mqboard::port {
namespace {

std::unexpected<std::string> failed(const std::string& what) {
  return std::unexpected("RTC memory: " + what + ": " + std::strerror(errno));
}

}  // namespace

RtcMapping::RtcMapping(RtcMapping&& other) noexcept
    : fd_(std::move(other.fd_)), base_(std::exchange(other.base_, nullptr)) {}

RtcMapping& RtcMapping::operator=(RtcMapping&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(base_, other.base_);
  return *this;
}

RtcMapping::~RtcMapping() {
  if (base_ != nullptr) ::munmap(base_, boot::kRtcBytes);
}

std::expected<RtcMapping, std::string> RtcMapping::map(Fd fd) {
  void* const base = ::mmap(nullptr, boot::kRtcBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return failed("mmap");
  return RtcMapping(std::move(fd), base);
}

std::expected<RtcMapping, std::string> RtcMapping::create() {
  Fd fd(::memfd_create("mqboard-rtc", MFD_CLOEXEC));
  if (!fd) return failed("memfd_create");
  if (::ftruncate(fd.get(), boot::kRtcBytes) != 0) return failed("ftruncate");
  return map(std::move(fd));
}

std::expected<RtcMapping, std::string> RtcMapping::open_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return failed(path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed(path);
  if (!S_ISREG(info.st_mode)) return std::unexpected("RTC memory: " + path + ": not a regular file");
  // Allocated now: a full tmpfs must fail here and not with SIGBUS later.
  if (const int error = ::posix_fallocate(fd.get(), 0, boot::kRtcBytes); error != 0) {
    errno = error;
    return failed(path);
  }
  return map(std::move(fd));
}

std::expected<RtcMapping, std::string> RtcMapping::adopt(Fd fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed("fstat");
  if (info.st_size < static_cast<off_t>(boot::kRtcBytes)) return std::unexpected("RTC memory: too small");
  return map(std::move(fd));
}

}  // namespace mqboard::port
