#include "board/board.hpp"

#include <openssl/evp.h>

#include <ctime>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "board/log_service.hpp"
#include "board/mqtt_link.hpp"
#include "board/python_host.hpp"
#include "board/state_store.hpp"
#include "board/status.hpp"
#include "board/text.hpp"
#include "board/v1_service.hpp"
#include "core/command/transfer.hpp"
#include "port/linux/flash.hpp"
#include "rom/board.hpp"

namespace mqboard::board {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr int kInfo = 20;
constexpr int kWarning = 30;
constexpr int kError = 40;

class OpenSslHasher final : public Hasher {
 public:
  ~OpenSslHasher() { EVP_MD_CTX_free(context_); }
  OpenSslHasher() = default;
  OpenSslHasher(const OpenSslHasher&) = delete;
  OpenSslHasher& operator=(const OpenSslHasher&) = delete;
  void reset() override {
    if (context_ == nullptr) context_ = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
  }
  void update(Bytes data) override { EVP_DigestUpdate(context_, data.data(), data.size()); }
  Sha256 digest() override {
    Sha256 hash{};
    EVP_DigestFinal_ex(context_, hash.data(), nullptr);
    return hash;
  }

 private:
  EVP_MD_CTX* context_ = nullptr;
};

TimePoint now() {
  return TimePoint(std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

class Board::Impl final : public Interpreter {
 public:
  Impl(asio::any_io_executor executor, Options options, std::unique_ptr<port::LinuxFlash> flash,
       mqtt::Options mqtt);

  asio::awaitable<Ending> run();
  void end(const Ending& ending);

  // Interpreter
  python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.eval(std::move(source), std::move(sink));
  }
  void interrupt() override { runtime_.interrupt(); }

 private:
  LogService::Environment log_environment();
  V1Service::Environment v1_environment();
  MqttLink::Handlers link_handlers();
  PythonHost::Environment python_environment();
  python::Options python_options();
  [[nodiscard]] StatusFields status_fields() const;
  [[nodiscard]] std::string status(bool online, std::string_view reason) const;

  void on_message(const mqtt::MessageView& message);
  void on_connected(const mqtt::Connected& connected);
  void on_disconnected(const mqtt::Disconnected& disconnected);
  void post(std::function<void()> function);
  void tick_while_busy();
  void clean_up();
  void log(int level, std::string_view text) { log_.log(level, "board", text); }

  asio::any_io_executor executor_;
  Options options_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::shared_ptr<Impl*> alive_ = std::make_shared<Impl*>(this);  // for what was posted and comes late
  std::shared_ptr<BoardClock> clock_ = std::make_shared<BoardClock>();
  std::unique_ptr<port::LinuxFlash> flash_;
  OpenSslHasher hasher_;
  std::vector<std::uint8_t> log_memory_;
  LogService log_;
  MqttLink link_;
  PythonHost python_;
  python::Runtime runtime_;
  V1Service v1_;
  asio::steady_timer tick_;
  asio::steady_timer ended_;
  Ending ending_;
  std::int64_t connected_at_s_ = 0;
  std::string last_trouble_;
  bool ticking_ = false;
  bool was_connected_ = false;
};

Board::Impl::Impl(asio::any_io_executor executor, Options options, std::unique_ptr<port::LinuxFlash> flash,
                  mqtt::Options mqtt)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      flash_(std::move(flash)),
      log_memory_(LogService::memory_bytes(options_.config.logging)),
      log_(log_environment(), options_.config.logging, options_.config.secrets, log_memory_),
      link_(executor_, std::move(mqtt), std::string(command::status_topic(options_.config.prefix).view()),
            status(false, ""), std::string(command::request_filter(options_.config.prefix).view()),
            link_handlers()),
      python_(python_environment()),
      runtime_(python_options()),
      v1_(v1_environment()),
      tick_(executor_),
      ended_(executor_, asio::steady_timer::time_point::max()) {}

LogService::Environment Board::Impl::log_environment() {
  LogService::Environment environment;
  environment.topic = command::log_topic(options_.config.prefix).view();
  environment.since_boot = [this] {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started_);
  };
  environment.wall_clock = [clock = clock_,
                            since_boot = environment.since_boot]() -> std::optional<log::WallClock> {
    if (!clock->plausible()) return std::nullopt;
    constexpr Millis kDay = std::chrono::days{1};
    const Millis time_of_day = std::chrono::duration_cast<Millis>(clock->utc()) % kDay;
    return log::WallClock{(time_of_day - since_boot()).count()};
  };
  environment.wake = [this] { post([this] { link_.ready(log_); }); };
  environment.echo = options_.echo;
  return environment;
}

V1Service::Environment Board::Impl::v1_environment() {
  return {.prefix = options_.config.prefix,
          .outbox = link_,
          .files = *flash_,
          .interpreter = *this,
          .post = [this](std::function<void()> function) { post(std::move(function)); },
          .hasher = hasher_,
          .open_update = {},
          .report = [this](int level, std::string_view text) { log(level, text); }};
}

MqttLink::Handlers Board::Impl::link_handlers() {
  return {.message = [this](const mqtt::MessageView& message) { on_message(message); },
          .connected = [this](const mqtt::Connected& connected) { on_connected(connected); },
          .disconnected = [this](const mqtt::Disconnected& disconnected) { on_disconnected(disconnected); },
          .suspect = [](const mqtt::Error&) {},
          .status = [this] { return status(true, ""); }};
}

PythonHost::Environment Board::Impl::python_environment() {
  return {.config = options_.config,
          .boot = options_.boot,
          .rtc = *options_.rtc,
          .log = log_,
          .link = link_,
          .flash = *flash_,
          .clock = clock_,
          .executor = executor_,
          .post = [this](std::function<void()> function) { post(std::move(function)); },
          .end = [this](const Ending& ending) { end(ending); },
          .failed = [](std::string_view, std::string_view) {},
          .crashed = [](const python::Crash&) {},
          .save_levels =
              [this] {
                if (options_.state) options_.state->save_levels(log_.levels());
              },
          .fed = [](std::string_view) { return false; }};
}

python::Options Board::Impl::python_options() {
  python::Options python{.flash = *flash_, .observer = python_, .clock = *clock_};
  python.limits.heap_bytes = options_.config.heap_bytes;
  python.limits.memory_bytes = options_.config.heap_bytes + 8 * 1024 * 1024;
  python.roms = {rom::board};
  python.modules = make_host_modules(python_);
  return python;
}

void Board::Impl::post(std::function<void()> function) {
  asio::post(executor_, [weak = std::weak_ptr(alive_), function = std::move(function)] {
    if (weak.lock()) function();
  });
}

asio::awaitable<Ending> Board::Impl::run() {
  log(kInfo, concat("mqboardd ", MQB_VERSION, " starts: ", options_.config.prefix, ", reset cause ",
                    boot::name(options_.boot.reset_cause), options_.boot.safe_mode ? ", safe mode" : ""));
  for (const auto& note : options_.notes)
    log(note.kind == Diagnostic::Kind::error ? kError : kWarning, note.text);
  python_.attach(runtime_);
  if (options_.state) {
    for (const auto& [logger, level] : options_.state->levels()) log_.set_level(logger, level);
  }
  link_.start();
  runtime_.start();
  post([this] { clean_up(); });
  co_await ended_.async_wait(kAwait);
  log(kWarning, ending_.request == boot::ResetRequest::none ? "stopping" : "resetting");
  runtime_.stop();
  co_await link_.stop(status(false, ending_.request == boot::ResetRequest::none ? "stopped" : "reset"), 2s);
  co_return ending_;
}

void Board::Impl::end(const Ending& ending) {
  ending_ = ending;
  ended_.cancel();
}

void Board::Impl::clean_up() {
  const auto removed = command::remove_stale_temporaries(*flash_, "/", std::time(nullptr) - 24 * 3600);
  if (removed && *removed != 0)
    log(kWarning, concat("removed ", *removed, " unfinished transfers of an earlier run"));
}

void Board::Impl::on_message(const mqtt::MessageView& message) {
  if (v1_.handle({message.topic, message.payload, message.retained, message.duplicate}, now())) {
    tick_while_busy();
  } else {
    python_.deliver(message);
  }
}

void Board::Impl::tick_while_busy() {
  if (ticking_ || !v1_.busy()) return;
  ticking_ = true;
  tick_.expires_after(V1Service::kLiveAfter);
  tick_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    ticking_ = false;
    v1_.tick(now());
    tick_while_busy();
  });
}

