// What mqboot waits for and keeps alive while it waits: signals, the machine's watchdog, the service manager.
#pragma once

#include <chrono>
#include <string>

#include "port/linux/fd.hpp"

namespace mqboard::boot {

using Clock = std::chrono::steady_clock;

class Hardware {
 public:
  // Blocks the signals mqboot handles. `watchdog_device` may be empty. Say with error() what went wrong with
  // it; mqboot works without.
  explicit Hardware(const std::string& watchdog_device);
  Hardware(const Hardware&) = delete;
  Hardware& operator=(const Hardware&) = delete;

  enum class Event : std::uint8_t { ready, reset_button, stop, deadline };

  // Until `fd` is readable (-1: none), a signal arrives or the deadline passes; pats the machine's watchdog
  // and the service manager's meanwhile.
  Event wait(int fd, Clock::time_point deadline);

  // Before a stop on purpose. A mqboot that ends otherwise leaves the machine to its watchdog.
  void disarm();

  // Tells the service manager, if there is one.
  void notify(const std::string& state) const;

  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void pat();

  port::Fd signals_;
  port::Fd watchdog_;
  std::string notify_socket_;
  bool service_watchdog_ = false;
  std::string error_;
};

}  // namespace mqboard::boot
