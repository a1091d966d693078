#include <ctime>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "board/board_impl.hpp"
#include "board/host_facts.hpp"
#include "board/state_store.hpp"
#include "core/command/transfer.hpp"

namespace mqboard::board {

using namespace std::chrono_literals;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace

void Board::Impl::post(std::function<void()> function) {
  asio::post(executor_, [weak = std::weak_ptr(alive_), function = std::move(function)] {
    if (weak.lock()) function();
  });
}

asio::awaitable<Ending> Board::Impl::run() {
  if (options_.state) {
    for (const auto& [logger, level] : options_.state->levels()) log_.set_level(logger, level);
  }
  say_hello();
  arm_watchdog();
  python_.attach(runtime_);
  link_.start();
  if (link_watch_) {
    link_watch_->look();
    link_watch_->listen(executor_);
  }
  runtime_.start();
  post([this] { clean_up(); });
  tick_every_second();
  co_await ended_.async_wait(kAwait);

  second_timer_.cancel();
  if (link_watch_) link_watch_->stop();
  const bool stopped = ending_.request == boot::ResetRequest::none;
  log(kWarning, stopped                                             ? "stopping"
                : ending_.request == boot::ResetRequest::deep_sleep ? "going to sleep"
                                                                    : "resetting");
  runtime_.stop();
  // What Python said at its end is announced to the link by handlers that had to wait for it: before the link
  // counts.
  co_await asio::post(executor_, kAwait);
  co_await link_.stop(final_status(), 2s);
  tls_session_.keep(link_.client().tls_ticket());
  co_return ending_;
}

std::string Board::Impl::final_status() const {
  StatusFields fields = status_fields();
  fields.online = false;
  fields.sleeping = ending_.request == boot::ResetRequest::deep_sleep;
  fields.reason = fields.sleeping                               ? "deep_sleep"
                  : ending_.request == boot::ResetRequest::none ? "stopped"
                                                                : "reset";
  if (fields.sleeping && clock_->plausible()) {
    const auto sleep = ending_.sleep.count() == 0 ? boot::kMaxDeepSleep : ending_.sleep;
    fields.wakes_at_s = std::chrono::ceil<std::chrono::seconds>(clock_->utc() + sleep).count();
  }
  return to_json(fields);
}

void Board::Impl::end(const Ending& ending) {
  if (ended_.expiry() == asio::steady_timer::time_point::min()) return;  // it ends already
  if (ending.request == boot::ResetRequest::deep_sleep) {
    power_.ask(ending);
    return sleep_if_due();
  }
  end_now(ending);
}

void Board::Impl::end_now(const Ending& ending) {
  ending_ = ending;
  ended_.expires_at(asio::steady_timer::time_point::min());
}

bool Board::Impl::on_trial() const {
  return boot().system().choice.kind == boot::BootKind::trial && !boot().rtc().control().confirmed();
}

// A trial has to prove itself also where no watchdog is wanted. Else that is off then: mqboot's own, which
// counted until here, would not be fed.
void Board::Impl::arm_watchdog() {
  const bool wanted = config().watchdog.enabled || on_trial();
  boot().arm_watchdog(wanted ? Millis{config().watchdog.timeout} : Millis{0});
}

void Board::Impl::say_hello() {
  const auto& system = boot().system();
  log(kInfo, concat("mqboardd ", MQB_VERSION, ", ", config().prefix, ", boot ", system.boot_count,
                    ", reset cause ", boot::name(system.cause),
                    boot().under_mqboot() ? concat(", slot ", boot::name(system.choice.image), " (",
                                                   boot::name(system.choice.kind), ")")
                                          : ""));
  if (system.safe_mode()) log(kCritical, "SAFE MODE: no modules run; see why with crash ls, then reset");
  if (!boot().boot_messages().empty()) log_.log(kWarning, "mqboot", boot().boot_messages());
  for (const auto& note : options_.notes)
    log(note.kind == Diagnostic::Kind::error ? kError : kWarning, note.text);
}

void Board::Impl::clean_up() {
  const std::int64_t yesterday = std::time(nullptr) - 24 * 3600;  // tidy: allow
  const auto removed = command::remove_stale_temporaries(*flash_, "/", yesterday);
  if (removed && *removed != 0)
    log(kWarning, concat("removed ", *removed, " unfinished transfers of an earlier run"));
}

void Board::Impl::save_levels() {
  if (options_.state) options_.state->save_levels(log_.levels());
}

// An endless loop answers KeyboardInterrupt with a traceback that says where it is.
void Board::Impl::explain_starving() {
  python_.note_errors();
  const auto activity = runtime_.activity();
  log(kCritical, concat("the watchdog was not fed; Python: ", what(activity), " for ",
                        std::chrono::duration_cast<Millis>(activity.for_).count(), " ms"));
  runtime_.interrupt();
}

void Board::Impl::on_interpreter_crash(const python::Crash& crash) {
  if (!crashes_) return;
  crashes_->add(boot::CrashCause::interpreter_trap, log_.redacted(concat(crash.cause, " in ", crash.running)),
                crash.source.empty() ? "" : log_.redacted(concat("source: ", crash.source)));
}

bool Board::Impl::on_in_order() {
  if (const auto confirmed = boot().set_in_order(); !confirmed) {
    log_trouble(kError, concat("the firmware could not be confirmed: ", describe(confirmed.error())));
    return false;
  }
  arm_watchdog();
  python_.slots_changed();
  log(kInfo, concat("in order: manageable for ", config().watchdog.all_ok.count(), " s"));
  link_.announce();
  if (boot().system().safe_mode() && config().watchdog.revert) {
    log(kCritical, "leaving safe mode by a reset");
    end({.request = boot::ResetRequest::hard, .mode = boot::ModeRequest::normal});
  }
  return true;
}

void Board::Impl::sleep_if_due() {
  const PowerService::Facts facts{.serving = v1_.serving() || channels_.open_channels() != 0,
                                  .transferring = v1_.receiving(),
                                  .on_trial = on_trial() || boot().system().safe_mode(),
                                  .manageable = watchdog_.ever_fed()};
  if (const auto sleep = power_.due(now(), facts)) end_now(*sleep);
}

void Board::Impl::tick_every_second() {
  second_timer_.expires_after(std::min<Millis>(1s, Millis{config().watchdog.timeout} / 8));
  second_timer_.async_wait(when_due([this] {
    watchdog_.tick(now(), link_.connected());
    // Under mqboot the watchdog is its business, and its proof.
    if (python_.application_starved()) boot().arm_watchdog(1ms);
    if (!boot().under_mqboot() && (watchdog_.starved(now()) || python_.application_starved())) {
      log(kCritical, "the watchdog was not fed");
      if (crashes_) crashes_->add(boot::CrashCause::watchdog, "not fed in time", "");
      return end(
          {.request = boot::ResetRequest::hard, .origin = boot::ResetOrigin::application, .starved = true});
    }
    if (link_watch_) link_watch_->tick(now());
    v1_.expire(now());
    if (options_.state) options_.state->tick(now(), services_.report);
    sleep_if_due();
    tick_every_second();
  }));
}

void Board::Impl::wake_channels_at(TimePoint when) {
  if (when == kNever) {
    channel_timer_.cancel();
    return;
  }
  channel_timer_.expires_at(std::chrono::steady_clock::time_point(when.time_since_epoch()));
  channel_timer_.async_wait(when_due([this] { channels_.on_timer(); }));
}

void Board::Impl::on_message(const mqtt::MessageView& message) {
  if (message.topic == command::stay_awake_topic(config().prefix)) return on_stay_awake(message);
  if (message.topic.starts_with(config().prefix + "/mqb/cmd/")) {
    // The watchdog's own round trip is no operator.
    if (message.topic.ends_with('/')) {
      watchdog_.arrived();
    } else {
      power_.operator_acted(now());
    }
  }
  if (channels_.handle(message.topic, message.payload, message.retained)) return;
  if (v1_.handle({message.topic, message.payload, message.retained, message.duplicate}, now())) {
    tick_while_busy();
  } else {
    python_.deliver(message);
  }
}

// Good once: the request is taken back, which comes round as an empty one.
void Board::Impl::on_stay_awake(const mqtt::MessageView& request) {
  if (request.payload.empty()) return;
  log(kInfo, "staying awake for an operator");
  power_.stay_awake(now());
  link_.send(std::string(request.topic), "", true);
}

void Board::Impl::tick_while_busy() {
  if (ticking_ || !v1_.busy()) return;
  ticking_ = true;
  busy_timer_.expires_after(V1Service::kLiveAfter);
  busy_timer_.async_wait(when_due([this] {
    ticking_ = false;
    v1_.tick(now());
    tick_while_busy();
  }));
}

void Board::Impl::on_connected(const mqtt::Connected& connected) {
  last_trouble_.clear();
  client_id_ = connected.client_id;
  connected_at_ = now();
  power_.connected(now());
  watchdog_.tick(now(), true);  // a board about to sleep waits for the first feed
  log_.connected();
  log(kInfo, concat("connected to ", connected.endpoint, " as ", connected.client_id,
                    connected.session_present ? ", session resumed" : "",
                    connected.tls_resumed ? ", TLS resumed" : ""));
  link_.ready(log_);
  python_.connection_changed(true);
  channels_.reconnected();
  const bool first = !std::exchange(was_connected_, true);
  // Both may write to storage: the status goes out before.
  post([this, first] {
    if (crashes_) crashes_->announce();
    if (first && options_.first_connected) options_.first_connected();
  });
}

void Board::Impl::on_disconnected(const mqtt::Disconnected& disconnected) {
  log_.disconnected();
  if (python_.connected()) python_.connection_changed(false);
  say_not_connected(disconnected.error);
  suspect_another_of_our_name(disconnected.error);
}

// A broker ends the older of two connections of one client identifier [MQTT-3.1.4-2], and each of the two
// makes the next.
void Board::Impl::suspect_another_of_our_name(const mqtt::Error& error) {
  const bool soon = now() - connected_at_ < 30s;
  short_connections_ = error == mqtt::Errc::connection_closed && soon ? short_connections_ + 1 : 0;
  if (short_connections_ != 3) return;
  log(kError,
      concat("the broker has ended three connections soon after they were made: is another client called ",
             client_id_, "? (mqtt.client_id; a copied board.state)"));
}

void Board::Impl::say_not_connected(const mqtt::Error& error) {
  if (error == mqtt::Errc::cancelled) return;  // our own doing
  log_trouble(kWarning, concat("not connected: ", error.message()));
}

// The connection is there, and of no use.
void Board::Impl::say_not_allowed(std::string_view why) {
  const std::string user =
      config().mqtt.user ? concat("the user ", *config().mqtt.user) : "a client without user";
  log(kError, concat("not manageable: ", why, ": does the broker allow ", user,
                     " to subscribe to it and to publish there? (docs/BOARD.md, \"Access at the broker\")"));
}

StatusFields Board::Impl::status_fields() const {
  StatusFields fields;
  const auto& system = boot().system();
  fields.kind = config().kind;
  fields.location = config().location;
  fields.prefix = config().prefix;
  fields.unique_id = options_.unique_id;
  fields.firmware_version = MQB_VERSION;
  fields.slot = boot().under_mqboot() ? boot::name(system.choice.image) : "none";
  fields.slot_state = boot().under_mqboot() ? boot::name(system.choice.kind) : "none";
  fields.boot_count = system.boot_count;
  fields.reset_cause = boot::name(system.cause);
  fields.safe_mode = system.safe_mode();
  fields.epoch = epoch_;
  fields.channel_credit = ChannelService::config().window_bytes;
  fields.channel_largest = ChannelService::config().largest_receive;
  fields.capabilities = {"eval", "exec", "repl", "files", "log", "crash"};
  if (updates_) fields.capabilities.emplace_back("ota");
  fields.connected_at_s = std::time(nullptr);  // tidy: allow
  fields.wake_every_s = config().power.wake_every.count();
  return fields;
}

std::string Board::Impl::info() {
  InfoFields info;
  info.uptime_ms = uptime().count();
  if (const auto space = flash_->space()) {
    info.flash_total_bytes = space->total_bytes;
    info.flash_free_bytes = space->free_bytes;
  }
  const auto memory = runtime_.memory();
  const auto activity = runtime_.activity();
  info.heap_used_bytes = memory.heap_used_bytes;
  info.heap_free_bytes = memory.heap_free_bytes;
  info.collections = memory.collections;
  info.python_activity = what(activity);
  info.python_activity_ms = std::chrono::duration_cast<Millis>(activity.for_).count();
  info.interpreter_generation = activity.generation;
  info.events_dropped = activity.events_dropped;
  info.log_lost = log_.lost();
  info.resident_bytes = resident_bytes();
  const auto& statistics = link_.client().statistics();
  info.connections = statistics.connections;
  info.bytes_sent = statistics.bytes_sent;
  info.bytes_received = statistics.bytes_received;
  info.channels_open = channels_.open_channels();
  info.in_order = watchdog_.in_order();
  if (crashes_) info.crash_reports = crashes_->list().size();
  return to_json(status_fields(), info);
}

std::string Board::Impl::status(bool online, std::string_view reason) const {
  StatusFields fields = status_fields();
  fields.online = online;
  fields.reason = reason;
  return to_json(fields);
}

std::expected<std::unique_ptr<Board>, std::string> Board::make(asio::any_io_executor executor,
                                                               Options options) {
  auto flash =
      port::LinuxFlash::open_root(options.config.flash, {.capacity_bytes = options.config.flash_bytes});
  if (!flash) {
    return std::unexpected(
        concat("board.flash: ", options.config.flash.string(), ": ", describe(flash.error())));
  }
  auto mqtt = client_options(options.config.mqtt, options.unique_id);
  if (!mqtt) return std::unexpected(mqtt.error().message());
  return std::unique_ptr<Board>(new Board(
      std::make_unique<Impl>(std::move(executor), std::move(options), std::move(*flash), std::move(*mqtt))));
}

Board::Board(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Board::~Board() = default;
asio::awaitable<Ending> Board::run() { return impl_->run(); }
void Board::stop() { impl_->end({}); }
void Board::explain_starving() { impl_->explain_starving(); }

}  // namespace mqboard::board
