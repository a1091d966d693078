#include "board/tls_credentials.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ranges>
#include <vector>

#include "board/text.hpp"

namespace mqboard::board {
namespace {

using Certificate = OpenSslPtr<X509>;

[[noreturn]] void refuse(std::string what) {
  ERR_clear_error();
  throw python::Exception{python::Exception::Type::value_error, std::move(what)};
}

[[noreturn]] void out_of_memory() {
  throw python::Exception{python::Exception::Type::memory_error, "out of memory for TLS"};
}

OpenSslPtr<BIO> reader_of(Bytes data) {
  OpenSslPtr<BIO> bio(BIO_new_mem_buf(data.data(), static_cast<int>(data.size())));
  if (!bio) out_of_memory();
  return bio;
}

bool is_pem(Bytes data) { return as_text(data).contains("-----BEGIN "); }

void check_size(Bytes data, std::string_view what) {
  if (data.size() > kMaxCredentials) refuse(concat("invalid ", what, ": more than 1 MiB"));
}

// Nobody can be asked for a password here.
int no_password(char*, int, int, void*) { return 0; }

std::vector<Certificate> parse_pem(Bytes data) {
  std::vector<Certificate> found;
  const auto reader = reader_of(data);
  while (Certificate next{PEM_read_bio_X509(reader.get(), nullptr, no_password, nullptr)})
    found.push_back(std::move(next));
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) found.clear();
  return found;
}

// Empty if any of it is not a certificate.
std::vector<Certificate> parse_der(Bytes data) {
  std::vector<Certificate> found;
  const unsigned char* at = data.data();
  const unsigned char* const end = at + data.size();
  while (at != end) {
    Certificate next(d2i_X509(nullptr, &at, end - at));
    if (!next) {
      ERR_clear_error();
      return {};
    }
    found.push_back(std::move(next));
  }
  return found;
}

std::vector<Certificate> parse(Bytes data) {
  check_size(data, "cert");
  auto found = is_pem(data) ? parse_pem(data) : parse_der(data);
  if (found.empty()) refuse("invalid cert");
  return found;
}

OpenSslPtr<EVP_PKEY> parse_key(Bytes data) {
  check_size(data, "key");
  OpenSslPtr<EVP_PKEY> key;
  if (is_pem(data)) {
    key.reset(PEM_read_bio_PrivateKey(reader_of(data).get(), nullptr, no_password, nullptr));
  } else {
    const unsigned char* at = data.data();
    key.reset(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(data.size())));
  }
  if (!key) refuse("invalid key");
  return key;
}

// What an i2d function of OpenSSL writes, appended.
template<class T, class Write>
void append_der(python::ByteString& to, T* thing, Write write) {
  const int size = write(thing, nullptr);
  if (size <= 0) out_of_memory();
  const std::size_t before = to.size();
  to.resize(before + static_cast<std::size_t>(size));
  unsigned char* at = to.data() + before;
  write(thing, &at);
}

void use_identity(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.certificates.empty()) return;
  const auto chain = parse(settings.certificates);
  const auto key = parse_key(settings.key);
  bool used = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
  for (const auto& next : chain | std::views::drop(1)) {
    if (used) used = SSL_CTX_add1_chain_cert(context, next.get()) == 1;
  }
  if (used) used = SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  if (used) return;
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  refuse(concat("invalid cert: ", reason != nullptr ? reason : "OpenSSL refuses it"));
}

void use_trust(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.check != PeerCheck::required) return;
  if (settings.trusted.empty()) {
    X509_STORE* const store = settings.host_trust != nullptr ? settings.host_trust->store() : nullptr;
    if (store == nullptr) out_of_memory();
    SSL_CTX_set1_cert_store(context, store);
    return;
  }
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const auto& trusted : parse(settings.trusted)) {
    if (X509_STORE_add_cert(store, trusted.get()) != 1) out_of_memory();
    if (settings.server) SSL_CTX_add_client_CA(context, trusted.get());
  }
  // Whom the application names is trusted, be it a root, one below it, or the peer itself.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

