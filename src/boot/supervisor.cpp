#include "boot/supervisor.hpp"

#include <sys/random.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "boot/slot_loader.hpp"
#include "core/base/crc32.hpp"
#include "core/boot/crash_store.hpp"
#include "port/linux/boot_client.hpp"

namespace mqboard::boot {
namespace {

constexpr Millis kDumpTime{500};         // for a starving firmware to say what it is doing
constexpr Millis kStopTime{10'000};      // for an orderly stop
constexpr Millis kWatchInterval{1000};   // the watchdog is looked at this often at least
constexpr Millis kHopelessSpacing{500};  // of the starts of a board that fails again and again
constexpr Millis kKillsCounted{30'000};  // the kernel's kills are counted anew this often
constexpr std::size_t kQuotedLog = 12 * 1024;
constexpr std::int64_t kClockUnset = 1'600'000'000;  // a wall clock before this has never been set

std::uint64_t kernel_kills() {
  std::ifstream file("/proc/vmstat");
  std::string key;
  std::uint64_t value = 0;
  while (file >> key >> value) {
    if (key == "oom_kill") return value;
  }
  return 0;
}

// Which start of the machine this is.
std::uint32_t machine_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return crc32(as_bytes(id));
}

std::string text(std::string_view view) { return std::string(view); }

std::string image_text(const BootChoice& choice) {
  return text(name(choice.image)) + " " + text(name(choice.kind)) + " " + text(name(choice.mode));
}

}  // namespace

Supervisor::Supervisor(const Options& options) : options_(options), hardware_(options.watchdog_device) {}

int Supervisor::run() {
  if (const auto powered = power_up(); !powered) {
    std::fprintf(stderr, "mqboot: %s\n", powered.error().c_str());
    return 1;
  }
  for (;;) {
    auto start = choose();
    if (!start) return 1;
    auto process = launch(std::move(*start));
    if (!process) return 1;
    const ProcessEnd end = watch(*process);
    death_ = judge(end, rtc().control());
    if (death_.report) report(death_, end);
    if (death_.stops || !pause(death_)) break;
  }
  power_down();
  return 0;
}

std::expected<void, std::string> Supervisor::power_up() {
  std::error_code error;
  for (const std::string& directory : {options_.slots, options_.flash}) {
    std::filesystem::create_directories(directory, error);
    if (error) return std::unexpected(directory + ": " + error.message());
  }
  auto files = port::LinuxFlash::open_root(options_.slots, {.read_from_medium = true});
  if (!files) return std::unexpected(options_.slots + ": " + text(mqboard::describe(files.error())));
  files_ = std::move(*files);
  if (const auto prepared = SlotStore(*files_).prepare(); !prepared) {
    return std::unexpected(options_.slots + ": " + text(mqboard::describe(prepared.error())));
  }
  auto mapping =
      options_.rtc.empty() ? port::RtcMapping::create() : port::RtcMapping::open_file(options_.rtc);
  if (!mapping) return std::unexpected(mapping.error());
  rtc_.emplace(std::move(*mapping));
  const auto kept = rtc().system();
  if (kept && kept->machine_boot == machine_boot()) {
    system_ = *kept;
    // mqboot itself died, and with it the firmware; no fault of the application.
    death_ = {.cause = ResetCause::hard_reset, .origin = ResetOrigin::operator_};
  } else {
    rtc().format();
    system_ = {};
    death_.cause = ResetCause::power_on;
  }
  return {};
}

std::optional<Supervisor::Start> Supervisor::choose() {
  rtc().boot_messages().clear();
  if (!unstored_report_.empty()) say(std::exchange(unstored_report_, {}));
  if (!hardware_.error().empty()) say("watchdog device: " + hardware_.error());
  port::TrustedKeys keys;
  if (const auto added = add_keys_from(*files_, "keys", keys); !added) say(added.error());
  SlotStore slots(*files_);
  slots.load();
  const ImagePolicy policy{
      .product = options_.product, .hardware = options_.hardware, .allow_plain = options_.allow_plain};
  SlotLoader loader(*files_, policy, keys);
  const BootEvent event{.last_run = {.cause = death_.cause,
                                     .kind = system_.choice.kind,
                                     .in_order = rtc().control().in_order(),
                                     .origin = death_.origin},
                        .failed_boots = system_.choice.failed_boots,
                        .request = death_.mode};
  const auto choice = Bootloader(slots, loader, *this)
                          .choose(event, {.max_failed_boots = options_.max_failed_boots,
                                          .has_factory = !options_.factory.empty()});
  if (!choice) {
    say("nothing to start: no slot holds a firmware that verifies, and there is no factory image");
    return {};
  }
  Start start;
  start.system = {.boot_count = system_.boot_count + 1,
                  .cause = death_.cause,
                  .choice = *choice,
                  .max_failed_boots = options_.max_failed_boots,
                  .machine_boot = machine_boot(),
                  .hardware = options_.hardware};
  (void)::getrandom(&start.system.boot_id, sizeof start.system.boot_id, 0);
  if (choice->image != BootImage::factory) start.executable = loader.take_executable();
  return start;
}

std::optional<FirmwareProcess> Supervisor::launch(Start start) {
  system_ = start.system;
  say("start " + std::to_string(system_.boot_count) + " after " + text(name(system_.cause)) + ": image " +
      image_text(system_.choice) + " mode" +
      (system_.choice.version.empty() ? "" : ", version " + text(system_.choice.version.view())));
  rtc().store_system(system_);
  rtc().control().clear(options_.watchdog_timeout);
  rtc().firmware_version().clear();
  rtc().crash_note().clear();
  FirmwareProcess::Command command{
      .executable = std::move(start.executable),
      .path = options_.factory,
      .arguments = {"--flash", options_.flash},
      .environment = {std::string(port::kRtcVariable) + "=" + std::to_string(rtc_->fd()),
                      std::string(port::kSlotsVariable) + "=" + options_.slots},
      .rtc_fd = rtc_->fd()};
  if (!options_.config.empty()) {
    command.arguments.insert(command.arguments.end(), {"--config", options_.config});
  }
  command.arguments.insert(command.arguments.end(), options_.firmware_arguments.begin(),
                           options_.firmware_arguments.end());
  kernel_kills_.fill(kernel_kills());
  started_ = Clock::now();
  auto process = FirmwareProcess::start(std::move(command));
  if (!process) say(std::string("the firmware cannot be started: ") + std::strerror(errno));
  hardware_.notify("READY=1\nSTATUS=Running " + image_text(system_.choice));
  return process;
}

ProcessEnd Supervisor::watch(FirmwareProcess& process) {
  using Intervention = ProcessEnd::Intervention;
  const RtcControl control = rtc().control();
  Intervention intervention = Intervention::none;
  std::uint32_t pats = control.pats();
  Millis armed = control.watchdog_timeout();
  Clock::time_point patted = Clock::now();
  Clock::time_point counted = patted;
  for (;;) {
    const Millis interval =
        armed.count() == 0 ? kWatchInterval : std::clamp(armed / 4, Millis{10}, kWatchInterval);
    const auto event = hardware_.wait(process.fd(), Clock::now() + interval);
    if (event == Hardware::Event::ready) break;
    if (event == Hardware::Event::stop) {
      stop(process);
      intervention = Intervention::stop;
      break;
    }
    if (event == Hardware::Event::reset_button) {
      intervention = Intervention::reset_button;
      break;
    }
    const auto now = Clock::now();
    // What the kernel killed long ago was something else. Two counts: it may be at it at this moment.
    if (now - counted > kKillsCounted) {
      kernel_kills_ = {kernel_kills_[1], kernel_kills()};
      counted = now;
    }
    const bool trial = on_trial();
    // A trial cannot switch the watchdog off.
    Millis timeout = control.watchdog_timeout();
    if (trial && timeout.count() == 0) timeout = options_.watchdog_timeout;
    if (control.pats() != pats || timeout != armed) {
      pats = control.pats();
      armed = timeout;
      patted = now;
    }
    const bool starving = armed.count() != 0 && now - patted > armed;
    const bool expired = trial && now - started_ > options_.trial_timeout;
    if (!starving && !expired) continue;
    starved_for_ = armed;
    intervention = starving ? Intervention::starved : Intervention::trial_expired;
    starve(process);
    break;
  }
  process.kill_group();
  const auto end = process.reap();
  return {.signalled = end.signalled,
          .code = end.code,
          .intervention = intervention,
          .out_of_memory = kernel_kills() != kernel_kills_[0]};
}

bool Supervisor::on_trial() const {
  return system_.choice.kind == BootKind::trial && !rtc().control().confirmed();
}

void Supervisor::stop(FirmwareProcess& process) {
  hardware_.notify("STOPPING=1");
  process.signal(SIGTERM);
  (void)hardware_.wait(process.fd(), Clock::now() + kStopTime);
}

void Supervisor::starve(FirmwareProcess& process) {
  process.signal(SIGQUIT);
  (void)hardware_.wait(process.fd(), Clock::now() + kDumpTime);
}

std::string Supervisor::describe(const Death& death, const ProcessEnd& end) const {
  switch (*death.report) {
    case CrashCause::watchdog:
      return "not patted for " + std::to_string(starved_for_.count()) + " ms";
    case CrashCause::trial_expired:
      return "not confirmed within " + std::to_string(options_.trial_timeout.count()) + " ms";
    case CrashCause::exit_status:
      return "exit status " + std::to_string(end.code);
    case CrashCause::killed:
      return "SIGKILL by another process";
    case CrashCause::out_of_memory:
      return "SIGKILL by the kernel";
    default:
      break;
  }
  const char* const abbreviation = end.signalled ? ::sigabbrev_np(end.code) : nullptr;
  return abbreviation == nullptr ? "signal " + std::to_string(end.code) : std::string("SIG") + abbreviation;
}

void Supervisor::report(const Death& death, const ProcessEnd& end) {
  const std::string image = image_text(system_.choice);
  const CrashNote note = split_crash_note(rtc().crash_note().text());
  // Of a signal the firmware knows what led to it.
  const bool explained = *death.report == CrashCause::signal && note.cause;
  const CrashCause cause = explained ? *note.cause : *death.report;
  const std::string detail = explained ? text(note.detail) : describe(death, end);
  const Label& version = system_.choice.version;
  std::vector<std::uint8_t> log(kQuotedLog);
  const auto uptime = std::chrono::duration_cast<Millis>(Clock::now() - started_);
  const std::int64_t now = ::time(nullptr);  // tidy: allow
  const CrashReport crash{.cause = cause,
                          .detail = detail,
                          .firmware = version.empty() ? rtc().firmware_version().text() : version.view(),
                          .image = image,
                          .boot_count = system_.boot_count,
                          .uptime_ms = static_cast<std::uint64_t>(uptime.count()),
                          .time_s = now > kClockUnset ? now : 0,
                          .traceback = note.traceback,
                          .backtrace = note.backtrace,
                          .log = rtc().log().tail(log)};
  const auto stored = CrashStore(*files_).add(crash);
  const std::string what = text(name(cause)) + ": " + detail;
  if (stored) {
    std::fprintf(stderr, "mqboot: crash report %u: %s\n", *stored, what.c_str());
  } else {
    unstored_report_ = "crash report not stored (" + text(mqboard::describe(stored.error())) + "): " + what;
  }
}

// Fails by itself again and again. Who kills it from outside, however often, sets the pace himself.
bool Supervisor::hopeless(const Death& death) const {
  const int many = 2 * std::max<int>(3, options_.max_failed_boots);
  return system_.choice.failed_boots >= many && death.report != CrashCause::killed;
}

bool Supervisor::pause(Death& death) {
  Millis length{0};
  if (death.cause == ResetCause::deep_sleep) {
    length = death.sleep.count() == 0 ? kMaxDeepSleep : death.sleep;
    // Nobody shall wait for days until a firmware that does nothing but sleep has used up its trial.
    if (on_trial()) length = std::min(length, options_.trial_timeout);
    hardware_.notify("STATUS=Asleep");
  } else if (hopeless(death)) {
    const auto lived = std::chrono::duration_cast<Millis>(Clock::now() - started_);
    length = std::max(Millis{0}, kHopelessSpacing - lived);
  }
  switch (hardware_.wait(-1, Clock::now() + length)) {
    case Hardware::Event::stop:
      return false;
    case Hardware::Event::reset_button:
      death = {.cause = ResetCause::hard_reset, .origin = ResetOrigin::operator_};
      return true;
    case Hardware::Event::ready:
    case Hardware::Event::deadline:
      break;
  }
  return true;
}

// Stopping is switching the power off.
void Supervisor::power_down() {
  std::fprintf(stderr, "mqboot: stopped\n");
  rtc().format();
  hardware_.disarm();
}

void Supervisor::say(const std::string& line) {
  std::fprintf(stderr, "mqboot: %s\n", line.c_str());
  rtc().boot_messages().append("mqboot: " + line + "\n");
}

void Supervisor::became_bad(SlotId slot, const SlotRecord& record) {
  say("slot " + text(name(slot)) + " is bad: " + text(name(record.reason)));
}

void Supervisor::unverifiable(SlotId slot, SlotState state, ImageError error) {
  // Empty slots are looked at only when there is nothing else to start.
  if (state == SlotState::empty && error == ImageError::storage) return;
  say("slot " + text(name(slot)) + " (" + text(name(state)) +
      ") is not started: " + text(boot::describe(error)));
}

void Supervisor::not_recorded(SlotId slot, FsError error) {
  say("the record of slot " + text(name(slot)) + " cannot be written: " + text(mqboard::describe(error)));
}

}  // namespace mqboard::boot
