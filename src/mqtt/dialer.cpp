#include "mqtt/dialer.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <deque>
#include <vector>

namespace mqboard::mqtt {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr Millis kStagger{250};  // RFC 8305, section 5: Connection Attempt Delay

// Wakes its attempt when done; shared with operations that may outlive the attempt.
struct Notice {
  std::weak_ptr<Waiters> waiters;
  WaitList* list;  // null once the attempt is over

  void give() {
    const auto alive = waiters.lock();
    if (!alive || list == nullptr) return;
    alive->wake_all(*list);
    alive->resume_woken();
  }
};

// --- Resolving

struct Resolution {
  explicit Resolution(const Attempt& attempt)
      : resolver(attempt.executor), notice{attempt.waiters, &attempt.list} {}

  tcp::resolver resolver;
  Notice notice;
  std::optional<error_code> done;
  tcp::resolver::results_type results;
};

// Alternates between address families, starting with the resolver's first choice.
std::vector<StreamSocket::endpoint_type> interleaved(const tcp::resolver::results_type& results) {
  std::deque<tcp::endpoint> first, second;
  for (const auto& entry : results) {
    const bool same = entry.endpoint().protocol() == results.begin()->endpoint().protocol();
    (same ? first : second).push_back(entry.endpoint());
  }
  std::vector<StreamSocket::endpoint_type> order;
  for (bool turn = true; !first.empty() || !second.empty(); turn = !turn) {
    auto& from = (turn && !first.empty()) || second.empty() ? first : second;
    order.emplace_back(from.front());
    from.pop_front();
  }
  return order;
}

asio::awaitable<Result<std::vector<StreamSocket::endpoint_type>>> resolve(Attempt& attempt,
                                                                          const Endpoint& endpoint) {
  if (endpoint.scheme == Scheme::unix_socket) {
    if (endpoint.host.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return attempt.error(Errc::bad_option, "path too long for a socket");
    }
    co_return std::vector<StreamSocket::endpoint_type>{asio::local::stream_protocol::endpoint(endpoint.host)};
  }
  error_code not_numeric;
  const auto address = asio::ip::make_address(endpoint.host, not_numeric);
  if (!not_numeric) {
    co_return std::vector<StreamSocket::endpoint_type>{tcp::endpoint(address, endpoint.effective_port())};
  }
  const auto state = std::make_shared<Resolution>(attempt);
  state->resolver.async_resolve(endpoint.host, std::to_string(endpoint.effective_port()),
                                tcp::resolver::numeric_service,
                                [state](error_code error, tcp::resolver::results_type results) {
                                  state->done = error;
                                  state->results = std::move(results);
                                  state->notice.give();
                                });
  const Wake wake = co_await attempt.wait();
  state->notice.list = nullptr;
  if (wake != Wake::notified) {
    state->resolver.cancel();
    co_return attempt.interrupted(wake);
  }
  if (*state->done || state->results.empty()) co_return attempt.error(Errc::resolve_failed);
  co_return interleaved(state->results);
}

// --- Connecting

Errc errc_of(error_code error) {
  return error == asio::error::connection_refused || error == boost::system::errc::no_such_file_or_directory
             ? Errc::connection_refused
             : Errc::unreachable;
}

class Race : public std::enable_shared_from_this<Race> {
 public:
  Race(const Attempt& attempt, std::vector<StreamSocket::endpoint_type> addresses)
      : executor_(attempt.executor),
        time_(attempt.time),
        addresses_(std::move(addresses)),
        notice_{attempt.waiters, &attempt.list} {}

  void start() {
    stagger_ = time_.make_alarm(executor_, [weak = weak_from_this()] {
      if (const auto race = weak.lock()) race->start_next();
    });
    start_next();
  }

  // Drops everything still under way.
  void abandon() {
    notice_.list = nullptr;
    over_ = true;
    stagger_.reset();
    for (auto& socket : sockets_) close(socket);
  }

  [[nodiscard]] std::optional<StreamSocket>& winner() { return winner_; }
  [[nodiscard]] error_code first_error() const { return first_error_; }

 private:
  void start_next() {
    if (over_ || sockets_.size() == addresses_.size()) return;
    const std::size_t index = sockets_.size();
    sockets_.emplace_back(executor_);
    ++under_way_;
    sockets_[index].async_connect(addresses_[index], [self = shared_from_this(), index](error_code error) {
      self->on_connected(index, error);
    });
    if (sockets_.size() < addresses_.size()) stagger_->set(time_.now() + kStagger);
  }

  void on_connected(std::size_t index, error_code error) {
    if (over_) return;
    --under_way_;
    if (!error) {
      winner_ = std::move(sockets_[index]);
    } else {
      if (!first_error_) first_error_ = error;
      start_next();
      if (under_way_ > 0) return;
    }
    over_ = true;
    notice_.give();
  }

  static void close(StreamSocket& socket) {
    error_code ignored;
    socket.close(ignored);
  }

  asio::any_io_executor executor_;
  TimeSource& time_;
  std::vector<StreamSocket::endpoint_type> addresses_;
  std::deque<StreamSocket> sockets_;
  Notice notice_;
  std::unique_ptr<Alarm> stagger_;
  std::optional<StreamSocket> winner_;
  error_code first_error_;
  std::size_t under_way_ = 0;
  bool over_ = false;
};

// Connecting made Asio watch the socket for being writable, as it nearly always is: every later wait for
// input would be woken once for nothing.
StreamSocket registered_anew(StreamSocket connected, const asio::any_io_executor& executor) {
  error_code error;
  const auto protocol = connected.local_endpoint(error).protocol();
  if (error) return connected;
  const auto descriptor = connected.release(error);
  if (error) return connected;
  return {executor, protocol, descriptor};
}

}  // namespace

asio::awaitable<Result<StreamSocket>> dial(Attempt& attempt, const Endpoint& endpoint) {
  auto addresses = co_await resolve(attempt, endpoint);
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  const auto race = std::make_shared<Race>(attempt, std::move(*addresses));
  race->start();
  const Wake wake = co_await attempt.wait();
  race->abandon();
  if (wake != Wake::notified) co_return attempt.interrupted(wake);
  if (!race->winner()) {
    co_return attempt.error(errc_of(race->first_error()), race->first_error().message());
  }
  StreamSocket socket = registered_anew(std::move(*race->winner()), attempt.executor);
  if (endpoint.scheme != Scheme::unix_socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
  }
  co_return Result<StreamSocket>(std::move(socket));
}

}  // namespace mqboard::mqtt
