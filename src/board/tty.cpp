#include "board/tty.hpp"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/serial.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace mqboard::board {

namespace {

constexpr tcflag_t kOurs = CSIZE | CSTOPB | PARENB | PARODD | CRTSCTS;

tcflag_t flags_of(const TtySettings& settings) {
  constexpr tcflag_t kSizes[] = {CS5, CS6, CS7, CS8};
  tcflag_t flags = kSizes[settings.bits - 5];
  if (settings.stop_bits == 2) flags |= CSTOPB;
  if (settings.parity != TtySettings::Parity::none) flags |= PARENB;
  if (settings.parity == TtySettings::Parity::odd) flags |= PARODD;
  if (settings.flow_control) flags |= CRTSCTS;
  return flags;
}

// A receiver bears 5 % between its speed and the sender's.
bool is_near(speed_t got, speed_t wanted) {
  return got >= wanted - wanted / 20 && got <= wanted + wanted / 20;
}

}  // namespace

std::expected<void, TtyError> set_up_tty(int fd, const TtySettings& settings) {
  termios2 line{};
  if (::ioctl(fd, TCGETS2, &line) != 0) return std::unexpected(errno);
  line.c_iflag = line.c_oflag = line.c_lflag = 0;
  line.c_cflag = flags_of(settings) | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
  line.c_ispeed = line.c_ospeed = settings.baud;
  line.c_cc[VMIN] = 1;  // with nothing there a read says EAGAIN; 0 is left for a port that is gone
  line.c_cc[VTIME] = 0;
  // A driver takes what it can do and reports success: ask what came of it.
  if (::ioctl(fd, TCSETS2, &line) != 0 || ::ioctl(fd, TCGETS2, &line) != 0) return std::unexpected(errno);
  if ((line.c_cflag & kOurs) != flags_of(settings) || !is_near(line.c_ospeed, settings.baud)) {
    return std::unexpected(EINVAL);
  }
  if (::ioctl(fd, TCFLSH, TCIFLUSH) != 0) return std::unexpected(errno);
  return {};
}

std::expected<std::size_t, TtyError> tty_arrived(int fd) {
  int count = 0;
  if (::ioctl(fd, FIONREAD, &count) != 0) return std::unexpected(errno);
  return static_cast<std::size_t>(count);
}

std::expected<bool, TtyError> tty_sent(int fd) {
  int count = 0;
  if (::ioctl(fd, TIOCOUTQ, &count) != 0) return std::unexpected(errno);
  unsigned status = 0;
  const bool can_tell = ::ioctl(fd, TIOCSERGETLSR, &status) == 0;
  return count == 0 && (!can_tell || (status & TIOCSER_TEMT) != 0);
}

std::expected<void, TtyError> set_tty_break(int fd, bool on) {
  if (::ioctl(fd, on ? TIOCSBRK : TIOCCBRK) != 0) return std::unexpected(errno);
  return {};
}

}  // namespace mqboard::board
