// Serial ports as the kernel sees them. Apart, as the kernel's termios2, which knows every speed, and the C
// library's termios exclude each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>

namespace mqboard::board {

struct TtySettings {
  enum class Parity : std::uint8_t { none, even, odd };

  std::uint32_t baud = 115'200;
  unsigned bits = 8;  // 5 to 8
  Parity parity = Parity::none;
  unsigned stop_bits = 1;     // 1 or 2
  bool flow_control = false;  // RTS and CTS
};

// Errors are errno's numbers.
using TtyError = int;

// Makes the port a plain carrier of bytes and forgets what has arrived. ENOTTY: no serial port; EINVAL: it
// does not do these settings.
[[nodiscard]] std::expected<void, TtyError> set_up_tty(int fd, const TtySettings& settings);
// Bytes that have arrived.
[[nodiscard]] std::expected<std::size_t, TtyError> tty_arrived(int fd);
// Nothing waits to be sent, in the shift register neither where the port can tell.
[[nodiscard]] std::expected<bool, TtyError> tty_sent(int fd);
[[nodiscard]] std::expected<void, TtyError> set_tty_break(int fd, bool on);

}  // namespace mqboard::board
