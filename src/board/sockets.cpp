#include "board/sockets.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "board/module_functions.hpp"
#include "board/socket_farewells.hpp"
#include "board/socket_tls.hpp"
#include "board/text.hpp"
#include "core/base/json_text.hpp"

namespace mqboard::board {

namespace asio = boost::asio;
using boost::system::error_code;
using python::Call;
using python::HostResult;
using python::None;
using python::Value;

namespace {

[[noreturn]] void fail(int code) { throw python::Exception{python::Exception::Type::os_error, {}, code}; }

python::Exception os_exception(int code) { return {python::Exception::Type::os_error, {}, code}; }

// Would block: None. Another error: OSError.
HostResult blocked() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS) return None{};
  return python::os_error(errno);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

// A numeric address. "" is every address of the machine.
Address address_of(std::string_view host, std::int64_t port, int family) {
  if (port < 0 || port > 65'535) fail(EINVAL);
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string name(host), service = std::to_string(port);
  if (::getaddrinfo(name.empty() ? nullptr : name.c_str(), service.c_str(), &hints, &found) != 0)
    fail(EINVAL);
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

// "host port"
std::string text_of(Address address) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(address.raw(), address.size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return " 0";
  }
  return concat(std::string_view(host), " ", std::string_view(port));
}

// One open socket. The descriptor is waited for on the executor only; the system calls come from the Python
// thread, until it gives the socket up.
struct Socket {
  Socket(const asio::any_io_executor& executor, int descriptor, int family_)
      : waiting(executor, descriptor), fd(descriptor), family(family_) {}

  asio::posix::stream_descriptor waiting;
  const int fd;
  const int family;
  std::string sender;  // of the last datagram

  // After each call of `tls`, with its result. Whoever waits for input that is in `tls` now, or for a
  // handshake that is over, waits for what the descriptor will not tell: somebody else took it off there.
  HostResult used_tls(HostResult result) {
    if (tls_reader && (tls->has_news() || tls->established() != reader_saw_established)) {
      tls_reader->complete();
      tls_reader.reset();
    }
    return result;
  }

  std::unique_ptr<SocketTls> tls;
  std::optional<python::Completion> tls_reader;  // the newest wait for input
  bool reader_saw_established = false;
};

// Python thread.
class Sockets {
 public:
  Sockets(asio::any_io_executor executor, std::function<mqtt::CertificateTime()> time)
      : certificate_time(std::move(time)),
        executor_(std::move(executor)),
        farewells_(std::make_shared<Farewells>(executor_)) {}
  ~Sockets() {
    close_all();
    farewells_->end();
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  HostResult open(int family, int type);
  HostResult accept(Socket& listener);
  void wait(std::int64_t handle, bool for_write, const python::Completion& done);
  void resolve(std::string host, std::string port, int family, python::Completion done);
  void close(std::int64_t handle);
  void close_all();
  Socket& at(const Call& call) const { return *find(call.integer(0)); }

  const std::function<mqtt::CertificateTime()> certificate_time;  // empty: the host's
  HostTrust host_trust;

 private:
  const std::shared_ptr<Socket>& find(std::int64_t handle) const;
  HostResult add(int fd, int family);

  asio::any_io_executor executor_;
  std::shared_ptr<Farewells> farewells_;
  std::array<std::shared_ptr<Socket>, kMaxSockets> sockets_;
};

const std::shared_ptr<Socket>& Sockets::find(std::int64_t handle) const {
  if (handle < 0 || handle >= static_cast<std::int64_t>(sockets_.size())) fail(EBADF);
  const auto& socket = sockets_[static_cast<std::size_t>(handle)];
  if (!socket) fail(EBADF);
  return socket;
}

HostResult Sockets::add(int fd, int family) {
  if (fd < 0) return blocked();
  const auto free = std::ranges::find(sockets_, nullptr);
  if (free == sockets_.end()) {
    ::close(fd);
    return python::os_error(EMFILE);
  }
  // What is written leaves at once, as on a board.
  const int on = 1;
  static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  *free = std::make_shared<Socket>(executor_, fd, family);
  return std::int64_t{free - sockets_.begin()};
}

HostResult Sockets::open(int family, int type) {
  if (family != AF_INET && family != AF_INET6) return python::os_error(EAFNOSUPPORT);
  if (type != SOCK_STREAM && type != SOCK_DGRAM) return python::os_error(ESOCKTNOSUPPORT);
  return add(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), family);
}

HostResult Sockets::accept(Socket& listener) {
  return add(::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), listener.family);
}

void Sockets::wait(std::int64_t handle, bool for_write, const python::Completion& done) {
  Socket& waited = *find(handle);
  if (waited.tls && !for_write) {
    if (waited.tls->has_news()) return done.complete();
    waited.tls_reader = done;
    waited.reader_saw_established = waited.tls->established();
  }
  asio::post(executor_, [socket = find(handle), for_write, done] {
    using Descriptor = asio::posix::descriptor_base;
    socket->waiting.async_wait(for_write ? Descriptor::wait_write : Descriptor::wait_read,
                               [socket, done](error_code error) {
                                 if (error) {
                                   done.fail(os_exception(EBADF));
                                 } else {
                                   done.complete();
                                 }
                               });
  });
}

// Answers a JSON list of [family, "address", port].
std::string as_json(const asio::ip::tcp::resolver::results_type& results, int family) {
  std::string text = "[";
  for (const auto& entry : results) {
    const auto address = entry.endpoint().address();
    const int its = address.is_v4() ? AF_INET : AF_INET6;
    if (family != AF_UNSPEC && family != its) continue;
    text += concat(text.size() > 1 ? "," : "", "[", its, ",");
    append_json_string(text, address.to_string());
    text += concat(",", entry.endpoint().port(), "]");
  }
  return text + "]";
}

void Sockets::resolve(std::string host, std::string port, int family, python::Completion done) {
  auto resolver = std::make_shared<asio::ip::tcp::resolver>(executor_);
  asio::post(executor_, [resolver, host = std::move(host), port = std::move(port), family, done] {
    const auto answer = [resolver, family, done](error_code error, const auto& results) {
      if (error) return done.fail({python::Exception::Type::os_error, error.message(), EHOSTUNREACH});
      done.complete(as_json(results, family));
    };
    resolver->async_resolve(host, port, answer);
  });
}

void Sockets::close(std::int64_t handle) {
  if (handle < 0 || handle >= static_cast<std::int64_t>(sockets_.size())) return;
  auto socket = std::move(sockets_[static_cast<std::size_t>(handle)]);
  sockets_[static_cast<std::size_t>(handle)].reset();
  if (!socket) return;
  if (socket->tls) {
    if (socket->tls->say_goodbye()) ::shutdown(socket->fd, SHUT_WR);
    return farewells_->see_off({socket, &socket->waiting}, {socket, socket->tls.get()});
  }
  // At once for the peer; the descriptor itself goes where it may be waited for.
  ::shutdown(socket->fd, SHUT_RDWR);
  asio::post(executor_, [socket] {
    error_code ignored;
    socket->waiting.close(ignored);
  });
}

void Sockets::close_all() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) close(static_cast<std::int64_t>(i));
}

