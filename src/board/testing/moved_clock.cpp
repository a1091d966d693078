// Stands before the C library's: the wall clock of a process is off by as many seconds as the file
// MQB_CLOCK_FILE says at that moment (an int64 in host byte order). The monotonic clock is what it is.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

time_t offset() {
  static const auto* const seconds = [] {
    const char* const path = std::getenv("MQB_CLOCK_FILE");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    void* const mapped = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) std::abort();
    ::close(fd);
    return static_cast<const volatile std::int64_t*>(mapped);
  }();
  return *seconds;
}

}  // namespace

extern "C" {
int clock_gettime(clockid_t clock, struct timespec* now) noexcept {
  const auto status = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  const bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;  // tidy: allow
  if (status == 0 && wall) now->tv_sec += offset();
  return status;
}
int gettimeofday(struct timeval* now, void*) noexcept {  // tidy: allow
  timespec precise{};
  clock_gettime(CLOCK_REALTIME, &precise);  // tidy: allow
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* into) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);  // tidy: allow
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}
}
