#include "board/socket_tls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "board/text.hpp"
#include "mqtt/certificate_time.hpp"

namespace mqboard::board {

using python::Exception;
using python::HostResult;
using python::None;

namespace {

constexpr std::size_t kRecord = 16 * 1024;
constexpr int kFirstAlertReason = 1000;  // SSL_AD_REASON_OFFSET: from here on the peer's alerts

Exception os_exception(int code, std::string text = {}) {
  return {Exception::Type::os_error, std::move(text), code};
}

Exception broken_off() { return os_exception(SocketTls::kBrokenOff, "the peer broke the connection off"); }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

struct SocketTls::WireBio {
  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* moved) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(of(bio).descriptor, data, size, MSG_NOSIGNAL);
    if (sent < 0) {
      if (!would_block(errno)) of(bio).write_error = errno;
      BIO_set_retry_write(bio);
      return 0;
    }
    *moved = static_cast<std::size_t>(sent);
    return 1;
  }

  static int read(BIO* bio, char* data, std::size_t size, std::size_t* moved) {
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(of(bio).descriptor, data, size, 0);
    if (got > 0) {
      *moved = static_cast<std::size_t>(got);
      return 1;
    }
    if (got == 0) {
      of(bio).ended = true;
    } else if (would_block(errno)) {
      BIO_set_retry_read(bio);
    } else {
      of(bio).read_error = errno;
    }
    return 0;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return of(bio).ended ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO* make(Wire* wire) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mqboard socket");
      BIO_meth_set_write_ex(made, write);
      BIO_meth_set_read_ex(made, read);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* const bio = BIO_new(method);
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
  }
};

SocketTls::SocketTls(int descriptor, const TlsSettings& settings, std::string_view host)
    : wire_{.descriptor = descriptor}, host_(host), ssl_(SSL_new(make_tls_context(settings).get())) {
  BIO* const bio = ssl_ ? WireBio::make(&wire_) : nullptr;
  if (bio == nullptr) throw Exception{Exception::Type::memory_error, "out of memory for TLS"};
  SSL_set_bio(ssl_.get(), bio, bio);
  if (settings.certificate_time && settings.check == PeerCheck::required)
    mqtt::judge_certificates_by(ssl_.get(), *settings.certificate_time);
  if (settings.server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  read_waits_to_write_ = true;  // a client speaks first
  if (host_.empty()) return;
  // An address is checked against the certificate's addresses, and is no name to ask a server for.
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host_.c_str()) == 1) return;
  if (SSL_set1_host(ssl_.get(), host_.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), host_.c_str()) != 1) {
    ERR_clear_error();
    throw Exception{Exception::Type::value_error, "invalid server_hostname"};
  }
}

Exception SocketTls::distrust() const {
  const long verdict = SSL_get_verify_result(ssl_.get());
  const std::string why = X509_verify_cert_error_string(verdict);
  const bool other_host =
      verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
  return {Exception::Type::value_error, other_host ? concat("certificate is not valid for ", host_, ": ", why)
                                                   : concat("certificate not trusted: ", why)};
}

Exception SocketTls::protocol_failure() const {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) return distrust();
  const char* const text = ERR_reason_error_string(ERR_peek_error());
  return os_exception(reason >= kFirstAlertReason ? kAlert : -std::max(reason, 1),
                      text != nullptr ? text : "TLS failed");
}

Exception SocketTls::failure_of(int error) const {
  if (error == SSL_ERROR_SSL) return protocol_failure();
  if (wire_.read_error != 0) return os_exception(wire_.read_error);
  if (wire_.write_error != 0) return os_exception(wire_.write_error);
  return broken_off();
}

// What became of a call of OpenSSL that answered `result`, the queue of errors having been empty before it.
SocketTls::Step SocketTls::step_of(int result, bool& waits_to_write) {
  if (result == 1) return Step::done;
  const int error = SSL_get_error(ssl_.get(), result);
  const bool in_a_record = wire_.ended && SSL_has_pending(ssl_.get()) == 1;
  if (error == SSL_ERROR_ZERO_RETURN && !in_a_record) return Step::ended;
  if (error == SSL_ERROR_WANT_READ || (error == SSL_ERROR_WANT_WRITE && wire_.write_error == 0)) {
    waits_to_write = error == SSL_ERROR_WANT_WRITE;
    return Step::blocked;
  }
  failure_ = in_a_record ? broken_off() : failure_of(error);
  ERR_clear_error();
  return Step::failed;
}

SocketTls::Step SocketTls::shake_hands() {
  if (failure_) return Step::failed;
  if (established_) return Step::done;
  ERR_clear_error();
  const Step step = step_of(SSL_do_handshake(ssl_.get()), read_waits_to_write_);
  if (step == Step::done) {
    established_ = true;
    read_waits_to_write_ = false;
  }
  if (step != Step::ended) return step;
  failure_ = broken_off();
  return Step::failed;
}

HostResult SocketTls::handshake() {
  switch (shake_hands()) {
    case Step::done:
      return true;
    case Step::failed:
      return std::unexpected(*failure_);
    default:
      return None{};
  }
}