// --- The functions of the module

int small(const Call& call, std::size_t index) {
  const std::int64_t value = call.integer(index);
  if (value < INT32_MIN || value > INT32_MAX) fail(EINVAL);
  return static_cast<int>(value);
}

HostResult done_or_error(int status) {
  if (status != 0) return python::os_error(errno);
  return None{};
}

HostResult connect(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  Address address = address_of(call.text(1), call.integer(2), socket.family);
  if (::connect(socket.fd, address.raw(), address.size) != 0) return blocked();
  return true;
}

HostResult bind(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  Address address = address_of(call.text(1), call.integer(2), socket.family);
  return done_or_error(::bind(socket.fd, address.raw(), address.size));
}

HostResult send(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  const Bytes data = call.bytes(1);
  if (socket.tls) return socket.used_tls(socket.tls->send(data));
  ssize_t sent = 0;
  if (call.given(2)) {
    Address address = address_of(call.text(2), call.integer(3), socket.family);
    sent = ::sendto(socket.fd, data.data(), data.size(), MSG_NOSIGNAL, address.raw(), address.size);
  } else {
    sent = ::send(socket.fd, data.data(), data.size(), MSG_NOSIGNAL);
  }
  if (sent < 0) return blocked();
  return std::int64_t{sent};
}

HostResult receive(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  const std::int64_t wanted = std::clamp<std::int64_t>(call.integer(1), 0, kMaxReceive);
  if (socket.tls) return socket.used_tls(socket.tls->receive(static_cast<std::size_t>(wanted)));
  python::ByteString data(static_cast<std::size_t>(wanted));
  Address from;
  const ssize_t got = ::recvfrom(socket.fd, data.data(), data.size(), 0, from.raw(), &from.size);
  if (got < 0) return blocked();
  data.resize(static_cast<std::size_t>(got));
  if (from.size > 0) socket.sender = text_of(from);
  return data;
}

HostResult name(Socket& socket, bool of_peer) {
  Address address;
  const int status = of_peer ? ::getpeername(socket.fd, address.raw(), &address.size)
                             : ::getsockname(socket.fd, address.raw(), &address.size);
  if (status != 0) return python::os_error(errno);
  return text_of(address);
}

// Which of these poll() events have come: POLLIN, POLLOUT, also POLLERR and POLLHUP.
HostResult ready(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  const auto events = static_cast<short>(small(call, 1) & 0xff);
  if (socket.tls) return socket.used_tls(std::int64_t{socket.tls->ready(events)});
  pollfd entry{.fd = socket.fd, .events = events, .revents = 0};
  if (::poll(&entry, 1, 0) < 0) return python::os_error(errno);
  return std::int64_t{entry.revents};
}

HostResult pending_error(Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return python::os_error(errno);
  return std::int64_t{error};
}