void Board::Impl::on_connected(const mqtt::Connected& connected) {
  last_trouble_.clear();
  log_.connected();
  log(kInfo, concat("connected to ", connected.endpoint, " as ", connected.client_id,
                    connected.session_present ? ", session resumed" : ""));
  link_.ready(log_);
  python_.connection_changed(true);
  if (!std::exchange(was_connected_, true) && options_.first_connected) options_.first_connected();
}

void Board::Impl::on_disconnected(const mqtt::Disconnected& disconnected) {
  log_.disconnected();
  if (python_.connected()) python_.connection_changed(false);
  // The same failure again and again is one line.
  std::string trouble = disconnected.error.message();
  if (trouble == last_trouble_) return;
  log(kWarning, concat("not connected: ", trouble));
  last_trouble_ = std::move(trouble);
}

StatusFields Board::Impl::status_fields() const {
  StatusFields fields;
  const Config& config = options_.config;
  fields.kind = config.kind;
  fields.location = config.location;
  fields.prefix = config.prefix;
  fields.unique_id = options_.boot.unique_id;
  fields.firmware_version = MQB_VERSION;
  fields.slot = options_.boot.slot;
  fields.slot_state = options_.boot.slot_state;
  fields.boot_count = options_.boot.boot_count;
  fields.reset_cause = boot::name(options_.boot.reset_cause);
  fields.safe_mode = options_.boot.safe_mode;
  fields.capabilities = {"eval", "get", "put", "interrupt"};
  fields.connected_at_s = std::time(nullptr);
  return fields;
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
  auto mqtt = client_options(options.config.mqtt, options.boot.unique_id);
  if (!mqtt) return std::unexpected(mqtt.error().message());
  return std::unique_ptr<Board>(new Board(
      std::make_unique<Impl>(std::move(executor), std::move(options), std::move(*flash), std::move(*mqtt))));
}

Board::Board(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Board::~Board() = default;
asio::awaitable<Ending> Board::run() { return impl_->run(); }
void Board::stop() { impl_->end({}); }

}  // namespace mqboard::board
