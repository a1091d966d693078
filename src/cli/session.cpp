#include "cli/session.hpp"

#include <random>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "cli/facts.hpp"
#include "cli/topic_filter.hpp"

namespace mqboard::cli {

namespace {

using Clock = std::chrono::steady_clock;
using mqtt::Errc;

double seconds(std::chrono::milliseconds time) { return static_cast<double>(time.count()) / 1000; }

bool is_local_mistake(const mqtt::Error& error) {
  return error == Errc::bad_url || error == Errc::bad_option || error == Errc::bad_ca_file ||
         error == Errc::bad_certificate_file || error == Errc::bad_key_file;
}

bool is_refused_login(const mqtt::Error& error) {
  return error == Errc::bad_user_name_or_password || error == Errc::not_authorized || error == Errc::banned;
}

std::uint64_t random_number() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

Session::Subscription::Subscription(Session& session, std::string_view filter, mqtt::QoS qos, Handler handler)
    : session_(session), filter_(filter), handler_(std::move(handler)) {
  session.subscriptions_.push_back(this);
  // Runs up to its first wait before it returns: the request is queued ahead of what is published next.
  asio::co_spawn(session.executor_, session.subscribe(filter_, qos), asio::detached);
}

Session::Subscription::~Subscription() { std::erase(session_.subscriptions_, this); }

Session::Session(asio::any_io_executor executor, const Settings& settings, Console& console)
    : executor_(std::move(executor)),
      settings_(settings),
      console_(console),
      client_(executor_, client_options(settings)),
      last_progress_(Clock::now()),
      next_id_(random_number()) {
  client_.on_message([this](const mqtt::MessageView& message) { received(message); });
  client_.on_event([this](const mqtt::ConnectionEvent& event) { happened(event); });
}

Session::~Session() = default;

// Replies are subscribed at QoS 0: with a clean session an acknowledgement would not bring back what a broken
// connection lost, and the broker would hold back all but a few messages until each was acknowledged.
mqtt::Options Session::client_options(const Settings& settings) {
  mqtt::Options options;
  options.endpoints = {settings.broker};
  options.tls = settings.tls;
  options.user_name = settings.username;
  options.password = settings.password;
  options.pipeline = true;
  options.connect_timeout = settings.timeout;
  options.send_buffer_size = 4U << 20;
  options.max_packet_size = 16U << 20;
  options.reconnect_max = std::chrono::seconds(1);
  options.coalesce = std::chrono::milliseconds(0);  // somebody is watching
  return options;
}

void Session::begin() {
  asio::co_spawn(executor_, connect(), asio::detached);
  if (settings_.prefix.empty()) return;
  status_subscription_.emplace(*this, command::status_topic(settings_.prefix), mqtt::QoS::at_least_once,
                               [this](const mqtt::MessageView& message) { status_received(message); });
}

asio::awaitable<void> Session::end() {
  status_subscription_.reset();
  if (client_.connected()) co_await client_.disconnect();
}

asio::awaitable<void> Session::connect() {
  const auto up = co_await client_.connect();
  if (!up && !(up.error() == Errc::cancelled)) fail(broker_failure(up.error()));
}

asio::awaitable<void> Session::subscribe(std::string filter, mqtt::QoS qos) {
  const auto granted = co_await client_.subscribe(filter, qos);
  if (granted) {
    if (!subscribed_at_) subscribed_at_ = Clock::now();
    notify();
  } else if (granted.error() == Errc::rejected) {
    fail({ExitStatus::broker,
          fmt::format("{} does not allow to subscribe to {}", settings_.broker.name(), filter)});
  }
}

void Session::received(const mqtt::MessageView& message) {
  progress();
  if (console_.tracing()) {
    console_.trace(fmt::format("< {} {} bytes", message.topic, message.payload.size()));
  }
  // By index: a handler may add subscriptions.
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    if (topic_matches(subscriptions_[i]->filter_, message.topic)) subscriptions_[i]->handler_(message);
  }
  notify();
}

void Session::happened(const mqtt::ConnectionEvent& event) {
  if (std::holds_alternative<mqtt::Connected>(event)) {
    console_.detail(
        fmt::format("{} to {}", was_connected_ ? "reconnected" : "connected", settings_.broker.name()));
    was_connected_ = true;
    last_disconnect_.reset();
    progress();
    if (connection_handler_) connection_handler_(true);
  } else if (const auto* gone = std::get_if<mqtt::Disconnected>(&event)) {
    if (gone->error == Errc::cancelled) return;
    last_disconnect_ = gone->error;
    console_.detail(fmt::format("connection lost: {}", gone->error.message()));
    if (connection_handler_) connection_handler_(false);
  }
  notify();
}

void Session::status_received(const mqtt::MessageView& message) {
  if (message.payload.empty()) return;
  const BoardStatus before = std::exchange(status_, parse_status(message.text()));
  const bool slept = std::exchange(asleep_, waits_for_wake());
  const bool reconnected = !message.retained && (!before.present || before.session == status_.session);
  if (asleep_ && !slept) wait_for_wake();
  if (slept && !asleep_) console_.status_line("");
  wakes_ += slept && status_.online;
  returns_ += (slept || reconnected) && status_.online;
  if (!status_.online && online_required_ && !asleep_) fail(offline_failure());
  if (status_handler_) status_handler_();
}

// A board may sleep again before what is sent to it arrives: it is asked to stay awake.
void Session::wait_for_wake() {
  const std::string waiting = offline_failure().message + ": waiting";
  console_.detail(waiting);
  if (!console_.quiet()) console_.status_line(waiting);
  const auto topic = command::stay_awake_topic(settings_.prefix);
  const std::string_view request = "1";
  (void)client_.try_publish(topic, as_bytes(request),
                            {.qos = mqtt::QoS::at_least_once, .retain = true, .sync = false});
}

bool Session::waits_for_wake() const {
  if (!status_.sleeping || !online_required_) return false;
  const auto latest = std::chrono::system_clock::now().time_since_epoch() + settings_.timeout;
  return status_.wakes_at_s <= std::chrono::duration_cast<std::chrono::seconds>(latest).count();
}

Failure Session::offline_failure() const {
  if (status_.sleeping) {
    std::string asleep = fmt::format("board {} is asleep", settings_.prefix);
    if (status_.wakes_at_s != 0) asleep += fmt::format(" until {} UTC", date_text(status_.wakes_at_s));
    return {ExitStatus::no_answer, std::move(asleep)};
  }
  std::string message = fmt::format("board {} is offline", settings_.prefix);
  // With a reason it said goodbye itself; else this is the will it made when it started.
  const std::string made_at = status_.made_at_s > 0 ? date_text(status_.made_at_s) + " UTC" : "";
  if (status_.reason.empty()) {
    if (!made_at.empty()) message.append(": the connection was lost; it had started ").append(made_at);
  } else {
    if (!made_at.empty()) message.append(" since ").append(made_at);
    message.append(": ").append(status_.reason);
  }
  return {ExitStatus::no_answer, std::move(message)};
}

asio::awaitable<Result<>> Session::status_known() {
  const auto settled = [this] { return status_.present ? !asleep_ : subscribed_at_.has_value(); };
  if (auto ok = co_await until(settled); !ok) co_return ok;
  const auto end = subscribed_at_.value_or(Clock::now()) + kStatusGrace;
  const auto waited = co_await wait([this] { return status_.present; }, [end] { return end; });
  if (!waited) co_return std::unexpected(waited.error());
  co_return Result<>{};
}

asio::awaitable<Result<Protocol>> Session::protocol() {
  if (settings_.protocol != Protocol::automatic) co_return settings_.protocol;
  if (auto ok = co_await status_known(); !ok) co_return std::unexpected(ok.error());
  co_return status_.v2 ? Protocol::v2 : Protocol::v1;
}

command::RequestId Session::new_request_id() { return command::make_request_id(next_id_++); }

bool Session::try_publish(std::string_view topic, Bytes payload, mqtt::QoS qos) {
  if (console_.tracing()) console_.trace(fmt::format("> {} {} bytes", topic, payload.size()));
  return client_.try_publish(topic, payload, {.qos = qos, .sync = false}).has_value();
}

asio::awaitable<Result<>> Session::publish(std::string_view topic, Bytes payload) {
  if (console_.tracing()) console_.trace(fmt::format("> {} {} bytes", topic, payload.size()));
  constexpr mqtt::PublishOptions kOptions{.qos = mqtt::QoS::at_least_once, .sync = false};
  const auto queued = client_.try_publish(topic, payload, kOptions);
  if (queued) co_return Result<>{};
  if (!(queued.error() == Errc::queue_full)) {
    co_return failure_ ? std::unexpected(*failure_) : std::unexpected(broker_failure(queued.error()));
  }
  const auto accepted = co_await client_.publish(topic, payload, kOptions);
  if (failure_) co_return std::unexpected(*failure_);
  if (!accepted) co_return std::unexpected(broker_failure(accepted.error()));
  progress();
  co_return Result<>{};
}

asio::awaitable<Result<>> Session::until(std::function<bool()> done) {
  const auto reached = co_await wait(std::move(done), [this] { return last_progress_ + settings_.timeout; });
  if (!reached) co_return std::unexpected(reached.error());
  if (!*reached) co_return std::unexpected(timeout_failure());
  co_return Result<>{};
}

asio::awaitable<Result<>> Session::until_unlimited(std::function<bool()> done) {
  const auto reached = co_await wait(std::move(done), [] { return Clock::time_point::max(); });
  if (!reached) co_return std::unexpected(reached.error());
  co_return Result<>{};
}

asio::awaitable<Result<bool>> Session::until_within(std::function<bool()> done,
                                                    std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  return wait(std::move(done), [end] { return end; });
}

asio::awaitable<Result<bool>> Session::wait(std::function<bool()> done, Deadline deadline) {
  asio::steady_timer timer(executor_);
  waiting_.push_back(&timer);
  Result<bool> result = false;
  while (true) {
    if (failure_) {
      result = std::unexpected(*failure_);
      break;
    }
    result = done();
    const auto end = deadline();
    if (*result || Clock::now() >= end) break;
    timer.expires_at(end);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  std::erase(waiting_, &timer);
  co_return result;
}

void Session::progress() { last_progress_ = Clock::now(); }

void Session::notify() {
  for (asio::steady_timer* timer : waiting_) timer->cancel();
}

void Session::interrupt() {
  if (const auto handler = interrupt_handler_) return handler();
  fail({ExitStatus::interrupted, "interrupted"});
}

void Session::fail(Failure failure) {
  if (!failure_) failure_ = std::move(failure);
  notify();
}

Failure Session::broker_failure(const mqtt::Error& error) const {
  std::string message = error.message();
  const std::string broker = settings_.broker.name();
  if (is_local_mistake(error)) return {ExitStatus::usage, std::move(message)};
  if (message.find(broker) == std::string::npos) message = fmt::format("{}: {}", broker, message);
  if (is_refused_login(error)) {
    message +=
        settings_.username ? fmt::format(" (user '{}')", *settings_.username) : " (no user name given)";
  }
  return {ExitStatus::broker, fmt::format("broker {}", message)};
}

Failure Session::timeout_failure() const {
  const std::string broker = settings_.broker.name();
  const double limit = seconds(settings_.timeout);
  if (!was_connected_) {
    return {ExitStatus::broker, fmt::format("no connection to broker {} within {:g} s", broker, limit)};
  }
  if (last_disconnect_) {
    return {ExitStatus::broker, fmt::format("connection to broker {} lost for {:g} s: {}", broker, limit,
                                            last_disconnect_->message())};
  }
  if (asleep_) {
    Failure failure = offline_failure();
    failure.message += fmt::format("; it did not wake within {:g} s", limit);
    return failure;
  }
  const std::string_view hint =
      status_.present ? "; 'mqboard info' tells what keeps its Python busy, 'mqboard interrupt' stops that"
                      : ", nor does it announce a status: is it on, and this its prefix?";
  return {ExitStatus::no_answer, fmt::format("no answer from board {} at {} within {:g} s{}",
                                             settings_.prefix, broker, limit, hint)};
}

}  // namespace mqboard::cli
