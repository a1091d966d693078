#include "board/mqtt_link.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mqboard::board {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr mqtt::PublishOptions kStreaming{.qos = mqtt::QoS::at_least_once, .sync = false};

mqtt::PublishOptions streaming(bool retain, bool acknowledged = true) {
  mqtt::PublishOptions options = kStreaming;
  options.retain = retain;
  if (!acknowledged) options.qos = mqtt::QoS::at_most_once;
  return options;
}

mqtt::Options with_will(mqtt::Options options, const std::string& topic, const std::string& payload) {
  options.will = mqtt::Will{topic, payload, mqtt::QoS::at_least_once, true};
  return options;
}

}  // namespace

mqtt::Result<mqtt::Options> client_options(const MqttConfig& config, const std::string& unique_id) {
  mqtt::Options options;
  for (const auto& server : config.servers) {
    if (auto added = options.add_url(server); !added) return std::unexpected(added.error());
  }
  options.tls.ca_file = config.ca_file;
  options.tls.ca_path = config.ca_path;
  options.tls.certificate_file = config.certificate_file;
  options.tls.key_file = config.key_file;
  options.tls.key_password = config.key_password;
  options.tls.server_name = config.server_name;
  options.tls.verify = !config.insecure;
  if (config.user) options.user_name = config.user;
  if (config.password) options.password = config.password;
  options.client_id = config.client_id.empty() ? "mqb-" + unique_id : config.client_id;
  // The broker keeps commands for a board that is away for a moment; a board that starts anew begins afresh.
  options.clean_session = false;
  options.clean_slate = true;
  options.keep_alive = config.keep_alive;
  options.connect_timeout = config.connect_timeout;
  options.response_time = config.response_time;
  options.reconnect_max = config.reconnect_max;
  options.reconnect_min = std::min(100ms, config.reconnect_max);
  options.send_buffer_size = 128 * 1024;
  options.max_packet_size = 4 * 1024 * 1024;
  return options;
}

// The coroutine that moves messages from the outbox to the client. Its state is shared with it, so that it
// may end after the link is gone.
struct MqttLink::Pump {
  Pump(const asio::any_io_executor& executor, MqttLink& owner) : link(&owner), work(executor) {
    work.expires_at(asio::steady_timer::time_point::max());
  }

  static asio::awaitable<void> run(std::shared_ptr<Pump> self) {
    while (self->link) {
      const auto message = self->link->take();
      if (!message) {
        self->idle = true;
        self->work.expires_at(asio::steady_timer::time_point::max());
        co_await self->work.async_wait(kAwait);
        continue;
      }
      const mqtt::PublishOptions options = streaming(message->retain, message->acknowledged);
      const auto sent = self->link->client_.try_publish(message->topic, message->payload, options);
      if (sent || !(sent.error() == mqtt::Errc::queue_full)) continue;
      // The window is full. What was lent may be gone by the time it opens: keep a copy.
      const std::string topic(message->topic), payload(as_text(message->payload));
      co_await self->link->client_.publish(topic, payload, options);
    }
  }

  MqttLink* link;
  asio::steady_timer work;
  bool idle = false;
};

MqttLink::MqttLink(asio::any_io_executor executor, mqtt::Options options, std::string status_topic,
                   std::string offline_status, std::string command_filter, Handlers handlers)
    : executor_(std::move(executor)),
      handlers_(std::move(handlers)),
      status_topic_(std::move(status_topic)),
      command_filter_(std::move(command_filter)),
      pump_(std::make_shared<Pump>(executor_, *this)),
      client_(executor_, with_will(std::move(options), status_topic_, offline_status)) {}

MqttLink::~MqttLink() {
  pump_->link = nullptr;
  pump_->work.cancel();
}

void MqttLink::start() {
  client_.on_message([this](const mqtt::MessageView& message) { handlers_.message(message); });
  client_.on_event([this](const mqtt::ConnectionEvent& event) { on_event(event); });
  asio::co_spawn(executor_, Pump::run(pump_), asio::detached);
  client_.start();
}

