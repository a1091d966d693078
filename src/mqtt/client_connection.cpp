#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "mqtt/client_impl.hpp"
#include "mqtt/dialer.hpp"
#include "mqtt/websocket.hpp"

namespace mqboard::mqtt {
namespace {

// A connection that lived shorter than this counts as a failed attempt: no hot loop against a broker that
// accepts and drops, or against another client with our client id.
constexpr Millis kStableAfter{5'000};

SessionLimits limits_for(const Options& options, std::size_t slots_for_others) {
  SessionLimits limits;
  const std::size_t messages = options.send_window + options.offline_messages + slots_for_others;
  limits.outgoing_messages = static_cast<std::uint16_t>(std::min<std::size_t>(messages, 65'535));
  limits.store_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(options.send_buffer_size, 1U << 30U));
  limits.out_bytes = 64 * 1024;
  limits.receive_window = std::max<std::uint16_t>(options.receive_maximum, 1);
  limits.topic_aliases_out = options.topic_aliases;
  limits.topic_aliases_in = options.topic_alias_maximum;
  limits.topic_alias_bytes = 256;
  return limits;
}

SessionConfig config_for(const Options& options) {
  SessionConfig config;
  config.version = options.version;
  config.response_time = options.response_time;
  config.send_window = std::max<std::uint16_t>(options.send_window, 1);
  config.pipeline_window = config.send_window;
  config.acknowledge = AckMode::manual;  // by us, once the application has the message
  if (options.queue_policy == QueuePolicy::drop_oldest_qos0 || options.offline_messages > 0) {
    config.offline_qos0 = OfflineQos0::queue;
  }
  return config;
}

Result<std::unique_ptr<FileStore>> open_store(const Options& options) {
  if (options.persistence_file.empty()) return nullptr;
  if (options.clean_session || options.client_id.empty()) {
    return std::unexpected(
        Error(Errc::bad_option,
              options.persistence_file + ": a persistent session needs clean_session off and a client id"));
  }
  return FileStore::open(options.persistence_file);
}

std::string make_client_id() {
  std::random_device device;
  std::string id = "mqb-";
  for (int i = 0; i < 16; ++i) id += "0123456789abcdef"[device() % 16];
  return id;
}

// Whether the trouble lies below MQTT, where whoever manages the link may help.
bool is_link_trouble(const Error& error) {
  return error == Errc::resolve_failed || error == Errc::unreachable || error == Errc::connect_timeout ||
         error == Errc::response_timeout || error == Errc::connection_reset;
}

}  // namespace

Client::Impl::Impl(asio::any_io_executor executor, Options options, std::shared_ptr<TimeSource> time)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      time_(std::move(time)),
      waiters_(Waiters::create(executor_, *time_)),
      store_(open_store(options_)),
      session_(limits_for(options_, kSlotsForOthers), config_for(options_), store_ ? store_->get() : nullptr),
      slots_(std::size_t{limits_for(options_, kSlotsForOthers).outgoing_messages} + 1),
      subscriptions_(options_.resubscribe),
      queue_(options_.receive_queue_size),
      random_(std::random_device{}()),
      input_pace_(options_.coalesce),
      exchange_(options_.coalesce),
      answer_pace_(options_.coalesce) {
  if (options_.client_id.empty() && options_.version == ProtocolVersion::v3_1_1 && options_.clean_session) {
    options_.client_id = make_client_id();
  }
  if (store_ && *store_) restore();
}

// Takes over what an earlier process left. Its messages count as accepted here, with nobody waiting for them.
void Client::Impl::restore() {
  struct Outgoing final : Persistence::Visitor {
    explicit Outgoing(Impl& client) : impl(client) {}
    bool record(RecordKey key, Bytes) override {
      if (key.kind != RecordKey::Kind::outgoing) return true;
      if (key.packet_id >= impl.slots_.size()) return false;
      impl.slots_[key.packet_id].sequence = ++impl.accepted_;
      ++impl.open_publishes_;
      return true;
    }
    Impl& impl;
  } outgoing(*this);
  if ((*store_)->load(outgoing) && session_->restore()) return;
  store_ =
      std::unexpected(Error(Errc::storage_failed, options_.persistence_file +
                                                      ": session does not fit these options, or is damaged"));
}

bool Client::Impl::commit() {
  if (!store_ || !*store_ || (*store_)->commit()) return true;
  end_link(Error(Errc::storage_failed, (*store_)->path() + ": cannot write the session file"));
  return false;
}

void Client::Impl::start() { launch(Goal::stay_connected); }

void Client::Impl::launch(Goal goal) {
  goal_ = std::max(goal_, goal);
  if (running_ || gone_) return;
  running_ = true;
  if (!alarm_) {
    alarm_ = time_->make_alarm(executor_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->on_alarm();
    });
  }
  asio::co_spawn(executor_, run(shared_from_this()), asio::detached);
}

asio::awaitable<Result<Connected>> Client::Impl::connect(std::shared_ptr<Impl>) {
  if (connected()) co_return last_connected_;
  round_outcome_ = {};
  launch(Goal::one_round);
  Wake wake = Wake::notified;
  if (running_) wake = co_await waiters_->wait(connect_list_);
  if (connected()) co_return last_connected_;
  if (wake == Wake::cancelled && goal_ == Goal::one_round) {
    goal_ = Goal::idle;
    waiters_->wake_all(attempt_list_, Wake::cancelled);
    waiters_->resume_woken_later();
  }
  if (wake == Wake::notified && !round_outcome_) co_return std::unexpected(round_outcome_.error());
  if (wake == Wake::notified && link_error_) co_return std::unexpected(*link_error_);
  co_return std::unexpected(Error(Errc::cancelled));
}

// Holds the connection up until nobody wants it any more.
asio::awaitable<void> Client::Impl::run(std::shared_ptr<Impl>) {
  std::uint32_t failures = 0;
  std::uint32_t attempts = 0;
  if (!store_) {
    round_outcome_ = std::unexpected(store_.error());
    goal_ = Goal::idle;
    report(ConnectFailed{store_.error(), false});
  }
  while (goal_ != Goal::idle) {
    co_await back_off(failures);
    if (goal_ == Goal::idle) break;
    const TimePoint began = time_->now();
    Result<void> reached = co_await round(attempts);
    if (reached) {
      if (goal_ == Goal::one_round) goal_ = Goal::stay_connected;
      while (link_) co_await waiters_->wait(link_changed_);
      failures = time_->now() - began < kStableAfter ? failures + 1 : 0;
      attempts = 0;
    } else if (goal_ == Goal::one_round) {
      finish_waiting(reached.error());
      round_outcome_ = std::move(reached);
      goal_ = Goal::idle;
    } else {
      ++failures;
    }
  }
  running_ = false;
  waiters_->wake_all(connect_list_);
  waiters_->wake_all(ended_list_);
  waiters_->resume_woken_later();
}

// Tries every endpoint once, beginning with the one that worked last. The first error is the round's.
asio::awaitable<Result<void>> Client::Impl::round(std::uint32_t& attempts) {
  Result<void> outcome = std::unexpected(Error(Errc::bad_option, "no broker given"));
  for (std::size_t tried = 0; tried < options_.endpoints.size(); ++tried) {
    const Endpoint& endpoint = options_.endpoints[next_endpoint_ % options_.endpoints.size()];
    Result<void> reached = co_await reach(endpoint, attempts);
    if (reached) co_return reached;
    ++next_endpoint_;
    if (goal_ == Goal::idle) co_return reached;
    const bool last = tried + 1 == options_.endpoints.size();
    report(ConnectFailed{reached.error(), !last || goal_ == Goal::stay_connected});
    if (is_link_trouble(reached.error())) report(LinkSuspect{reached.error()});
    if (tried == 0) outcome = std::move(reached);
  }
  co_return outcome;
}

// Tries this endpoint, or where an earlier connection was sent, and goes on from there as it is told.
asio::awaitable<Result<void>> Client::Impl::reach(Endpoint endpoint, std::uint32_t& attempts) {
  if (redirect_) endpoint = *std::exchange(redirect_, std::nullopt);
  for (unsigned hops = 0;; ++hops) {
    last_connected_ = {.endpoint = endpoint.name(), .client_id = options_.client_id, .attempt = ++attempts};
    Result<void> reached = co_await attempt(endpoint);
    const auto next = std::exchange(redirect_, std::nullopt);
    if (reached || !next || hops == options_.max_redirects || goal_ == Goal::idle) co_return reached;
    report(ConnectFailed{reached.error(), true});
    endpoint = *next;
  }
}

asio::awaitable<Result<void>> Client::Impl::attempt(const Endpoint& endpoint) {
  endpoint_ = endpoint;
  Attempt attempt{executor_,      *time_, waiters_, attempt_list_, time_->now() + options_.connect_timeout,
                  endpoint.name()};
  auto transport = co_await open_transport(attempt, endpoint);
  if (!transport) co_return std::unexpected(std::move(transport.error()));
  if (auto begun = begin_session(); !begun) co_return begun;
  up_ = false;
  last_connected_.tls_resumed = (*transport)->resumed();
  link_ = std::make_shared<Link>(*this, *session_, *time_, std::move(*transport), statistics_);
  link_->start();
  ++changes_;
  if (options_.pipeline) {
    send_wanted_subscriptions();
    waiters_->wake_all(session_open_);
  }
  request_turn();
  const Wake wake = co_await waiters_->wait(link_changed_, attempt.deadline);
  if (wake == Wake::timeout) end_link(Error(Errc::connect_timeout, attempt.name + ": no CONNACK"));
  if (wake == Wake::cancelled) end_link(Error(Errc::cancelled));
  if (up_) co_return Result<void>{};
  co_return std::unexpected(*link_error_);
}

asio::awaitable<Result<std::unique_ptr<Transport>>> Client::Impl::open_transport(Attempt& attempt,
                                                                                 const Endpoint& endpoint) {
  if (endpoint.secure() && !tls_) {
    auto context = TlsContext::create(options_.tls);
    if (!context) co_return std::unexpected(std::move(context.error()));
    tls_ = std::move(*context);
  }
  auto socket = co_await dial(attempt, endpoint);
  if (!socket) co_return std::unexpected(std::move(socket.error()));
  auto transport = make_socket_transport(std::move(*socket));
  if (endpoint.secure()) {
    auto secured = co_await tls_->handshake(attempt, std::move(transport), endpoint.host);
    if (!secured) co_return std::unexpected(std::move(secured.error()));
    transport = std::move(*secured);
  }
  if (endpoint.websocket()) co_return co_await open_websocket(attempt, std::move(transport), endpoint);
  co_return Result<std::unique_ptr<Transport>>(std::move(transport));
}

Result<void> Client::Impl::begin_session() {
  const bool clean = options_.clean_session || (options_.clean_slate && !ever_connected_);
  subscriptions_.on_connection_begin(clean);
  ConnectOptions connect;
  connect.clean_start = clean;
  connect.keep_alive_s =
      static_cast<std::uint16_t>(std::clamp<std::int64_t>(options_.keep_alive.count(), 0, 65'535));
  connect.client_id = options_.client_id;
  if (options_.user_name) connect.user_name = *options_.user_name;
  if (options_.password) connect.password = as_bytes(*options_.password);
  if (options_.will) {
    const Will& will = *options_.will;
    connect.will =
        WillView{will.topic, as_bytes(will.payload), will.qos, will.retain, will.properties.view()};
  }
  auto properties = authentication(AuthenticationStep::begin, {});
  if (!properties) return std::unexpected(std::move(properties.error()));
  Properties all = options_.connect_properties;
  all.append(*properties);
  connect.properties = all.view();
  const auto expiry = options_.session_expiry.value_or(
      std::chrono::seconds(options_.clean_session ? 0 : std::int64_t{0xFFFFFFFF}));
  connect.session_expiry_s =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(expiry.count(), 0, std::int64_t{0xFFFFFFFF}));
  connect.maximum_packet_bytes =
      static_cast<std::uint32_t>(std::min<std::size_t>(options_.max_packet_size, 1U << 28U));
  connect.pipeline = options_.pipeline;
  connect.adopt_session = true;  // the broker may know more of us than this process does
  if (const auto begun = session_->connect(connect, time_->now()); !begun) {
    return std::unexpected(Error(Errc::bad_option, std::string(describe(begun.error()))));
  }
  return {};
}

void Client::Impl::end_link(Error error) {
  const auto link = std::exchange(link_, nullptr);
  if (!link) return;
  link->pump_output();
  link->close();
  ++changes_;
  session_->transport_lost(time_->now());
  subscriptions_.on_connection_lost();
  if (!(error == Errc::cancelled) && error.detail.empty()) error.detail = error.code.message();
  if (!(error == Errc::cancelled) && !error.detail.starts_with(last_connected_.endpoint)) {
    error.detail = last_connected_.endpoint + ": " + error.detail;
  }
  link_error_ = error;
  end_dialogue(std::unexpected(error));
  drain_events();
  waiters_->wake_all(link_changed_);
  if (!up_) return;
  report(Disconnected{error, goal_ == Goal::stay_connected});
  if (is_link_trouble(error)) report(LinkSuspect{std::move(error)});
}

asio::awaitable<void> Client::Impl::back_off(std::uint32_t failures) {
  if (failures > 0 && link_allowed_ && goal_ != Goal::idle) {
    co_await waiters_->wait(back_off_list_, time_->now() + back_off_delay(failures));
  }
  while (!link_allowed_ && goal_ != Goal::idle) co_await waiters_->wait(back_off_list_);
}

Millis Client::Impl::back_off_delay(std::uint32_t failures) {
  const Millis longest = std::max(options_.reconnect_max, options_.reconnect_min);
  Millis delay = options_.reconnect_min;
  for (std::uint32_t i = 1; i < failures && delay < longest; ++i) delay *= 2;
  delay = std::min(delay, longest);
  const double most = std::clamp(options_.reconnect_jitter, 0.0, 1.0);
  const double share = std::uniform_real_distribution<double>(0.0, most)(random_);
  return delay - Millis(static_cast<Millis::rep>(static_cast<double>(delay.count()) * share));
}

void Client::Impl::link_up() {
  link_allowed_ = true;
  waiters_->wake_all(back_off_list_);
  waiters_->resume_woken_later();
}

void Client::Impl::link_down() { link_allowed_ = false; }

asio::awaitable<void> Client::Impl::disconnect(std::shared_ptr<Impl>) {
  goal_ = Goal::idle;
  waiters_->wake_all(attempt_list_, Wake::cancelled);
  waiters_->wake_all(back_off_list_, Wake::cancelled);
  waiters_->resume_woken_later();
  if (connected() && session_->disconnect(ReasonCode::success, {}, time_->now())) {
    request_turn();
    const Wake wake = co_await waiters_->wait(ended_list_, time_->now() + options_.response_time);
    if (wake == Wake::notified) co_return finish_waiting(Error(Errc::cancelled));
  }
  end_link(Error(Errc::cancelled));
  finish_waiting(Error(Errc::cancelled));
  request_turn();
  if (running_) co_await waiters_->wait(ended_list_);
}

void Client::Impl::shut_down() {
  gone_ = true;
  goal_ = Goal::idle;
  handler_.reset();
  event_handler_.reset();
  end_link(Error(Errc::cancelled));
  finish_waiting(Error(Errc::cancelled));
  for (WaitList* const list : {&attempt_list_, &link_changed_, &back_off_list_, &ended_list_}) {
    waiters_->wake_all(*list, Wake::cancelled);
  }
  if (store_ && *store_) (*store_)->close();  // the next client may come before the last coroutine is gone
  if (alarm_) alarm_->cancel();
  waiters_->stop_alarm();
  waiters_->resume_woken_later();
}

// Everything the application waits for ends: operations with this error, waits for a chance to begin as
// cancelled.
void Client::Impl::finish_waiting(const Error& error) {
  const auto fail = [&](Operation& operation) {
    operation.failure = error;
    waiters_->wake_all(operation.list);
  };
  for (Slot& slot : slots_) {
    if (Operation* const waiting = detach(slot)) fail(*waiting);
  }
  for (SubscriptionRequest& request : subscriptions_.entries()) {
    if (Operation* const waiting = std::exchange(request.waiting, nullptr)) fail(*waiting);
  }
  end_dialogue(std::unexpected(error));
  for (Flush* const flush : flushes_) fail(flush->operation);
  flushes_.clear();
  for (WaitList* const list : {&connect_list_, &room_, &session_open_, &receive_list_}) {
    waiters_->wake_all(*list,
                       list == &connect_list_ && error != Errc::cancelled ? Wake::notified : Wake::cancelled);
  }
  waiters_->resume_woken_later();
}

void Client::Impl::report(const ConnectionEvent& event) {
  if (const auto handler = event_handler_) (*handler)(event);
}

}  // namespace mqboard::mqtt
