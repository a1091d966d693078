// Sees off TLS connections that Python has closed.
//
// A descriptor closed at once would lose the note that the connection ends in order, when there is no room
// for it yet, and reset the connection over what is unread, such as the peer's session tickets: the peer
// might lose what was sent to it. So the note is sent, and what comes is discarded until the peer has closed
// too, for a few seconds at most.
#pragma once

#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "board/socket_tls.hpp"

namespace mqboard::board {

// Threads: see_off() and end() from any; the rest happens on the executor, which runs one thread. Goes with
// its last farewell.
class Farewells : public std::enable_shared_from_this<Farewells> {
 public:
  static constexpr std::size_t kMost = 32;  // at the same time: beyond that the oldest is cut short
  static constexpr int kPatience_s = 30;
  static constexpr std::size_t kMaxDiscarded = 1024 * 1024;

  using Descriptor = std::shared_ptr<boost::asio::posix::stream_descriptor>;

  explicit Farewells(boost::asio::any_io_executor executor);
  ~Farewells();

  // Neither is used by anybody else any more.
  void see_off(Descriptor descriptor, std::shared_ptr<SocketTls> tls);
  // Cuts all of them short.
  void end();

 private:
  struct Farewell;

  static boost::asio::awaitable<void> part(std::shared_ptr<Farewell> farewell);
  void begin(const std::shared_ptr<Farewell>& farewell);

  boost::asio::any_io_executor executor_;
  std::vector<std::shared_ptr<Farewell>> open_;  // oldest first
};

}  // namespace mqboard::board
