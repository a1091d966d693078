// The OpenSSL side of TlsContext: certificates, keys, pre-shared key and resumable sessions.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <mqboard/mqtt/options.hpp>
#include <string>

namespace mqboard::mqtt {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

// Stays where it is: OpenSSL holds its address.
class SslContext {
 public:
  SslContext() = default;
  SslContext(const SslContext&) = delete;
  SslContext& operator=(const SslContext&) = delete;

  Result<void> load(const TlsOptions& options);

  // A connection to the named endpoint, offering its last session. Null when out of memory.
  SslPtr make_ssl(const std::string& endpoint);

  [[nodiscard]] std::vector<std::uint8_t> export_ticket() const;

 private:
  struct Callbacks;

  Result<void> load_trust(const TlsOptions& options);
  Result<void> load_identity(const TlsOptions& options);
  Result<void> load_psk(const TlsOptions& options);
  void import_ticket(const std::vector<std::uint8_t>& ticket);
  void keep(SSL* ssl, SSL_SESSION* session);

  std::unique_ptr<SSL_CTX, SslFree> context_;
  std::string key_password_;
  std::string psk_identity_;
  std::vector<std::uint8_t> psk_;
  std::map<std::string, std::unique_ptr<SSL_SESSION, SslFree>> sessions_;  // newest, by endpoint
  std::string newest_;
};

}  // namespace mqboard::mqtt
