// TLS on one of Python's sockets, by OpenSSL on the non-blocking descriptor.
//
// Nothing here blocks: None says that the descriptor has to become ready first, in the direction that
// waits_to_write() tells, which during a handshake need not be that of the call. What the descriptor no
// longer announces because it lies in here already is told by has_news().
//
// A peer that just closes its socket has ended the connection, as one that says so first, because many do;
// between records, that is. (MicroPython and CPython take it so, too.)
//
// A failed connection stays failed, with the same error for every further call. Errors: ValueError for a
// certificate that does not count; OSError with errno for the connection; OSError with a negative number and
// a text for TLS itself: kBrokenOff and kAlert as MicroPython's mbedTLS numbers them, otherwise OpenSSL's
// reason.
//
// Used by one thread at a time. The descriptor is the caller's and outlives this.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "board/tls_credentials.hpp"
#include "python/value.hpp"

namespace mqboard::board {

class SocketTls {
 public:
  static constexpr int kBrokenOff = -0x7280;  // the peer closed the connection in a handshake or a record
  static constexpr int kAlert = -0x7780;      // the peer gave up; the text says why

  // `host`: as a client, the peer's name or address. Throws python::Exception.
  SocketTls(int descriptor, const TlsSettings& settings, std::string_view host);
  SocketTls(const SocketTls&) = delete;
  SocketTls& operator=(const SocketTls&) = delete;

  // True when it is through. Every other call below carries it on as far as it gets.
  python::HostResult handshake();
  // At most `size` bytes, as many records as there are; empty when the peer has closed.
  python::HostResult receive(std::size_t size);
  // How many bytes were taken. After None the same bytes are expected again; part of them may be under way.
  python::HostResult send(Bytes data);
  // Which of these poll() events have come, without taking anything.
  [[nodiscard]] short ready(short events);

  // Whether a blocked send (or receive) waits for the descriptor to become writable.
  [[nodiscard]] bool waits_to_write(bool for_write) const;
  [[nodiscard]] bool established() const { return established_; }
  // Whether receive() has an answer that the descriptor need not announce.
  [[nodiscard]] bool has_news() const;

  [[nodiscard]] python::Value peer_certificate() const;  // DER, or None
  [[nodiscard]] python::Value cipher() const;            // "NAME VERSION", or None

  // Tells the peer that nothing more will be sent. False: try again when the descriptor is writable.
  [[nodiscard]] bool say_goodbye();

 private:
  enum class Step : std::uint8_t { done, blocked, ended, failed };
  // What OpenSSL's BIO works on.
  struct Wire {
    int descriptor = -1;
    int read_error = 0;
    int write_error = 0;  // OpenSSL believes to be blocked then, so that it can still read why
    bool ended = false;
  };
  struct WireBio;

  Step step_of(int result, bool& waits_to_write);
  Step shake_hands();
  Step write(Bytes piece, std::size_t& written);
  Step finish_unfinished(Bytes data, std::size_t& taken);
  void look_for_reason();
  python::Exception failure_of(int error) const;
  python::Exception protocol_failure() const;
  python::Exception distrust() const;

  Wire wire_;
  std::string host_;
  OpenSslPtr<SSL> ssl_;
  std::optional<python::Exception> failure_;
  std::optional<python::Exception> write_failure_;  // of sending alone: what has come can still be read
  bool established_ = false;
  bool said_goodbye_ = false;
  bool read_waits_to_write_ = false;
  bool write_waits_to_write_ = true;
  python::ByteString unfinished_;  // what OpenSSL has begun to send, and reported as blocked
};

}  // namespace mqboard::board
