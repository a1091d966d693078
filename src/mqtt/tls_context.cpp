#include "mqtt/tls_context.hpp"

#include <openssl/err.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace mqboard::mqtt {
namespace {

// The newest reason OpenSSL gave: the system's word for a file that cannot be read, else its own.
std::string reason() {
  const unsigned long error = ERR_peek_error();
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* const text = ERR_reason_error_string(ERR_peek_last_error());
  return text != nullptr ? text : "unreadable";
}

std::unexpected<Error> file_error(Errc code, const std::string& file, const std::string& what) {
  return std::unexpected(Error(code, file + ": " + what + ": " + reason()));
}

// Where a connection keeps the name of its endpoint.
int endpoint_index() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* name, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<std::string*>(name); });
  return index;
}

}  // namespace

// What OpenSSL calls back; each finds its SslContext behind SSL_CTX_get_app_data.
struct SslContext::Callbacks {
  static SslContext& of(const SSL* ssl) {
    return *static_cast<SslContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int new_session(SSL* ssl, SSL_SESSION* session) {
    of(ssl).keep(ssl, session);
    return 1;  // we keep the reference
  }

  static int password(char* buffer, int size, int, void* self) {
    const std::string& text = static_cast<SslContext*>(self)->key_password_;
    const auto length = std::min(text.size(), static_cast<std::size_t>(size));
    std::memcpy(buffer, text.data(), length);
    return static_cast<int>(length);
  }

  static unsigned psk(SSL* ssl, const char*, char* identity, unsigned identity_size, unsigned char* key,
                      unsigned key_size) {
    const SslContext& self = of(ssl);
    if (self.psk_identity_.size() >= identity_size || self.psk_.size() > key_size) return 0;
    std::memcpy(identity, self.psk_identity_.c_str(), self.psk_identity_.size() + 1);
    std::memcpy(key, self.psk_.data(), self.psk_.size());
    return static_cast<unsigned>(self.psk_.size());
  }
};

Result<void> SslContext::load(const TlsOptions& options) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return std::unexpected(Error(Errc::tls_failed, "OpenSSL: " + reason()));
  SSL_CTX* const context = context_.get();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_min_proto_version(context, options.require_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, Callbacks::new_session);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.psk_identity.empty() || !options.psk.empty()) {
    if (auto loaded = load_psk(options); !loaded) return loaded;
  } else if (options.verify) {
    if (auto loaded = load_trust(options); !loaded) return loaded;
  }
  if (auto loaded = load_identity(options); !loaded) return loaded;
  import_ticket(options.ticket);
  ERR_clear_error();
  return {};
}

Result<void> SslContext::load_trust(const TlsOptions& options) {
  if (options.ca_file.empty() && options.ca_path.empty()) {
    SSL_CTX_set_default_verify_paths(context_.get());
    return {};
  }
  if (!options.ca_file.empty() && SSL_CTX_load_verify_file(context_.get(), options.ca_file.c_str()) != 1) {
    return file_error(Errc::bad_ca_file, options.ca_file, "cannot load CA certificates");
  }
  if (!options.ca_path.empty()) {
    struct stat status {};
    if (::stat(options.ca_path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      return std::unexpected(Error(Errc::bad_ca_file, options.ca_path + ": not a folder of CA certificates"));
    }
    SSL_CTX_load_verify_dir(context_.get(), options.ca_path.c_str());
  }
  return {};
}

Result<void> SslContext::load_identity(const TlsOptions& options) {
  if (options.certificate_file.empty()) {
    if (options.key_file.empty()) return {};
    return std::unexpected(Error(Errc::bad_option, options.key_file + ": a client key needs a certificate"));
  }
  const std::string& certificate = options.certificate_file;
  const std::string& key = options.key_file.empty() ? certificate : options.key_file;
  key_password_ = options.key_password;
  SSL_CTX_set_default_passwd_cb(context_.get(), Callbacks::password);
  SSL_CTX_set_default_passwd_cb_userdata(context_.get(), this);
  if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) != 1) {
    return file_error(Errc::bad_certificate_file, certificate, "cannot load the client certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return file_error(Errc::bad_key_file, key, "cannot load the client key");
  }
  if (SSL_CTX_check_private_key(context_.get()) != 1) {
    return file_error(Errc::bad_key_file, key, "does not fit " + certificate);
  }
  return {};
}

Result<void> SslContext::load_psk(const TlsOptions& options) {
  if (options.psk_identity.empty() || options.psk.empty()) {
    return std::unexpected(Error(Errc::bad_option, "a pre-shared key needs both identity and key"));
  }
  psk_identity_ = options.psk_identity;
  psk_ = options.psk;
  SSL_CTX_set_cipher_list(context_.get(), "PSK");
  SSL_CTX_set_psk_client_callback(context_.get(), Callbacks::psk);
  return {};
}

SslPtr SslContext::make_ssl(const std::string& endpoint) {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) return ssl;
  SSL_set_ex_data(ssl.get(), endpoint_index(), new std::string(endpoint));
  if (const auto known = sessions_.find(endpoint); known != sessions_.end()) {
    SSL_set_session(ssl.get(), known->second.get());
  }
  return ssl;
}

void SslContext::keep(SSL* ssl, SSL_SESSION* session) {
  newest_ = *static_cast<const std::string*>(SSL_get_ex_data(ssl, endpoint_index()));
  sessions_[newest_].reset(session);
}

// A ticket is the endpoint's name, a zero byte, and the session in DER.
std::vector<std::uint8_t> SslContext::export_ticket() const {
  const auto newest = sessions_.find(newest_);
  if (newest == sessions_.end()) return {};
  const int size = i2d_SSL_SESSION(newest->second.get(), nullptr);
  if (size <= 0) return {};
  std::vector<std::uint8_t> ticket(newest_.begin(), newest_.end());
  ticket.resize(newest_.size() + 1 + static_cast<std::size_t>(size));
  std::uint8_t* der = ticket.data() + newest_.size() + 1;
  i2d_SSL_SESSION(newest->second.get(), &der);
  return ticket;
}

void SslContext::import_ticket(const std::vector<std::uint8_t>& ticket) {
  const auto zero = std::find(ticket.begin(), ticket.end(), std::uint8_t{0});
  if (zero == ticket.end()) return;
  const std::uint8_t* der = ticket.data() + (zero - ticket.begin()) + 1;
  SSL_SESSION* const session = d2i_SSL_SESSION(nullptr, &der, static_cast<long>(ticket.end() - zero - 1));
  if (session == nullptr) return;
  newest_.assign(ticket.begin(), zero);
  sessions_[newest_].reset(session);
}

}  // namespace mqboard::mqtt
