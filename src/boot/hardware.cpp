#include "boot/hardware.hpp"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace mqboard::boot {
namespace {

// mqboot wakes at least this often; the machine's watchdog allows many times as much.
constexpr std::chrono::milliseconds kPatInterval{1000};
constexpr int kDeviceTimeoutSeconds = 30;

}  // namespace

Hardware::Hardware(const std::string& watchdog_device) {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&handled, number);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));

  if (const char* const socket = std::getenv("NOTIFY_SOCKET")) notify_socket_ = socket;
  service_watchdog_ = std::getenv("WATCHDOG_USEC") != nullptr;

  if (watchdog_device.empty()) return;
  watchdog_.reset(::open(watchdog_device.c_str(), O_WRONLY | O_CLOEXEC));
  int timeout = kDeviceTimeoutSeconds;
  if (!watchdog_ || ::ioctl(watchdog_.get(), WDIOC_SETTIMEOUT, &timeout) != 0) {
    error_ = watchdog_device + ": " + std::strerror(errno);
  }
}

void Hardware::disarm() {
  if (watchdog_ && ::write(watchdog_.get(), "V", 1) < 0) error_ = std::strerror(errno);
}

void Hardware::pat() {
  if (watchdog_ && ::write(watchdog_.get(), "", 1) < 0) error_ = std::strerror(errno);
  if (service_watchdog_) notify("WATCHDOG=1");
}

Hardware::Event Hardware::wait(int fd, Clock::time_point deadline) {
  for (;;) {
    pat();
    const auto left = deadline - Clock::now();
    const auto pause = std::clamp<Clock::duration>(left, Clock::duration::zero(), kPatInterval);
    pollfd sources[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                        {.fd = fd, .events = POLLIN, .revents = 0}};
    // Rounded up: waking a little early would only mean another turn.
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(pause).count();
    const int count = ::poll(sources, 2, static_cast<int>(milliseconds));
    signalfd_siginfo signal{};
    if (count > 0 && sources[0].revents != 0 &&
        ::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
      return signal.ssi_signo == SIGUSR1 ? Event::reset_button : Event::stop;
    }
    if (count > 0 && sources[1].revents != 0) return Event::ready;
    if (Clock::now() >= deadline) return Event::deadline;
  }
}

void Hardware::notify(const std::string& state) const {
  sockaddr_un address{};
  if (notify_socket_.empty() || notify_socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::ranges::copy(notify_socket_, address.sun_path);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const port::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + notify_socket_.size());
  // A service manager that does not listen is no reason to fail.
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr*>(&address), size);
}

}  // namespace mqboard::boot
