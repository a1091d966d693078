// TLS on top of another Transport.
#pragma once

#include <mqboard/mqtt/options.hpp>

#include "mqtt/attempt.hpp"
#include "mqtt/transport.hpp"

namespace mqboard::mqtt {

// What the TLS connections of one client share: trusted certificates, our own, and sessions to resume. Making
// one reads the files, so it is made when first needed.
class TlsContext {
 public:
  // Errors: bad_ca_file, bad_certificate_file, bad_key_file, bad_option; each names the file.
  static Result<std::shared_ptr<TlsContext>> create(const TlsOptions& options);
  virtual ~TlsContext() = default;

  // Performs the handshake as client of `host` over the transport. Errors: certificate_untrusted,
  // host_name_mismatch, tls_failed, connection_closed, connection_reset, connect_timeout, cancelled.
  virtual asio::awaitable<Result<std::unique_ptr<Transport>>> handshake(Attempt& attempt,
                                                                        std::unique_ptr<Transport> below,
                                                                        std::string host) = 0;

  // The newest session ticket in the form TlsOptions::ticket takes.
  [[nodiscard]] virtual std::vector<std::uint8_t> ticket() const = 0;
};

}  // namespace mqboard::mqtt
