// The firmware as a child process in a process group of its own. It dies with mqboot.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "port/linux/fd.hpp"

namespace mqboard::boot {

class FirmwareProcess {
 public:
  struct Command {
    port::Fd executable;                   // sealed memory, or
    std::string path;                      // a file
    std::vector<std::string> arguments;    // without the program's name
    std::vector<std::string> environment;  // NAME=value, beside mqboot's own
    int rtc_fd = -1;                       // passed on under its number
  };

  // Nothing when the process cannot be made; errno says why. An executable that cannot be executed is an exit
  // with status 127.
  static std::optional<FirmwareProcess> start(Command command);

  FirmwareProcess(FirmwareProcess&&) = default;
  FirmwareProcess& operator=(FirmwareProcess&&) = delete;
  ~FirmwareProcess();  // kills what is left of it

  // Becomes readable when the process has ended.
  [[nodiscard]] int fd() const { return pidfd_.get(); }

  void signal(int number) const;
  void kill_group() const;

  struct End {
    bool signalled = false;
    int code = 0;
  };
  // Waits for the end; call when fd() is readable or after kill_group().
  End reap();

 private:
  FirmwareProcess(pid_t pid, port::Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  port::Fd pidfd_;
  bool reaped_ = false;
};

}  // namespace mqboard::boot
