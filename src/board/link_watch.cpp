#include "board/link_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <mqboard/mqtt/options.hpp>

#include "board/log_levels.hpp"
#include "board/text.hpp"

namespace mqboard::board {

namespace asio = boost::asio;

namespace {

// A socket that becomes readable when an interface or address changes; -1 where there is none to be had.
int open_netlink() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return -1;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

bool is_local(const mqtt::Endpoint& endpoint) {
  return endpoint.scheme == mqtt::Scheme::unix_socket || endpoint.host == "localhost" ||
         endpoint.host == "::1" || endpoint.host.starts_with("127.");
}

}  // namespace

// Lives as long as a wait of it is pending.
class LinkWatch::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(const asio::any_io_executor& executor, int fd, LinkWatch& owner)
      : socket_(executor, fd), owner_(&owner) {}

  void wait() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (error || self->owner_ == nullptr) return;
                         self->drain();
                         self->owner_->look();
                         if (self->owner_ != nullptr) self->wait();
                       });
  }
  void stop() {
    owner_ = nullptr;
    socket_.close();
  }

 private:
  // What has changed is asked anew anyway: the messages do not matter.
  void drain() {
    std::array<char, 8192> buffer;
    while (::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) continue;
  }

  asio::posix::stream_descriptor socket_;
  LinkWatch* owner_;
};

LinkWatch::LinkWatch(Environment environment) : env_(std::move(environment)) {}
LinkWatch::~LinkWatch() { stop(); }

void LinkWatch::listen(const asio::any_io_executor& executor) {
  const int fd = open_netlink();
  if (fd < 0) return;
  listener_ = std::make_shared<Listener>(executor, fd, *this);
  listener_->wait();
}

void LinkWatch::stop() {
  if (listener_) std::exchange(listener_, nullptr)->stop();
}

void LinkWatch::look() {
  const NetworkFacts network = env_.network();
  const bool first = !up_;
  const bool was_up = up_.value_or(network.up);
  const bool moved = network.address != std::exchange(address_, network.address);
  up_ = network.up;
  if (first) return;
  if (was_up && !network.up) {
    env_.report(kWarning, "the network is down");
    env_.link_down();
  } else if (network.up && (!was_up || moved)) {
    env_.report(kInfo, concat("the network is up: ", network.interface, " ", network.address));
    down_since_.reset();
    env_.link_up();
  }
}

void LinkWatch::tick(TimePoint now) {
  if (up_.value_or(true)) return;
  if (!down_since_) down_since_ = now;
  if (now - *down_since_ < kPatience) return;
  down_since_ = now;
  env_.link_up();
}

void LinkWatch::suspect(std::string_view why) {
  look();
  if (up_.value_or(true)) env_.report(kInfo, concat("the network is up, but: ", why));
}

bool LinkWatch::concerns(const MqttConfig& config) {
  mqtt::Options parsed;
  for (const auto& server : config.servers) static_cast<void>(parsed.add_url(server));
  return !parsed.endpoints.empty() && std::ranges::none_of(parsed.endpoints, is_local);
}

}  // namespace mqboard::board
