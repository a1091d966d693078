// Certificates and keys for the TLS of Python's sockets, as MicroPython's ssl takes them: PEM or DER.
//
// They stay with Python, as DER, which is smaller and was checked when it was loaded. An OpenSSL context is
// made of them for each connection and goes with it: nothing of it is left to be freed by Python, which would
// not.
//
// Errors: python::Exception is thrown; ValueError for what cannot be read.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <mqboard/mqtt/options.hpp>

#include "core/base/bytes.hpp"
#include "python/value.hpp"

namespace mqboard::board {

inline constexpr std::size_t kMaxCredentials = 1024 * 1024;  // bytes, of certificates or a key

struct OpenSslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
template<class T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

// All certificates in `data`, at least one, as DER one after the other.
[[nodiscard]] python::ByteString certificates_of(Bytes data);
// The private key in `data`, which fits the first of `certificates`, as DER. One with a password is refused.
[[nodiscard]] python::ByteString private_key_of(Bytes data, Bytes certificates);

// Whether the peer's certificate counts, numbered as ssl.CERT_NONE and so on.
enum class PeerCheck : std::uint8_t {
  none = 0,
  optional = 1,  // a server asks for one and takes any; a client as with `none`
  required = 2,
};

// Whom the host trusts. Where that is one file it takes OpenSSL some 50 ms to read, so it is shared, and read
// again when it has grown old. One thread.
class HostTrust {
 public:
  static constexpr std::chrono::minutes kOld{60};

  // Null when out of memory.
  [[nodiscard]] X509_STORE* store();

 private:
  OpenSslPtr<X509_STORE> store_;
  std::chrono::steady_clock::time_point loaded_;
};

struct TlsSettings {
  bool server = false;
  PeerCheck check = PeerCheck::required;
  Bytes certificates = {}, key = {};  // our own, DER; empty: none
  Bytes trusted = {};                 // DER; empty: a client trusts whom the host trusts
  HostTrust* host_trust = nullptr;
  // Cipher suites by their IANA or OpenSSL names, separated by colons; empty: OpenSSL's choice.
  std::string_view ciphers = {};
  std::optional<mqtt::CertificateTime> certificate_time = {};  // none: the host's
};

[[nodiscard]] OpenSslPtr<SSL_CTX> make_tls_context(const TlsSettings& settings);

// The IANA names of the cipher suites that a context with these `ciphers` has, separated by colons.
[[nodiscard]] std::string cipher_names(std::string_view ciphers);

}  // namespace mqboard::board
