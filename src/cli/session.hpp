// One connection of mqboard to a broker, and through it to a board: connecting, the board's status, messages
// to whoever waits for them, and the one place where waiting ends: done, failed, or nothing moved for too
// long.
//
// begin() only queues: CONNECT, SUBSCRIBE and the first PUBLISH leave in one flight. Everything runs on the
// executor given, one thread. A verb publishes what it has to, and then awaits until() with the condition it
// waits for; whatever happens to the connection or the board meanwhile ends that wait with the Failure to
// report.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mqboard/mqtt/client.hpp>

#include "cli/board_status.hpp"
#include "cli/console.hpp"
#include "cli/settings.hpp"
#include "core/command/topic.hpp"

namespace mqboard::cli {

namespace asio = boost::asio;

class Session {
 public:
  // Receives the messages of one filter while it lives, which must not be longer than the session's life.
  class Subscription {
   public:
    using Handler = std::function<void(const mqtt::MessageView&)>;
    Subscription(Session& session, std::string_view filter, mqtt::QoS qos, Handler handler);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class Session;
    Session& session_;
    std::string filter_;
    Handler handler_;
  };

  // All three are borrowed for the session's life.
  Session(asio::any_io_executor executor, const Settings& settings, Console& console);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Starts connecting, and watches the status of the board if the settings name one. Completes at once.
  void begin();
  // An offline board is no failure: for verbs that watch (call before begin()), or that wait for its return.
  void allow_offline(bool allowed = true) { online_required_ = !allowed; }
  [[nodiscard]] Failure offline_failure() const;
  // Says goodbye to the broker.
  asio::awaitable<void> end();

  [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] const BoardStatus& status() const { return status_; }

  // A board that sleeps, and wakes within the settings' timeout, is waited for: nothing fails meanwhile, and
  // this counts how often it woke. What was sent to it while it slept is lost.
  [[nodiscard]] unsigned wakes() const { return wakes_; }
  // How often the board came back: it woke, or it connected, without a new start or to a broker that knew
  // nothing of it. What was sent to it before may be lost.
  [[nodiscard]] unsigned returns() const { return returns_; }

  // Waits until the board's status is here, or it is clear that it has none. Fails when the board is offline.
  asio::awaitable<Result<>> status_known();
  // The protocol to speak with the board: what the settings demand, or what the board's status announces; v1
  // when it has none.
  asio::awaitable<Result<Protocol>> protocol();

  // A new request id of this process.
  [[nodiscard]] command::RequestId new_request_id();

  // False when there is no room now, or no connection.
  bool try_publish(std::string_view topic, Bytes payload, mqtt::QoS qos);
  // Queues a publish (QoS 1, not retained), waiting only for room in the window.
  asio::awaitable<Result<>> publish(std::string_view topic, Bytes payload);

  // Waits until done() holds: it is asked again after every message, acknowledgement and notify(). Fails when
  // the session fails, or when progress() was not called, and no message of a subscription came, for the
  // settings' timeout.
  asio::awaitable<Result<>> until(std::function<bool()> done);
  // The same without a limit in time: for watching.
  asio::awaitable<Result<>> until_unlimited(std::function<bool()> done);

  // Waits until done() holds or `limit` is over; says which.
  asio::awaitable<Result<bool>> until_within(std::function<bool()> done, std::chrono::milliseconds limit);
  // The broker has confirmed a subscription.
  [[nodiscard]] bool subscribed() const { return subscribed_at_.has_value(); }

  // Something moved: the idle time starts anew.
  void progress();
  void notify();
  // Ends every wait with this failure; the first one counts.
  void fail(Failure failure);
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

  // Called with true whenever the connection is (back) up, false when it broke.
  void on_connection(std::function<void(bool)> handler) { connection_handler_ = std::move(handler); }
  // What Ctrl-C does: this handler, or, without one, ending every wait.
  void on_interrupt(std::function<void()> handler) { interrupt_handler_ = std::move(handler); }
  void interrupt();
  // Called when the board announced its status.
  void on_status(std::function<void()> handler) { status_handler_ = std::move(handler); }
  [[nodiscard]] bool connected() const { return client_.connected(); }

  // How long the wait for a status may go on after the broker confirmed the subscription: a retained message
  // follows right behind, or there is none.
  static constexpr std::chrono::milliseconds kStatusGrace{50};

 private:
  static mqtt::Options client_options(const Settings& settings);
  asio::awaitable<void> connect();
  asio::awaitable<void> subscribe(std::string filter, mqtt::QoS qos);
  using Deadline = std::function<asio::steady_timer::time_point()>;  // asked anew after every wake-up
  asio::awaitable<Result<bool>> wait(std::function<bool()> done, Deadline deadline);
  void received(const mqtt::MessageView& message);
  void happened(const mqtt::ConnectionEvent& event);
  void status_received(const mqtt::MessageView& message);
  [[nodiscard]] bool waits_for_wake() const;
  void wait_for_wake();
  [[nodiscard]] Failure broker_failure(const mqtt::Error& error) const;
  [[nodiscard]] Failure timeout_failure() const;

  asio::any_io_executor executor_;
  const Settings& settings_;
  Console& console_;
  mqtt::Client client_;
  std::vector<asio::steady_timer*> waiting_;
  asio::steady_timer::time_point last_progress_;
  std::vector<Subscription*> subscriptions_;
  std::optional<Subscription> status_subscription_;
  std::function<void(bool)> connection_handler_;
  std::function<void()> status_handler_;
  std::function<void()> interrupt_handler_;
  BoardStatus status_;
  std::optional<asio::steady_timer::time_point> subscribed_at_;  // when the broker confirmed the first one
  std::optional<mqtt::Error> last_disconnect_;
  std::optional<Failure> failure_;
  std::uint64_t next_id_;
  unsigned wakes_ = 0, returns_ = 0;
  bool was_connected_ = false;
  bool online_required_ = true;
  bool asleep_ = false;  // and waited for
};

}  // namespace mqboard::cli
