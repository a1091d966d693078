#include "mqtt/socket_transport.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/error.hpp>
#include <cerrno>

namespace mqboard::mqtt {
namespace {

IoResult failure(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return {.blocked = true};
  return {.error = error == ETIMEDOUT || error == EHOSTUNREACH ? Errc::unreachable : Errc::connection_reset};
}

class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(StreamSocket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
  }

  IoResult read(MutableBytes into) override {
    const ssize_t count = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
    if (count < 0) return failure(errno);
    if (count == 0 && !into.empty()) return {.error = Errc::connection_closed};
    const auto bytes = static_cast<std::size_t>(count);
    // A short read means the socket is drained; waiting tells at once if that was wrong.
    return {.bytes = bytes, .blocked = bytes < into.size()};
  }

  IoResult write(std::span<const Bytes> pieces) override {
    iovec vectors[kMaxPieces];
    const std::size_t count = std::min(pieces.size(), kMaxPieces);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {const_cast<std::uint8_t*>(pieces[i].data()), pieces[i].size()};
      total += pieces[i].size();
    }
    if (total == 0) return {};
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (sent < 0) return failure(errno);
    const auto bytes = static_cast<std::size_t>(sent);
    return {.bytes = bytes, .blocked = bytes < total};
  }

  void async_wait(Ready direction, std::shared_ptr<ReadyHandler> handler) override {
    socket_.async_wait(direction == Ready::read ? StreamSocket::wait_read : StreamSocket::wait_write,
                       [direction, handler = std::move(handler)](boost::system::error_code error) {
                         handler->on_ready(direction, error != asio::error::operation_aborted);
                       });
  }

  void set_low_water(std::size_t bytes) override {
    boost::system::error_code ignored;
    socket_.set_option(StreamSocket::receive_low_watermark(static_cast<int>(bytes)), ignored);
  }

  // Unread input would turn the coming close into a reset, and that could overtake our last words.
  void shutdown() override {
    boost::system::error_code ignored;
    socket_.shutdown(StreamSocket::shutdown_send, ignored);
    char discarded[4096];
    for (int reads = 0; reads < kMaxDiscards; ++reads) {
      if (::recv(socket_.native_handle(), discarded, sizeof discarded, 0) <= 0) return;
    }
  }

  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  static constexpr std::size_t kMaxPieces = 64;
  static constexpr int kMaxDiscards = 64;

  StreamSocket socket_;
};

}  // namespace

std::unique_ptr<Transport> make_socket_transport(StreamSocket socket) {
  return std::make_unique<SocketTransport>(std::move(socket));
}

}  // namespace mqboard::mqtt
