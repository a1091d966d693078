#include "mqtt/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "mqtt/certificate_time.hpp"
#include "mqtt/gather.hpp"
#include "mqtt/tls_bio.hpp"
#include "mqtt/tls_context.hpp"

namespace mqboard::mqtt {
namespace {

std::string openssl_reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(error);
  if (reason != nullptr) return reason;
  return error != 0 && ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error)) : "unknown TLS error";
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(asio::any_io_executor executor, SslPtr ssl, std::unique_ptr<Transport> below)
      : executor_(std::move(executor)), below_(std::move(below)), ssl_(std::move(ssl)) {
    BIO* const bio = make_transport_bio(&link_);
    link_.below = below_.get();
    SSL_set_bio(ssl_.get(), bio, bio);
  }

  // One step of the handshake: done when neither blocked nor failed; wants() says what a blocked one waits
  // for.
  IoResult handshake() {
    ERR_clear_error();
    return outcome(SSL_connect(ssl_.get()));
  }
  [[nodiscard]] Ready wants() const { return wants_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  // Small packets come in a record each: takes as many as there are and fit.
  IoResult read(MutableBytes into) override {
    IoResult result = std::exchange(read_failure_, {});
    while (result.bytes < into.size() && !result.blocked && !result.failed()) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_read_ex(ssl_.get(), into.data() + result.bytes, into.size() - result.bytes, &count) == 1) {
        read_wants_ = Ready::read;
        result.bytes += count;
        result.blocked = link_.drained && SSL_has_pending(ssl_.get()) == 0;
        continue;
      }
      IoResult stopped = outcome(0);
      read_wants_ = wants_;
      if (stopped.failed() && result.bytes != 0) {  // first what came before; the next read tells
        read_failure_ = std::move(stopped);
        break;
      }
      stopped.bytes = result.bytes;
      result = std::move(stopped);
    }
    drained_ = result.blocked;
    return result;
  }

  // Gathers small pieces into full records: one record per packet would cost more than the packet.
  IoResult write(std::span<const Bytes> pieces) override {
    IoResult result = write_staged();
    for (std::size_t offset = 0; !pieces.empty() && !result.blocked && !result.failed();) {
      const std::size_t taken = gather(pieces, offset, MutableBytes(stage_).subspan(staged_));
      staged_ += taken;
      const IoResult written = write_staged();
      result.bytes += taken;
      result.blocked = written.blocked;
      result.error = written.error;
      result.detail = written.detail;
    }
    return result;
  }

  void async_wait(Ready direction, std::shared_ptr<ReadyHandler> handler) override {
    if (direction == Ready::read && !drained_) {  // what is left lies in OpenSSL: the socket would not tell
      return asio::post(executor_, [handler = std::move(handler)] { handler->on_ready(Ready::read, true); });
    }
    const Ready below = direction == Ready::read ? read_wants_ : Ready::write;
    if (below != direction) handler = std::make_shared<Redirected>(std::move(handler), direction);
    below_->async_wait(below, std::move(handler));
  }

  void set_low_water(std::size_t bytes) override { below_->set_low_water(bytes); }

  [[nodiscard]] bool resumed() const override { return SSL_session_reused(ssl_.get()) == 1; }

  void shutdown() override {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    below_->shutdown();
  }

  void close() override { below_->close(); }

 private:
  // A read that has to write first (TLS 1.3 key update) still reports as a read.
  struct Redirected final : ReadyHandler {
    Redirected(std::shared_ptr<ReadyHandler> to, Ready as) : target(std::move(to)), direction(as) {}
    void on_ready(Ready, bool ok) override { target->on_ready(direction, ok); }
    std::shared_ptr<ReadyHandler> target;
    Ready direction;
  };

  IoResult write_staged() {
    while (staged_ != 0) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_write_ex(ssl_.get(), stage_.data(), staged_, &count) != 1) return outcome(0);
      staged_ -= count;
      if (staged_ != 0) std::memmove(stage_.data(), stage_.data() + count, staged_);
    }
    return {};
  }

  IoResult outcome(int returned) {
    if (returned == 1) return {};
    switch (SSL_get_error(ssl_.get(), returned)) {
      case SSL_ERROR_WANT_READ:
        wants_ = Ready::read;
        return {.blocked = true};
      case SSL_ERROR_WANT_WRITE:
        wants_ = Ready::write;
        if (link_.write_error != Errc{}) return {.error = link_.write_error};
        return {.blocked = true};
      case SSL_ERROR_ZERO_RETURN:
        return {.error = Errc::connection_closed};
      case SSL_ERROR_SYSCALL:
        return {.error = link_.read_error != Errc{} ? link_.read_error : Errc::connection_reset};
      default:
        return {.error = Errc::tls_failed, .detail = openssl_reason()};
    }
  }

  asio::any_io_executor executor_;
  std::unique_ptr<Transport> below_;
  BioLink link_;
  SslPtr ssl_;
  Ready wants_ = Ready::read;
  Ready read_wants_ = Ready::read;
  bool drained_ = true;  // the last read took all there was
  IoResult read_failure_;
  std::size_t staged_ = 0;
  std::array<std::uint8_t, SSL3_RT_MAX_PLAIN_LENGTH> stage_;
};

