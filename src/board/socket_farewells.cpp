#include "board/socket_farewells.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mqboard::board {

namespace asio = boost::asio;
using boost::system::error_code;
using Wire = asio::posix::descriptor_base;

namespace {

// False when there will be no more.
bool discard(int descriptor, std::size_t& left) {
  std::array<std::uint8_t, 4096> scrap;
  while (left != 0) {
    const ssize_t got = ::recv(descriptor, scrap.data(), scrap.size(), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    left -= std::min(left, static_cast<std::size_t>(got));
  }
  return false;
}

}  // namespace

struct Farewells::Farewell {
  Farewell(Descriptor descriptor_, std::shared_ptr<SocketTls> tls_)
      : descriptor(std::move(descriptor_)), tls(std::move(tls_)), patience(descriptor->get_executor()) {}

  void cut_short() {
    if (!descriptor->is_open()) return;
    discard(descriptor->native_handle(), left);
    error_code ignored;
    descriptor->close(ignored);
    patience.cancel();
  }

  Descriptor descriptor;
  std::shared_ptr<SocketTls> tls;
  asio::steady_timer patience;
  std::size_t left = kMaxDiscarded;  // bytes still to be discarded
};

namespace {

// Whether the descriptor is ready; it is not when it was closed, be it after it had become so.
asio::awaitable<bool> wait(Farewells::Descriptor descriptor, Wire::wait_type what) {
  const auto [error] = co_await descriptor->async_wait(what, asio::as_tuple(asio::use_awaitable));
  co_return !error && descriptor->is_open();
}

}  // namespace

asio::awaitable<void> Farewells::part(std::shared_ptr<Farewell> farewell) {
  const auto descriptor = farewell->descriptor;
  if (!descriptor->is_open()) co_return;
  while (!farewell->tls->say_goodbye()) {
    if (!co_await wait(descriptor, Wire::wait_write)) co_return;
  }
  ::shutdown(descriptor->native_handle(), SHUT_WR);
  while (discard(descriptor->native_handle(), farewell->left)) {
    if (!co_await wait(descriptor, Wire::wait_read)) co_return;
  }
}

Farewells::Farewells(asio::any_io_executor executor) : executor_(std::move(executor)) {}
Farewells::~Farewells() = default;

void Farewells::see_off(Descriptor descriptor, std::shared_ptr<SocketTls> tls) {
  asio::post(executor_,
             [self = shared_from_this(), descriptor = std::move(descriptor), tls = std::move(tls)] {
               error_code ignored;
               descriptor->cancel(ignored);  // whoever still waits for it
               self->begin(std::make_shared<Farewell>(descriptor, tls));
             });
}

void Farewells::begin(const std::shared_ptr<Farewell>& farewell) {
  if (open_.size() == kMost) {
    open_.front()->cut_short();
    open_.erase(open_.begin());
  }
  open_.push_back(farewell);
  farewell->patience.expires_after(std::chrono::seconds(kPatience_s));
  farewell->patience.async_wait([farewell](error_code error) {
    if (!error) farewell->cut_short();
  });
  asio::co_spawn(executor_, part(farewell), [self = shared_from_this(), farewell](const std::exception_ptr&) {
    farewell->cut_short();
    std::erase(self->open_, farewell);
  });
}

void Farewells::end() {
  asio::post(executor_, [self = shared_from_this()] {
    for (const auto& farewell : self->open_) farewell->cut_short();
  });
}

}  // namespace mqboard::board
