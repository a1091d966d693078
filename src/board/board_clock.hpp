// The time a board's Python and log see: the host's, plus what the board was told it is off by.
#pragma once

#include <atomic>
#include <optional>

#include <mqboard/mqtt/options.hpp>

#include "core/log/record.hpp"
#include "python/clock.hpp"

namespace mqboard::board {

// Threads: any.
class BoardClock final : public python::Clock {
 public:
  Nanos monotonic() const override { return host_.monotonic(); }
  Nanos utc() const override { return host_.utc() + Nanos(offset_ns_.load()); }
  void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, Nanos until) override {
    host_.wait(lock, wake, until);
  }

  void set_utc(Nanos since_1970) {
    offset_ns_ = (since_1970 - host_.utc()).count();
    set_ = true;
  }
  // The time of day is known: it was set, or the kernel says that its clock is synchronised.
  [[nodiscard]] bool known() const;
  // Good enough to be shown in the log: known, or at least not before this program was written.
  [[nodiscard]] bool plausible() const { return utc() > kProgramWritten; }
  // For Python's TLS.
  [[nodiscard]] mqtt::CertificateTime certificate_time() const;
  // For the board's own, which no application may cut off by setting the time: the host's.
  [[nodiscard]] mqtt::CertificateTime host_certificate_time() const;

 private:
  static constexpr std::chrono::seconds kProgramWritten{1'600'000'000};
  [[nodiscard]] bool host_known() const;
  static mqtt::CertificateTime judged_by(Nanos utc, bool known);

  python::Clock& host_ = python::system_clock();
  std::atomic<std::int64_t> offset_ns_ = 0;
  std::atomic<bool> set_ = false;
};

// The time of day at which this run began, as the log counts on from it.
class TimeOfStart {
 public:
  // Nothing while the clock is not to be shown.
  std::optional<log::WallClock> seen(const BoardClock& clock, std::chrono::milliseconds since_boot);

 private:
  std::int64_t last_ms_ = 0;
};

}  // namespace mqboard::board
