#include <ctime>

#include <boost/asio/post.hpp>

#include "board/board_impl.hpp"
#include "board/host_facts.hpp"
#include "board/random_numbers.hpp"
#include "board/sockets.hpp"
#include "board/state_store.hpp"
#include "rom/board.hpp"

namespace mqboard::board {

namespace {

mqtt::Options with_tls_state(mqtt::Options options, std::vector<std::uint8_t> ticket,
                             std::shared_ptr<const BoardClock> clock) {
  options.tls.ticket = std::move(ticket);
  options.tls.certificate_time = [clock = std::move(clock)] { return clock->host_certificate_time(); };
  return options;
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
      link_(executor_, with_tls_state(std::move(mqtt), tls_session_.ticket(), clock_),
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
          .post = [this](std::function<void()> function) { post(std::move(function)); },
          .idle = [this] { post([this] { sleep_if_due(); }); }};
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
  return std::make_unique<UpdateService>(
      boot(), config().ota, [this](int level, std::string_view text) { log(level, text); }, now);
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
      .time_s = [] { return std::int64_t{std::time(nullptr)}; },  // tidy: allow
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
  return {
      .send =
          [this](const std::string& secret) {
            const auto id = command::make_request_id(random_number());
            std::string topic(command::request_topic(config().prefix, "eval", id, "").view());
            link_.send(std::move(topic), "\x80" + std::string(1, '\0') + feed_source(secret), false);
          },
      .make_secret = make_secret,
      .pat = [this] { boot().pat(); },
      .in_order = [this] { return on_in_order(); },
      .unheard =
          [this] {
            say_not_allowed(concat("nothing published beneath ", config().prefix, "/mqb/cmd/ comes back"));
          }};
}

MqttLink::Handlers Board::Impl::link_handlers() {
  return {.message = [this](const mqtt::MessageView& message) { on_message(message); },
          .connected = [this](const mqtt::Connected& connected) { on_connected(connected); },
          .disconnected = [this](const mqtt::Disconnected& disconnected) { on_disconnected(disconnected); },
          .refused = [this](const mqtt::Error& error) { say_not_allowed(error.message()); },
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
  python.modules.push_back(
      make_socket_module(executor_, [clock = clock_] { return clock->certificate_time(); }));
  python_.add_devices(python.modules);
  return python;
}

}  // namespace mqboard::board
