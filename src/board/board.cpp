#include "board/board.hpp"

#include <ctime>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "board/channel_service.hpp"
#include "board/crash_service.hpp"
#include "board/host_facts.hpp"
#include "board/link_watch.hpp"
#include "board/log_levels.hpp"
#include "board/log_service.hpp"
#include "board/mqtt_link.hpp"
#include "board/power_service.hpp"
#include "board/python_host.hpp"
#include "board/random_numbers.hpp"
#include "board/sockets.hpp"
#include "board/state_store.hpp"
#include "board/status.hpp"
#include "board/text.hpp"
#include "board/tls_session.hpp"
#include "board/update_service.hpp"
#include "board/v1_service.hpp"
#include "board/watchdog_service.hpp"
#include "core/command/transfer.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"
#include "port/linux/flash.hpp"
#include "rom/board.hpp"

namespace mqboard::board {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

TimePoint now() {
  return TimePoint(std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

class Board::Impl final : public Interpreter {
 public:
  Impl(asio::any_io_executor executor, Options options, std::unique_ptr<port::LinuxFlash> flash,
       mqtt::Options mqtt);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  asio::awaitable<Ending> run();
  void end(const Ending& ending);
  void end_now(const Ending& ending);
  void explain_starving();

  // Interpreter
  python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.eval(std::move(source), std::move(sink));
  }
  python::JobId exec(std::string source, std::string name, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.exec(std::move(source), std::move(name), std::move(sink));
  }
  python::JobId complete(std::string prefix, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.complete(std::move(prefix), std::move(sink));
  }
  void interrupt() override { runtime_.interrupt(); }
  bool interrupt(python::JobId job) override { return runtime_.interrupt(job); }

 private:
  LogService::Environment log_environment();
  MqttLink::Handlers link_handlers();
  PythonHost::Environment python_environment();
  python::Options python_options();
  std::unique_ptr<UpdateService> make_updates();
  std::unique_ptr<CrashService> make_crashes();
  std::unique_ptr<LinkWatch> make_link_watch();
  Services make_services();
  V1Service::Environment v1_environment();
  ChannelService::Environment channel_environment();
  WatchdogService::Environment watchdog_environment();

  [[nodiscard]] StatusFields status_fields() const;
  [[nodiscard]] std::string status(bool online, std::string_view reason) const;
  [[nodiscard]] std::string final_status() const;
  [[nodiscard]] std::string info();

  void on_message(const mqtt::MessageView& message);
  void on_connected(const mqtt::Connected& connected);
  void on_disconnected(const mqtt::Disconnected& disconnected);
  void say_not_connected(const mqtt::Error& error);
  void on_interpreter_crash(const python::Crash& crash);
  bool on_in_order();
  void post(std::function<void()> function);
  // For a timer: not when it was cancelled, nor when it was too late for that and the board is gone.
  auto when_due(std::function<void()> function) {
    return [weak = std::weak_ptr(alive_), function = std::move(function)](const auto& error) {
      if (!error && weak.lock()) function();
    };
  }
  void wake_channels_at(TimePoint when);
  void tick_while_busy();
  void tick_every_second();
  void sleep_if_due();
  void arm_watchdog();
  [[nodiscard]] bool on_trial() const;
  void say_hello();
  void clean_up();
  void save_levels();
  void log(int level, std::string_view text) { log_.log(level, "board", text); }
  [[nodiscard]] Millis uptime() const {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started_);
  }
  [[nodiscard]] const Config& config() const { return options_.config; }
  [[nodiscard]] port::BootClient& boot() const { return *options_.boot; }

  asio::any_io_executor executor_;
  Options options_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::shared_ptr<Impl*> alive_ = std::make_shared<Impl*>(this);  // for what was posted and comes late
  const std::uint32_t epoch_;
  std::shared_ptr<BoardClock> clock_ = std::make_shared<BoardClock>();
  std::unique_ptr<port::LinuxFlash> flash_;
  port::Sha256Hasher hasher_;
  std::vector<std::uint8_t> log_memory_;
  LogService log_;
  const std::unique_ptr<UpdateService> updates_;  // null without mqboot
  const std::unique_ptr<CrashService> crashes_;   // null without a place for them
  KeptTlsSession tls_session_;
  MqttLink link_;
  WatchdogService watchdog_;
  PowerService power_;
  std::unique_ptr<LinkWatch> link_watch_;  // null: the broker is on this machine
  PythonHost python_;
  python::Runtime runtime_;
  Services services_;
  V1Service v1_;
  ChannelService channels_;
  asio::steady_timer busy_timer_, second_timer_, channel_timer_;
  asio::steady_timer ended_;
  Ending ending_;
  std::string last_trouble_;
  bool ticking_ = false;
  bool was_connected_ = false;
};

namespace {

mqtt::Options with_ticket(mqtt::Options options, std::vector<std::uint8_t> ticket) {
  options.tls.ticket = std::move(ticket);
  return options;
}

std::string_view name_of(python::Activity::Kind kind) {
  constexpr std::string_view kNames[] = {"stopped", "idle", "eval", "exec", "complete", "event", "task"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace

Board::Impl::Impl(asio::any_io_executor executor, Options options, std::unique_ptr<port::LinuxFlash> flash,
                  mqtt::Options mqtt)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      epoch_(make_epoch()),
      flash_(std::move(flash)),
      log_memory_(LogService::memory_bytes(config().logging)),
      log_(log_environment(), config().logging, config().secrets, log_memory_),
      updates_(make_updates()),
      crashes_(make_crashes()),
      tls_session_(boot().rtc().session(), config().mqtt),
      link_(executor_, with_ticket(std::move(mqtt), tls_session_.ticket()),
            std::string(command::status_topic(config().prefix).view()), status(false, ""),
            std::string(command::request_filter(config().prefix).view()), link_handlers()),
      watchdog_(config().watchdog, watchdog_environment()),
      power_(config().power, now()),
      link_watch_(make_link_watch()),
      python_(python_environment()),
      runtime_(python_options()),
      services_(make_services()),
      v1_(v1_environment()),
      channels_(channel_environment()),
      busy_timer_(executor_),
      second_timer_(executor_),
      channel_timer_(executor_),
      ended_(executor_, asio::steady_timer::time_point::max()) {}

// The interpreter's thread uses what is destroyed before it.
Board::Impl::~Impl() { runtime_.stop(); }

LogService::Environment Board::Impl::log_environment() {
  LogService::Environment environment;
  environment.topic = command::log_topic(config().prefix).view();
  environment.since_boot = [this] { return uptime(); };
  environment.wall_clock = [clock = clock_, since_boot = environment.since_boot,
                            start = TimeOfStart()]() mutable { return start.seen(*clock, since_boot()); };
  environment.wake = [this] { post([this] { link_.ready(log_); }); };
  // What survives this process, for mqboot to quote; and the terminal.
  environment.echo = [retained = boot().rtc().log(), echo = options_.echo](log::Level level,
                                                                           std::string_view line) mutable {
    retained.append(line);
    if (echo) echo(level, line);
  };
  return environment;
}

V1Service::Environment Board::Impl::v1_environment() {
  return {.prefix = config().prefix,
          .outbox = link_,
          .services = services_,
          .post = [this](std::function<void()> function) { post(std::move(function)); }};
}

ChannelService::Environment Board::Impl::channel_environment() {
  return {.prefix = config().prefix,
          .outbox = link_,
          .services = services_,
          .epoch = epoch_,
          .now = now,
          .post = [this](std::function<void()> function) { post(std::move(function)); },
          .wake_at = [this](TimePoint when) { wake_channels_at(when); }};
}

Services Board::Impl::make_services() {
  return {.files = *flash_,
          .hasher = hasher_,
          .interpreter = *this,
          .log = log_,
          .crashes = crashes_.get(),
          .updates = updates_.get(),
          .report = [this](int level, std::string_view text) { log(level, text); },
          .info_json = [this] { return info(); },
          .end = [this](const Ending& ending) { end(ending); },
          .level_changed =
              [this](std::string_view logger, int level) {
                python_.level_changed(logger, level);
                save_levels();
              },
          .after =
              [this](std::chrono::milliseconds delay, std::function<void()> function) {
                const auto timer = std::make_shared<asio::steady_timer>(executor_, delay);
                timer->async_wait(when_due([timer, function = std::move(function)] { function(); }));
              }};
}

std::unique_ptr<UpdateService> Board::Impl::make_updates() {
  if (!boot().under_mqboot() || boot().slots() == nullptr) return nullptr;
  return std::make_unique<UpdateService>(boot(), config().ota,
                                         [this](int level, std::string_view text) { log(level, text); });
}

std::unique_ptr<CrashService> Board::Impl::make_crashes() {
  if (boot().slot_files() == nullptr) return nullptr;
  const auto& system = boot().system();
  CrashService::Environment environment{
      .files = *boot().slot_files(),
      .firmware = std::string(system.choice.version.empty() ? MQB_VERSION : system.choice.version.view()),
      .image = concat(boot::name(system.choice.image), " ", boot::name(system.choice.kind), " ",
                      boot::name(system.choice.mode)),
      .boot_count = system.boot_count,
      .uptime = [this] { return uptime(); },
      .time_s = [] { return std::int64_t{std::time(nullptr)}; },
      .log_tail = [this] { return log_.tail(4096); },
      .report = [this](int level, std::string_view text) { log(level, text); },
      .announced = [this] { return options_.state ? options_.state->announced_crash() : 0; },
      .set_announced =
          [this](boot::CrashId id) {
            if (options_.state) options_.state->set_announced_crash(id);
          }};
  return std::make_unique<CrashService>(std::move(environment));
}

std::unique_ptr<LinkWatch> Board::Impl::make_link_watch() {
  if (!LinkWatch::concerns(config().mqtt)) return nullptr;
  LinkWatch::Environment environment{
      .network = network_facts,
      .link_up = [this] { link_.client().link_up(); },
      .link_down = [this] { link_.client().link_down(); },
      .report = [this](int level, std::string_view text) { log_.log(level, "network", text); }};
  return std::make_unique<LinkWatch>(std::move(environment));
}

WatchdogService::Environment Board::Impl::watchdog_environment() {
  return {.send =
              [this](const std::string& secret) {
                const auto id = command::make_request_id(random_number());
                std::string topic(command::request_topic(config().prefix, "eval", id, "").view());
                link_.send(std::move(topic), "\x80" + std::string(1, '\0') + feed_source(secret), false);
              },
          .make_secret = make_secret,
          .pat = [this] { boot().pat(); },
          .in_order = [this] { return on_in_order(); }};
}

MqttLink::Handlers Board::Impl::link_handlers() {
  return {.message = [this](const mqtt::MessageView& message) { on_message(message); },
          .connected = [this](const mqtt::Connected& connected) { on_connected(connected); },
          .disconnected = [this](const mqtt::Disconnected& disconnected) { on_disconnected(disconnected); },
          .connect_failed = [this](const mqtt::Error& error) { say_not_connected(error); },
          .suspect =
              [this](const mqtt::Error& error) {
                if (link_watch_) link_watch_->suspect(error.message());
              },
          .status = [this] { return status(true, ""); }};
}

PythonHost::Environment Board::Impl::python_environment() {
  return {
      .config = config(),
      .unique_id = options_.unique_id,
      .boot = boot(),
      .updates = updates_.get(),
      .log = log_,
      .link = link_,
      .flash = *flash_,
      .clock = clock_,
      .executor = executor_,
      .post = [this](std::function<void()> function) { post(std::move(function)); },
      .end = [this](const Ending& ending) { end(ending); },
      .failed =
          [this](std::string_view task, std::string_view traceback) {
            if (crashes_)
              crashes_->add(boot::CrashCause::exception, log_.redacted(task), log_.redacted(traceback));
          },
      .crashed = [this](const python::Crash& crash) { post([this, crash] { on_interpreter_crash(crash); }); },
      .save_levels = [this] { save_levels(); },
      .fed = [this](std::string_view secret) { return watchdog_.fed(secret); }};
}

python::Options Board::Impl::python_options() {
  python::Options python{.flash = *flash_, .observer = python_, .clock = *clock_};
  python.limits.heap_bytes = options_.config.heap_bytes;
  python.limits.memory_bytes = options_.config.heap_bytes + 8 * 1024 * 1024;
  python.roms = {rom::board};
  python.modules = make_host_modules(python_);
  python.modules.push_back(make_socket_module(executor_));
  return python;
}

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
  constexpr std::int64_t kDay_s = 24 * 3600;
  const auto removed = command::remove_stale_temporaries(*flash_, "/", std::time(nullptr) - kDay_s);
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
  log(kCritical, concat("the watchdog was not fed; Python: ", name_of(activity.kind), " ", activity.name,
                        " for ", std::chrono::duration_cast<Millis>(activity.for_).count(), " ms"));
  runtime_.interrupt();
}

void Board::Impl::on_interpreter_crash(const python::Crash& crash) {
  if (!crashes_) return;
  crashes_->add(boot::CrashCause::interpreter_trap, log_.redacted(concat(crash.cause, " in ", crash.running)),
                crash.source.empty() ? "" : log_.redacted(concat("source: ", crash.source)));
}

bool Board::Impl::on_in_order() {
  if (const auto confirmed = boot().set_in_order(); !confirmed) {
    log(kError, concat("the firmware could not be confirmed: ", describe(confirmed.error())));
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
                                  .on_trial = on_trial() || boot().system().safe_mode()};
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
  // The watchdog's own round trip is no operator.
  const bool of_operator =
      message.topic.starts_with(config().prefix + "/mqb/cmd/") && !message.topic.ends_with('/');
  if (of_operator) power_.operator_acted(now());
  if (channels_.handle(message.topic, message.payload, message.retained)) return;
  if (v1_.handle({message.topic, message.payload, message.retained, message.duplicate}, now())) {
    tick_while_busy();
  } else {
    python_.deliver(message);
  }
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
  power_.connected(now());
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
}

void Board::Impl::say_not_connected(const mqtt::Error& error) {
  if (error == mqtt::Errc::cancelled) return;  // our own doing
  // The same failure again and again is one line.
  std::string trouble = error.message();
  if (trouble == last_trouble_) return;
  log(kWarning, concat("not connected: ", trouble));
  last_trouble_ = std::move(trouble);
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
  fields.connected_at_s = std::time(nullptr);
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
  info.python_activity = concat(name_of(activity.kind), activity.name.empty() ? "" : " ", activity.name);
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