asio::awaitable<void> MqttLink::come_online(std::shared_ptr<Pump> pump, mqtt::Connected up) {
  if (!pump->link) co_return;
  // After the SUBSCRIBE, which leaves before this coroutine waits for its answer.
  asio::post(pump->link->executor_, [pump, up = std::move(up)] {
    if (pump->link) pump->link->online(up);
  });
  const std::string filter = pump->link->command_filter_;
  const auto granted = co_await pump->link->client_.subscribe(filter, mqtt::QoS::at_least_once);
  if (pump->link && !granted && granted.error() == mqtt::Errc::rejected)
    pump->link->handlers_.refused(granted.error());
}

void MqttLink::on_event(const mqtt::ConnectionEvent& event) {
  if (const auto* up = std::get_if<mqtt::Connected>(&event)) {
    // Subscribed to once; the client renews it when a broker has forgotten the session.
    if (std::exchange(subscribed_, true)) return online(*up);
    asio::co_spawn(executor_, come_online(pump_, *up), asio::detached);
  } else if (const auto* down = std::get_if<mqtt::Disconnected>(&event)) {
    connected_ = false;
    handlers_.disconnected(*down);
  } else if (const auto* failed = std::get_if<mqtt::ConnectFailed>(&event)) {
    handlers_.connect_failed(failed->error);
  } else if (const auto* suspect = std::get_if<mqtt::LinkSuspect>(&event)) {
    handlers_.suspect(suspect->error);
  }
}

void MqttLink::online(const mqtt::Connected& up) {
  if (!client_.connected()) return;
  connected_ = true;
  announce();
  handlers_.connected(up);
  wake();
}

void MqttLink::announce() {
  announcing_ = connected_;
  wake();
}

void MqttLink::wake() {
  if (!connected_ || !std::exchange(pump_->idle, false)) return;
  pump_->work.cancel();
}

void MqttLink::ready(MessageSource& source) {
  if (std::ranges::find(ready_, &source) == ready_.end()) ready_.push_back(&source);
  wake();
}

void MqttLink::forget(MessageSource& source) { std::erase(ready_, &source); }

void MqttLink::send(std::string topic, std::string payload, bool retain) {
  queued_bytes_ += payload.size();
  queue_.push_back({std::move(topic), std::move(payload), retain});
  while (queued_bytes_ > kMaxQueuedBytes && queue_.size() > 1) {
    queued_bytes_ -= queue_.front().payload.size();
    queue_.pop_front();
    ++dropped_;
  }
  wake();
}

std::optional<Outgoing> MqttLink::take() {
  if (!connected_) return std::nullopt;
  if (std::exchange(announcing_, false)) {
    leaving_ = Queued{status_topic_, handlers_.status(), true};
    return Outgoing{leaving_->topic, as_bytes(leaving_->payload), leaving_->retain};
  }
  if (!queue_.empty()) {
    leaving_ = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= leaving_->payload.size();
    return Outgoing{leaving_->topic, as_bytes(leaving_->payload), leaving_->retain};
  }
  while (!ready_.empty()) {
    MessageSource* const source = ready_.front();
    ready_.pop_front();
    // A source that answers nothing may have destroyed itself.
    if (const auto message = source->next()) {
      if (std::ranges::find(ready_, source) == ready_.end()) ready_.push_back(source);
      return message;
    }
  }
  return std::nullopt;
}

asio::awaitable<void> MqttLink::stop(std::string final_status, std::chrono::milliseconds patience) {
  if (connected_) {
    // Within the time given: the log's last lines, the last replies, then the status, then goodbye.
    const auto end = std::chrono::steady_clock::now() + patience;
    asio::steady_timer poll(executor_);
    while (connected_ && (!queue_.empty() || !ready_.empty()) && std::chrono::steady_clock::now() < end) {
      wake();
      poll.expires_after(1ms);
      co_await poll.async_wait(kAwait);
    }
    announcing_ = false;
    co_await client_.publish(status_topic_, final_status,
                             {.qos = mqtt::QoS::at_least_once, .retain = true, .timeout = patience});
    co_await client_.flush(patience);
  }
  co_await client_.disconnect();
  connected_ = false;
}

}  // namespace mqboard::board
