// The link below MQTT: the host's network, which others manage, seen from the board. It is asked whenever the
// kernel reports a change of an interface or address, and when MQTT suspects it. What it says goes to the
// client, which then does not wait for the end of a back-off, or does not try in vain.
//
// A broker on this very machine needs no network; then the link is left alone. A network that is down for
// kPatience is tried all the same, now and again: the board may have misjudged it, and must not be lost for
// that. Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "board/config.hpp"
#include "board/python_api.hpp"
#include "core/base/time.hpp"

namespace mqboard::board {

class LinkWatch {
 public:
  static constexpr std::chrono::minutes kPatience{5};

  struct Environment {
    std::function<NetworkFacts()> network;
    std::function<void()> link_up, link_down;  // of the MQTT client
    std::function<void(int level, std::string_view)> report;
  };
  explicit LinkWatch(Environment environment);
  ~LinkWatch();
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

  // Listens to the kernel from now on (netlink). Without that, only look() and suspect() look.
  void listen(const boost::asio::any_io_executor& executor);
  void stop();

  // Something may have changed. The first look only takes notice: the client begins by trying.
  void look();
  // About once a second.
  void tick(TimePoint now);
  // Nothing came back through the link in time.
  void suspect(std::string_view why);

  // Whether any of these brokers is to be reached through the network.
  [[nodiscard]] static bool concerns(const MqttConfig& config);

 private:
  class Listener;

  const Environment env_;
  std::optional<bool> up_;  // as of the last look
  std::optional<TimePoint> down_since_;
  std::string address_;
  std::shared_ptr<Listener> listener_;
};

}  // namespace mqboard::board
