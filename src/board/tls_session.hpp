// The connection's TLS session in RTC memory, so that a board that wakes, or was reset, spares the full
// handshake.
//
// It counts only with the configuration it was made with: under other brokers, authorities, certificates or
// names the broker is verified anew. Threads: the I/O thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "board/config.hpp"
#include "core/boot/rtc.hpp"

namespace mqboard::board {

class KeptTlsSession {
 public:
  // Make it before the connection reads the files that the configuration names. Borrows the memory.
  KeptTlsSession(const boot::RtcArea& memory, const MqttConfig& config);

  // For mqtt::TlsOptions::ticket; empty when there is none for this configuration.
  [[nodiscard]] std::vector<std::uint8_t> ticket() const;
  // As of mqtt::Client::tls_ticket(). One too large for the memory, or none, leaves what is there.
  void keep(const std::vector<std::uint8_t>& ticket);

 private:
  boot::RtcArea memory_;
  std::array<std::uint8_t, 4> fingerprint_;  // of all that decides whom the handshake trusts, and as whom
};

}  // namespace mqboard::board