HostResult SocketTls::receive(std::size_t size) {
  Step step = shake_hands();
  python::ByteString data(size);
  std::size_t got = 0;
  while (step == Step::done && got < size) {
    ERR_clear_error();
    std::size_t more = 0;
    step = step_of(SSL_read_ex(ssl_.get(), data.data() + got, size - got, &more), read_waits_to_write_);
    got += more;
  }
  if (got == 0 && step == Step::failed) return std::unexpected(*failure_);
  if (got == 0 && step == Step::blocked) return None{};
  if (step == Step::done) read_waits_to_write_ = false;
  data.resize(got);
  return data;
}

SocketTls::Step SocketTls::write(Bytes piece, std::size_t& written) {
  if (write_failure_) return Step::failed;
  ERR_clear_error();
  const Step step =
      step_of(SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written), write_waits_to_write_);
  if (step == Step::done) write_waits_to_write_ = true;
  if (step == Step::ended) failure_ = os_exception(EPIPE);
  if (step == Step::done || step == Step::blocked) return step;
  write_failure_ = failure_;
  if (wire_.write_error != 0) look_for_reason();
  return Step::failed;
}

// The peer has gone. What it has sent can still be read; if that is why it went, it tells more than a broken
// pipe.
void SocketTls::look_for_reason() {
  failure_.reset();
  char scrap = 0;
  std::size_t peeked = 0;
  ERR_clear_error();
  const int result = SSL_peek_ex(ssl_.get(), &scrap, 1, &peeked);
  if (result == 1 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_SSL) return;
  failure_ = write_failure_ = protocol_failure();
  ERR_clear_error();
}

// OpenSSL insists on ending what it has begun. The caller, who was told that nothing was taken, need not come
// with the same bytes again: what is taken of `data` by this are those of them that it does come with.
SocketTls::Step SocketTls::finish_unfinished(Bytes data, std::size_t& taken) {
  while (!unfinished_.empty()) {
    std::size_t written = 0;
    if (const Step step = write(unfinished_, written); step != Step::done) return step;
    const Bytes sent = Bytes(unfinished_).first(written);
    const Bytes offered = data.subspan(taken, std::min(written, data.size() - taken));
    if (std::ranges::equal(sent, offered)) taken += written;
    unfinished_.erase(unfinished_.begin(), unfinished_.begin() + static_cast<std::ptrdiff_t>(written));
  }
  return Step::done;
}

HostResult SocketTls::send(Bytes data) {
  Step step = shake_hands();
  std::size_t taken = 0;
  if (step == Step::done) step = finish_unfinished(data, taken);
  while (step == Step::done && taken < data.size()) {
    const Bytes piece = data.subspan(taken, std::min(kRecord, data.size() - taken));
    std::size_t written = 0;
    step = write(piece, written);
    taken += written;
    if (step == Step::blocked) unfinished_.assign(piece.begin(), piece.end());
  }
  if (taken != 0 || step == Step::done) return static_cast<std::int64_t>(taken);
  if (step == Step::failed) return std::unexpected(write_failure_ ? *write_failure_ : *failure_);
  return None{};
}

short SocketTls::ready(short events) {
  const auto both = static_cast<short>(events & (POLLIN | POLLOUT));
  if (shake_hands() == Step::blocked) return 0;
  if (failure_) return static_cast<short>(both | POLLERR);
  pollfd entry{.fd = wire_.descriptor, .events = static_cast<short>(events & ~POLLIN), .revents = 0};
  if (::poll(&entry, 1, 0) < 0) return POLLERR;
  if ((events & POLLIN) == 0) return entry.revents;
  char scrap = 0;
  std::size_t peeked = 0;
  ERR_clear_error();
  const Step step = step_of(SSL_peek_ex(ssl_.get(), &scrap, 1, &peeked), read_waits_to_write_);
  return static_cast<short>(entry.revents | (step != Step::blocked ? POLLIN : 0));
}

bool SocketTls::waits_to_write(bool for_write) const {
  return for_write && established_ ? write_waits_to_write_ : read_waits_to_write_;
}

bool SocketTls::has_news() const {
  return failure_ || SSL_pending(ssl_.get()) > 0 ||
         (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

python::Value SocketTls::peer_certificate() const {
  const OpenSslPtr<X509> certificate(SSL_get1_peer_certificate(ssl_.get()));
  if (!certificate) return None{};
  const int size = i2d_X509(certificate.get(), nullptr);
  if (size <= 0) return None{};
  python::ByteString der(static_cast<std::size_t>(size));
  unsigned char* at = der.data();
  i2d_X509(certificate.get(), &at);
  return der;
}

python::Value SocketTls::cipher() const {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_.get());
  const char* const name = cipher != nullptr ? SSL_CIPHER_standard_name(cipher) : nullptr;
  if (name == nullptr) return None{};
  return concat(name, " ", SSL_get_version(ssl_.get()));
}

bool SocketTls::say_goodbye() {
  if (said_goodbye_ || failure_ || write_failure_ || !established_) return true;
  if (!unfinished_.empty()) {
    std::size_t taken = 0;
    if (const Step step = finish_unfinished({}, taken); step != Step::done) return step != Step::blocked;
  }
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  const bool blocked =
      result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE && wire_.write_error == 0;
  ERR_clear_error();
  said_goodbye_ = !blocked;
  return said_goodbye_;
}

}  // namespace mqboard::board