void use_check(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.check == PeerCheck::required) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  } else if (settings.server && settings.check == PeerCheck::optional) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  } else {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  }
}

bool is_tls13(const SSL_CIPHER* cipher) { return SSL_CIPHER_get_protocol_id(cipher) >> 8 == 0x13; }

// Also with the dashes that MicroPython's own names have.
const SSL_CIPHER* find_cipher(SSL_CTX* context, std::string name) {
  STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(all, i);
    if (name == SSL_CIPHER_get_name(cipher)) return cipher;
  }
  std::ranges::replace(name, '-', '_');
  for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(all, i);
    const char* const its = SSL_CIPHER_standard_name(cipher);
    if (its != nullptr && name == its) return cipher;
  }
  refuse("unknown cipher " + name);
}

// OpenSSL keeps the suites of TLS 1.3 apart. A version none is named of is off.
void use_ciphers(SSL_CTX* context, std::string_view ciphers) {
  if (ciphers.empty()) return;
  std::string older, newer;
  for (const auto part : ciphers | std::views::split(':')) {
    const SSL_CIPHER* const cipher = find_cipher(context, std::string(std::string_view(part)));
    auto& list = is_tls13(cipher) ? newer : older;
    list += concat(list.empty() ? "" : ":", SSL_CIPHER_get_name(cipher));
  }
  if (older.empty()) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  } else {
    SSL_CTX_set_cipher_list(context, older.c_str());
  }
  if (newer.empty()) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_ciphersuites(context, newer.c_str());
}

}  // namespace

python::ByteString certificates_of(Bytes data) {
  python::ByteString der;
  for (const auto& certificate : parse(data)) append_der(der, certificate.get(), i2d_X509);
  return der;
}

python::ByteString private_key_of(Bytes data, Bytes certificates) {
  const auto key = parse_key(data);
  if (X509_check_private_key(parse(certificates).front().get(), key.get()) != 1)
    refuse("invalid key: it is not that of the certificate");
  python::ByteString der;
  append_der(der, key.get(), i2d_PrivateKey);
  return der;
}

X509_STORE* HostTrust::store() {
  const auto now = std::chrono::steady_clock::now();
  if (store_ && now - loaded_ < kOld) return store_.get();
  store_.reset(X509_STORE_new());
  if (!store_) return nullptr;
  // Either of file and folder may be missing.
  X509_STORE_set_default_paths(store_.get());
  ERR_clear_error();
  loaded_ = now;
  return store_.get();
}

OpenSslPtr<SSL_CTX> make_tls_context(const TlsSettings& settings) {
  ERR_clear_error();
  OpenSslPtr<SSL_CTX> made(SSL_CTX_new(settings.server ? TLS_server_method() : TLS_client_method()));
  if (!made) out_of_memory();
  SSL_CTX* const context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // A session could not be resumed: its keys go with this context.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_dh_auto(context, 1);
  use_identity(context, settings);
  use_trust(context, settings);
  use_check(context, settings);
  use_ciphers(context, settings.ciphers);
  ERR_clear_error();
  return made;
}

std::string cipher_names(std::string_view ciphers) {
  const auto context = make_tls_context({.check = PeerCheck::none, .ciphers = ciphers});
  const bool with_newer = SSL_CTX_get_max_proto_version(context.get()) != TLS1_2_VERSION;
  const bool with_older = SSL_CTX_get_min_proto_version(context.get()) != TLS1_3_VERSION;
  STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(context.get());
  std::string names;
  for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(all, i);
    const char* const name = SSL_CIPHER_standard_name(cipher);
    if (name == nullptr || !(is_tls13(cipher) ? with_newer : with_older)) continue;
    names += concat(names.empty() ? "" : ":", name);
  }
  return names;
}

}  // namespace mqboard::board