bool is_numeric(const std::string& host) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

// Tells the three ways a handshake fails apart: wrong name, untrusted, anything else.
std::unexpected<Error> handshake_error(const Attempt& attempt, const TlsTransport& transport,
                                       const IoResult& failed, const std::string& host) {
  if (failed.error != Errc::tls_failed) {
    return attempt.error(failed.error, make_error_code(failed.error).message() + " during the TLS handshake");
  }
  const long verdict = SSL_get_verify_result(transport.ssl());
  const std::string why = X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_OK:
      return attempt.error(Errc::tls_failed, "TLS handshake failed: " + failed.detail);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return attempt.error(Errc::host_name_mismatch,
                           "certificate is not valid for " + host + " (" + why + ")");
    default:
      return attempt.error(Errc::certificate_untrusted, "certificate not trusted: " + why);
  }
}

class Context final : public TlsContext {
 public:
  explicit Context(TlsOptions options) : options_(std::move(options)) {}

  Result<void> load() { return core_.load(options_); }

  asio::awaitable<Result<std::unique_ptr<Transport>>> handshake(Attempt& attempt,
                                                                std::unique_ptr<Transport> below,
                                                                std::string host) override {
    if (!options_.server_name.empty()) host = options_.server_name;
    SslPtr ssl = core_.make_ssl(attempt.name);
    if (!ssl) co_return attempt.error(Errc::tls_failed, openssl_reason());
    if (is_numeric(host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
    } else {
      SSL_set1_host(ssl.get(), host.c_str());
      SSL_set_tlsext_host_name(ssl.get(), host.c_str());
    }
    if (options_.certificate_time) judge_certificates_by(ssl.get(), options_.certificate_time());
    auto transport = std::make_unique<TlsTransport>(attempt.executor, std::move(ssl), std::move(below));
    for (;;) {
      const IoResult step = transport->handshake();
      if (step.failed()) co_return handshake_error(attempt, *transport, step, host);
      if (!step.blocked) co_return Result<std::unique_ptr<Transport>>(std::move(transport));
      auto ready = co_await attempt.wait_ready(*transport, transport->wants());
      if (!ready) co_return std::unexpected(std::move(ready.error()));
    }
  }

  [[nodiscard]] std::vector<std::uint8_t> ticket() const override { return core_.export_ticket(); }

 private:
  TlsOptions options_;
  SslContext core_;
};

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::create(const TlsOptions& options) {
  auto context = std::make_shared<Context>(options);
  if (auto loaded = context->load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return context;
}

}  // namespace mqboard::mqtt
