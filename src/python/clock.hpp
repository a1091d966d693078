// The time Python sees. Monotonic time drives ticks_*, sleep and asyncio; UTC drives time(), localtime() and
// the modification times of files in ROM.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace mqboard::python {

// Threads: every method is called from the Python thread; monotonic() and utc() from others too.
class Clock {
 public:
  using Nanos = std::chrono::nanoseconds;
  static constexpr Nanos kForever = Nanos::max();

  virtual ~Clock() = default;
  virtual Nanos monotonic() const = 0;  // from an arbitrary origin
  virtual Nanos utc() const = 0;        // since 1970-01-01

  // Blocks until `until` (monotonic; kForever: no limit) or until `wake` is notified, whichever is first; may
  // return early. `lock` is held on entry and on return. A virtual clock advances itself here.
  virtual void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, Nanos until) = 0;
};

// The machine's own clock. Stateless, shared by all.
Clock& system_clock();

}  // namespace mqboard::python