HostResult set_option(Socket& socket, Call& call) {
  const int level = small(call, 1), option = small(call, 2);
  const bool allowed =
      (level == SOL_SOCKET && (option == SO_REUSEADDR || option == SO_BROADCAST || option == SO_KEEPALIVE)) ||
      level == IPPROTO_IP || level == IPPROTO_TCP || level == IPPROTO_IPV6;
  if (!allowed) return python::os_error(ENOPROTOOPT);
  if (const auto* data = std::get_if<Bytes>(&call.args()[3])) {
    return done_or_error(
        ::setsockopt(socket.fd, level, option, data->data(), static_cast<socklen_t>(data->size())));
  }
  const int value = small(call, 3);
  return done_or_error(::setsockopt(socket.fd, level, option, &value, sizeof value));
}

// --- TLS

Bytes optional_bytes(const Call& call, std::size_t index) {
  return call.given(index) ? call.bytes(index) : Bytes{};
}

// (handle, server, check, host, certificates, key, trusted, ciphers)
HostResult start_tls(Sockets& sockets, Call& call) {
  Socket& socket = sockets.at(call);
  if (socket.tls) return python::os_error(EISCONN, "TLS runs on this socket already");
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket.fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return python::os_error(errno);
  if (type != SOCK_STREAM) return python::os_error(EPROTOTYPE, "TLS needs a stream socket");
  TlsSettings settings{.server = call.boolean(1),
                       .check = static_cast<PeerCheck>(std::clamp(small(call, 2), 0, 2)),
                       .certificates = optional_bytes(call, 4),
                       .key = optional_bytes(call, 5),
                       .trusted = optional_bytes(call, 6),
                       .host_trust = &sockets.host_trust,
                       .ciphers = call.text(7),
                       .certificate_time = {}};
  if (sockets.certificate_time) settings.certificate_time = sockets.certificate_time();
  socket.tls =
      std::make_unique<SocketTls>(socket.fd, settings, call.given(3) ? call.text(3) : std::string_view{});
  return None{};
}

Socket& with_tls(const Sockets& sockets, const Call& call) {
  Socket& socket = sockets.at(call);
  if (!socket.tls) fail(ENOTCONN);
  return socket;
}

HostResult handshake(Sockets& sockets, Call& call) {
  Socket& socket = with_tls(sockets, call);
  return socket.used_tls(socket.tls->handshake());
}

template<class Add>
void add_tls_functions(const Add& add) {
  add("start_tls", start_tls);
  add("handshake", handshake);
  add("waits_to_write", [](Sockets& s, Call& call) -> HostResult {
    return with_tls(s, call).tls->waits_to_write(call.boolean(1));
  });
  add("peer_certificate",
      [](Sockets& s, Call& call) -> HostResult { return with_tls(s, call).tls->peer_certificate(); });
  add("cipher", [](Sockets& s, Call& call) -> HostResult { return with_tls(s, call).tls->cipher(); });
  add("certificates", [](Sockets&, Call& call) -> HostResult { return certificates_of(call.bytes(0)); });
  add("private_key",
      [](Sockets&, Call& call) -> HostResult { return private_key_of(call.bytes(0), call.bytes(1)); });
  add("cipher_names", [](Sockets&, Call& call) -> HostResult { return cipher_names(call.text(0)); });
}

}  // namespace

python::HostModule make_socket_module(asio::any_io_executor executor,
                                      std::function<mqtt::CertificateTime()> certificate_time) {
  const auto sockets = std::make_shared<Sockets>(std::move(executor), std::move(certificate_time));
  python::HostModule module{.name = "_socket", .functions = {}, .constants = {}};
  const auto add = adder_of_functions(module, sockets);
  add("open", [](Sockets& s, Call& call) { return s.open(small(call, 0), small(call, 1)); });
  add("connect", connect);
  add("bind", bind);
  add("listen",
      [](Sockets& s, Call& call) { return done_or_error(::listen(s.at(call).fd, small(call, 1))); });
  add("accept", [](Sockets& s, Call& call) { return s.accept(s.at(call)); });
  add("send", send);
  add("receive", receive);
  add("sender", [](Sockets& s, Call& call) -> HostResult { return s.at(call).sender; });
  add("local", [](Sockets& s, Call& call) { return name(s.at(call), false); });
  add("peer", [](Sockets& s, Call& call) { return name(s.at(call), true); });
  add("ready", ready);
  add("error", [](Sockets& s, Call& call) { return pending_error(s.at(call)); });
  add("set_option", [](Sockets& s, Call& call) { return set_option(s.at(call), call); });
  add("wait", [](Sockets& s, Call& call) -> HostResult {
    const std::int64_t handle = call.integer(0);
    const bool for_write = call.boolean(1);
    static_cast<void>(s.at(call));
    s.wait(handle, for_write, call.defer());
    return None{};
  });
  add("resolve", [](Sockets& s, Call& call) -> HostResult {
    std::string host(call.text(0)), port = std::to_string(call.integer(1));
    const int family = small(call, 2);
    s.resolve(std::move(host), std::move(port), family, call.defer());
    return None{};
  });
  add_tls_functions(add);
  add("close", [](Sockets& s, Call& call) { s.close(call.integer(0)); });
  add("close_all", [](Sockets& s, Call&) { s.close_all(); });
  return module;
}

}  // namespace mqboard::board
