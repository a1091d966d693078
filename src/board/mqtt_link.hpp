// The board's one connection to its broker: the outbox of the services, the retained status with its last
// will, and the way in for commands.
//
// After every connect the commands are subscribed to before the status says online, so whoever sees the
// status can send at once. What waits in the outbox stays there while the board is offline. What was handed
// to the client before is sent again by it after a reconnect, in order.
// Threads: the I/O thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <mqboard/mqtt/client.hpp>

#include "board/config.hpp"
#include "board/outbox.hpp"

namespace mqboard::board {

// How the client reaches the broker as the configuration says; `unique_id` names the client when it does not.
mqtt::Result<mqtt::Options> client_options(const MqttConfig& config, const std::string& unique_id);

class MqttLink final : public Outbox {
 public:
  struct Handlers {
    // Each message, on the client's stack: return promptly. The view is borrowed.
    std::function<void(const mqtt::MessageView&)> message;
    // After the commands were subscribed to and the status was sent.
    std::function<void(const mqtt::Connected&)> connected;
    std::function<void(const mqtt::Disconnected&)> disconnected;
    std::function<void(const mqtt::Error&)> refused;  // the subscription to the commands
    std::function<void(const mqtt::Error&)> connect_failed;
    std::function<void(const mqtt::Error&)> suspect;
    // The status to announce at this moment.
    std::function<std::string()> status;
  };

  // `options` without a will; it is set here to `offline_status`.
  MqttLink(boost::asio::any_io_executor executor, mqtt::Options options, std::string status_topic,
           std::string offline_status, std::string command_filter, Handlers handlers);
  ~MqttLink() override;

  void start();
  // Sends what waits, as far as it goes within `patience`, announces `final_status` and says goodbye.
  boost::asio::awaitable<void> stop(std::string final_status, std::chrono::milliseconds patience);

  // Announces the status anew, when connected: ahead of all that waits here, as soon as the window has room.
  void announce();

  void ready(MessageSource& source) override;
  void forget(MessageSource& source) override;
  void send(std::string topic, std::string payload, bool retain) override;

  [[nodiscard]] mqtt::Client& client() { return client_; }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Queued {
    std::string topic, payload;
    bool retain = false;
  };
  struct Pump;

  static boost::asio::awaitable<void> come_online(std::shared_ptr<Pump> pump, mqtt::Connected up);
  void on_event(const mqtt::ConnectionEvent& event);
  void online(const mqtt::Connected& up);
  void wake();
  [[nodiscard]] std::optional<Outgoing> take();

  boost::asio::any_io_executor executor_;
  Handlers handlers_;
  std::string status_topic_, command_filter_;
  std::deque<Queued> queue_;
  std::optional<Queued> leaving_;  // what take() lent out of queue_
  std::size_t queued_bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::deque<MessageSource*> ready_;
  bool connected_ = false;
  bool subscribed_ = false;
  bool announcing_ = false;
  std::shared_ptr<Pump> pump_;
  mqtt::Client client_;
};

}  // namespace mqboard::board
