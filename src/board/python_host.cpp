#include "board/python_host.hpp"

#include <cerrno>
#include <chrono>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "board/devices.hpp"
#include "board/gpio_pins.hpp"
#include "board/host_facts.hpp"
#include "board/log_levels.hpp"
#include "board/text.hpp"
#include "port/linux/death_note.hpp"

namespace mqboard::board {

namespace asio = boost::asio;

namespace {

python::Exception os_exception(int code, std::string message = {}) {
  return {python::Exception::Type::os_error, std::move(message), code};
}

// The Python exception a failed MQTT operation becomes.
python::Exception exception_of(const mqtt::Error& error) {
  using mqtt::Errc;
  if (error == Errc::invalid_argument) return {python::Exception::Type::value_error, error.message(), 0};
  if (error == Errc::rejected) return os_exception(EACCES);
  if (error == Errc::too_large) return os_exception(EMSGSIZE);
  if (error == Errc::queue_full) return os_exception(ENOBUFS);
  if (error == Errc::timeout) return os_exception(ETIMEDOUT);
  if (error == Errc::cancelled) return os_exception(ECANCELED);
  return os_exception(0, error.message());
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What a publish under way holds back of kMaxPublishBytes.
class Reservation {
 public:
  Reservation(std::shared_ptr<std::atomic<std::size_t>> total, std::size_t bytes)
      : total_(std::move(total)), bytes_(bytes) {
    *total_ += bytes_;
  }
  Reservation(Reservation&& other) noexcept : total_(std::move(other.total_)), bytes_(other.bytes_) {}
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation() {
    if (total_) *total_ -= bytes_;
  }

 private:
  std::shared_ptr<std::atomic<std::size_t>> total_;
  std::size_t bytes_;
};

// `held` is what the operation borrows.
asio::awaitable<void> finish_publish(asio::awaitable<mqtt::Result<mqtt::ReasonCode>> operation,
                                     std::shared_ptr<PythonMessage> held, python::Completion done,
                                     Reservation) {
  const auto sent = co_await std::move(operation);
  held.reset();
  if (sent) {
    done.complete();
  } else {
    done.fail(exception_of(sent.error()));
  }
}

asio::awaitable<void> finish_subscribe(asio::awaitable<mqtt::Result<mqtt::QoS>> operation,
                                       std::shared_ptr<const std::string> held, python::Completion done) {
  const auto granted = co_await std::move(operation);
  held.reset();
  if (granted) {
    done.complete(std::int64_t{static_cast<int>(*granted)});
  } else {
    done.fail(exception_of(granted.error()));
  }
}

asio::awaitable<void> finish_unsubscribe(asio::awaitable<mqtt::Result<void>> operation,
                                         std::shared_ptr<const std::string> held, python::Completion done) {
  const auto gone = co_await std::move(operation);
  held.reset();
  if (gone) {
    done.complete();
  } else {
    done.fail(exception_of(gone.error()));
  }
}

asio::awaitable<void> answer_ntp(std::string server, std::function<std::int64_t()> utc_us,
                                 python::Completion done) {
  const auto offset = co_await query_ntp(std::move(server), std::move(utc_us));
  if (offset) {
    done.complete(*offset);
  } else {
    done.fail(os_exception(offset.error()));
  }
}

}  // namespace

PythonHost::PythonHost(Environment environment) : env_(std::move(environment)), pins_(make_pins()) {
  slots_changed();
}

std::unique_ptr<Pins> PythonHost::make_pins() {
  auto changed = [this](std::string_view pin, bool level) {
    if (runtime_) post_pin(*runtime_, pin, level);
  };
  if (env_.config.pins.chip.empty()) return std::make_unique<SimulatedPins>(std::move(changed));
  auto pins = std::make_unique<GpioPins>(env_.config.pins, env_.executor, std::move(changed));
  if (!pins->trouble().empty()) env_.log.log(kError, "board", pins->trouble());
  return pins;
}

void PythonHost::add_devices(std::vector<python::HostModule>& modules) const {
  const DevicesConfig& devices = env_.config.devices;
  modules.push_back(make_uart_module(env_.executor, devices.uart));
  modules.push_back(make_bus_module(devices));
  modules.push_back(make_analog_module(devices));
}

void PythonHost::deliver(const mqtt::MessageView& message) {
  if (filters_.empty()) return;
  if (post_message(*runtime_, message.topic, message.payload, message.retained, static_cast<int>(message.qos),
                   message.duplicate)) {
    return;
  }
  // Say it at once and then ever more rarely: 1, 2, 4, 8 …
  ++dropped_;
  if ((dropped_ & (dropped_ - 1)) == 0) {
    env_.log.log(kError, "mqtt",
                 concat("Python does not take its messages: ", dropped_, " dropped so far, the last of ",
                        message.topic));
  }
}

void PythonHost::connection_changed(bool connected) {
  connected_ = connected;
  post_connected(*runtime_, connected);
}

bool PythonHost::application_starved() const {
  const std::int64_t at = starves_at_ms_;
  return at != 0 && steady_ms() > at;
}

void PythonHost::note_errors() {
  env_.boot.rtc().crash_note().append("[traceback]\n");
  noting_errors_ = true;
}

void PythonHost::note_error(std::string_view text) const {
  if (noting_errors_) env_.boot.rtc().crash_note().append(concat(env_.log.redacted(text), "\n"));
}

void PythonHost::console(python::Stream stream, Bytes line) {
  if (stream != python::Stream::out) note_error(as_text(line));
  env_.log.log(stream == python::Stream::out ? 20 : 40, "print", as_text(line));
}

std::size_t PythonHost::cut(Bytes line) { return env_.log.separable(as_text(line)); }

bool PythonHost::crashed(const python::Crash& crash) {
  env_.log.log(kCritical, "python",
               concat("the interpreter crashed: ", crash.cause, " in ", crash.running,
                      crash.source.empty() ? "" : ": ", crash.source));
  env_.crashed(crash);
  return true;
}

void PythonHost::attach(python::Runtime& runtime) {
  runtime_ = &runtime;
  runtime_->exec(launcher_source(), "launcher", nullptr);
}

void PythonHost::started(unsigned generation) {
  port::note_overflow_of_this_thread("python");
  if (generation > 1) runtime_->exec(launcher_source(), "launcher", nullptr);
}

BoardFacts PythonHost::facts() const {
  BoardFacts facts;
  facts.kind = env_.config.kind;
  facts.location = env_.config.location;
  facts.prefix = env_.config.prefix;
  for (std::size_t i = 0; i + 1 < env_.unique_id.size(); i += 2) {
    facts.unique_id.push_back(static_cast<std::uint8_t>(std::stoi(env_.unique_id.substr(i, 2), nullptr, 16)));
  }
  facts.version = MQB_VERSION;
  facts.reset_cause = env_.boot.system().cause;
  facts.safe_mode = env_.boot.system().safe_mode();
  facts.modules = env_.config.modules;
  return facts;
}

std::string PythonHost::table_json(std::string_view module) const {
  for (const auto& table : env_.config.module_tables) {
    if (table.name == module) return table.json;
  }
  return "{}";
}

void PythonHost::publish(PythonMessage message, python::Completion done) {
  const std::size_t bytes = message.topic.size() + message.payload.size() + 64;
  if (bytes > kMaxPublishBytes) return done.fail(os_exception(EMSGSIZE));
  if (*publishing_ > kMaxPublishBytes - bytes) return done.fail(os_exception(ENOBUFS));
  auto reserved = std::make_shared<Reservation>(publishing_, bytes);
  env_.post([this, held = std::make_shared<PythonMessage>(std::move(message)), done, reserved] {
    auto operation = env_.link.client().publish(
        held->topic, held->payload,
        {.qos = static_cast<mqtt::QoS>(held->qos), .retain = held->retain, .sync = held->sync});
    asio::co_spawn(env_.executor, finish_publish(std::move(operation), held, done, std::move(*reserved)),
                   asio::detached);
  });
}

void PythonHost::subscribe(std::string filter, int qos, python::Completion done) {
  env_.post([this, held = std::make_shared<const std::string>(std::move(filter)), qos, done] {
    if (!filters_.contains(*held) && filters_.size() >= kMaxSubscriptions)
      return done.fail(os_exception(ENOBUFS));
    filters_.insert(*held);
    auto operation = env_.link.client().subscribe(*held, static_cast<mqtt::QoS>(qos));
    asio::co_spawn(env_.executor, finish_subscribe(std::move(operation), held, done), asio::detached);
  });
}

void PythonHost::unsubscribe(std::string filter, python::Completion done) {
  env_.post([this, held = std::make_shared<const std::string>(std::move(filter)), done] {
    filters_.erase(*held);
    auto operation = env_.link.client().unsubscribe(*held);
    asio::co_spawn(env_.executor, finish_unsubscribe(std::move(operation), held, done), asio::detached);
  });
}

void PythonHost::log(int level, std::string_view logger, std::string_view text) {
  if (level >= kError) note_error(text);
  env_.log.log_decided(level, logger, text);
}

int PythonHost::log_level(std::string_view logger) const { return env_.log.level_of(logger); }

void PythonHost::set_log_level(std::string_view logger, int level) {
  env_.log.set_level(logger, level);
  env_.post(env_.save_levels);
}

void PythonHost::report_failure(std::string_view task, std::string_view traceback) {
  env_.post(
      [this, task = std::string(task), traceback = std::string(traceback)] { env_.failed(task, traceback); });
}

void PythonHost::request_end(Ending ending) {
  const auto kind = runtime_->activity().kind;
  ending.origin =
      kind == python::Activity::Kind::eval ? boot::ResetOrigin::operator_ : boot::ResetOrigin::application;
  env_.post([this, ending] { env_.end(ending); });
}

void PythonHost::reset(boot::ResetRequest kind, boot::ModeRequest mode) {
  request_end({.request = kind, .mode = mode});
}

void PythonHost::deep_sleep(std::chrono::milliseconds duration) {
  request_end({.request = boot::ResetRequest::deep_sleep, .sleep = duration});
}

python::ByteString PythonHost::rtc_memory() const {
  const Bytes data = env_.boot.rtc().user().read();
  return {data.begin(), data.end()};
}

void PythonHost::set_rtc_memory(python::ByteString data) { env_.boot.rtc().user().write(data); }

bool PythonHost::feed_watchdog(std::string_view secret) { return env_.fed(secret); }

void PythonHost::feed_application_watchdog(std::chrono::milliseconds timeout) {
  starves_at_ms_ = steady_ms() + timeout.count();
}

namespace {

SlotFacts slot_facts(const boot::SlotStore& slots, boot::SlotId slot) {
  const auto& record = slots.record(slot);
  return {.label = std::string(boot::name(slot)),
          .size_bytes = record.image_bytes,
          .confirmed = record.state == boot::SlotState::confirmed};
}

}  // namespace

// Slot records change on the I/O thread while Python may read here: what is asked of them is copied there
// once.
SlotFacts PythonHost::running_slot() const {
  const std::lock_guard lock(slots_mutex_);
  return running_;
}

std::optional<SlotFacts> PythonHost::other_slot() const {
  const std::lock_guard lock(slots_mutex_);
  return other_;
}

void PythonHost::slots_changed() {
  const boot::BootImage image = env_.boot.system().choice.image;
  const auto slot = boot::slot_of(image);
  const std::lock_guard lock(slots_mutex_);
  running_ = {.label = env_.boot.under_mqboot() ? std::string(boot::name(image)) : "dev", .confirmed = true};
  other_.reset();
  if (!slot || env_.boot.slots() == nullptr) return;
  running_ = slot_facts(*env_.boot.slots(), *slot);
  other_ = slot_facts(*env_.boot.slots(), boot::other(*slot));
}

BoardApi::Answer<void> PythonHost::confirm_image() {
  env_.post([this] {
    if (env_.updates != nullptr) env_.updates->confirm();
    slots_changed();
  });
  return {};
}

BoardApi::Answer<void> PythonHost::select_slot(std::string_view label) {
  const auto other = other_slot();
  if (!other || other->label != label || other->size_bytes == 0) return std::unexpected(os_exception(ENOENT));
  env_.post([this] {
    if (env_.updates != nullptr) env_.updates->roll_back();
    slots_changed();
  });
  return {};
}

NetworkFacts PythonHost::network() const { return network_facts(); }
std::uint64_t PythonHost::cpu_hz() const { return board::cpu_hz(); }
bool PythonHost::clock_known() const { return env_.clock->known(); }
void PythonHost::set_utc(std::chrono::microseconds since_1970) { env_.clock->set_utc(since_1970); }

void PythonHost::query_ntp(std::string server, python::Completion done) {
  env_.post([this, server = std::move(server), done] {
    auto utc_us = [clock = env_.clock] { return std::int64_t{clock->utc().count() / 1000}; };
    asio::co_spawn(env_.executor, answer_ntp(server, std::move(utc_us), done), asio::detached);
  });
}

std::string what(const python::Activity& activity) {
  constexpr std::string_view kKinds[] = {"stopped", "idle", "eval", "exec", "complete", "event", "task"};
  const std::string_view kind = kKinds[static_cast<std::size_t>(activity.kind)];
  return concat(kind, activity.name.empty() ? "" : " ", activity.name);
}

}  // namespace mqboard::board
