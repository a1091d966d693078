#include "port/linux/boot_client.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "port/linux/flash.hpp"

namespace mqboard::port {
namespace {

std::optional<std::string> take_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return {};
  std::string taken = value;
  ::unsetenv(name);
  return taken;
}

std::expected<Fd, std::string> parse_descriptor(const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || number < 3 || ::fcntl(number, F_GETFD) < 0) {
    return std::unexpected(std::string(kRtcVariable) + "=" + text + ": no such descriptor");
  }
  return Fd(number);
}

}  // namespace

std::string default_hardware_kind() {
  utsname machine{};
  if (::uname(&machine) != 0) return "linux";
  return (std::string("linux-") + machine.machine).substr(0, boot::Label::kBytes);
}

std::expected<BootClient, std::string> BootClient::connect(const Development& development) {
  const auto descriptor = take_variable(kRtcVariable);
  const auto directory = take_variable(kSlotsVariable);
  if (!descriptor) return start_development(development);
  auto fd = parse_descriptor(*descriptor);
  if (!fd) return std::unexpected(fd.error());
  auto mapping = RtcMapping::adopt(std::move(*fd));
  if (!mapping) return std::unexpected(mapping.error());
  mapping->drop_fd();
  BootClient client(std::move(*mapping), true);
  const auto system = client.rtc().system();
  if (!system) return std::unexpected("RTC memory: no system record");
  client.system_ = *system;
  if (!directory) return std::unexpected(std::string(kSlotsVariable) + " is not set");
  if (auto opened = client.open_slots(*directory); !opened) return std::unexpected(opened.error());
  return client;
}

std::expected<BootClient, std::string> BootClient::start_development(const Development& development) {
  auto mapping = RtcMapping::create();
  if (!mapping) return std::unexpected(mapping.error());
  BootClient client(std::move(*mapping), false);
  client.rtc().format();
  client.system_ = {.choice = {.image = boot::BootImage::factory, .kind = boot::BootKind::factory},
                    .max_failed_boots = development.max_failed_boots};
  if (const auto hardware = boot::Label::make(default_hardware_kind())) client.system_.hardware = *hardware;
  client.restart_in_process(boot::ResetCause::power_on, boot::ModeRequest::none,
                            boot::ResetOrigin::operator_);
  if (development.slots_directory.empty()) return client;

  std::error_code error;
  std::filesystem::create_directories(development.slots_directory, error);
  if (error) return std::unexpected(development.slots_directory + ": " + error.message());
  if (auto opened = client.open_slots(development.slots_directory); !opened) {
    return std::unexpected(opened.error());
  }
  if (const auto prepared = client.slots_->prepare(); !prepared) {
    return std::unexpected(development.slots_directory + ": " + std::string(describe(prepared.error())));
  }
  return client;
}

std::expected<void, std::string> BootClient::open_slots(const std::string& directory) {
  auto files = LinuxFlash::open_root(directory, {.read_from_medium = true});
  if (!files) return std::unexpected(directory + ": " + std::string(describe(files.error())));
  files_ = std::move(*files);
  slots_ = std::make_unique<boot::SlotStore>(*files_);
  slots_->load();
  return {};
}

FsResult<void> BootClient::set_in_order() {
  control().set_in_order();
  return confirm();
}

FsResult<void> BootClient::confirm() {
  if (slots_) {
    if (const auto confirmed = boot::confirm(*slots_, system_.choice.image); !confirmed) return confirmed;
  }
  control().set_confirmed();
  return {};
}

Result<void, boot::RollbackError> BootClient::roll_back() {
  if (!slots_) return Failure{boot::RollbackError::nothing_there};
  return boot::roll_back(*slots_, system_.choice.image);
}

int BootClient::prepare_reset(boot::ResetRequest request, boot::ModeRequest mode, boot::ResetOrigin origin,
                              Millis sleep) const {
  control().request(request, mode, origin, sleep);
  switch (request) {
    case boot::ResetRequest::soft:
      return boot::kExitSoftReset;
    case boot::ResetRequest::deep_sleep:
      return boot::kExitDeepSleep;
    case boot::ResetRequest::hard:
    case boot::ResetRequest::none:
      break;
  }
  return boot::kExitHardReset;
}

bool BootClient::begin_soft_reset() {
  const std::uint32_t soft_resets = control().count_soft_reset();
  if (system_.max_failed_boots != 0 && soft_resets > system_.max_failed_boots) return false;
  system_.cause = boot::ResetCause::soft_reset;
  return true;
}

void BootClient::restart_in_process(boot::ResetCause cause, boot::ModeRequest mode,
                                    boot::ResetOrigin origin) {
  boot::BootChoice& choice = system_.choice;
  const boot::RunEnd end{
      .cause = cause, .kind = choice.kind, .in_order = control().in_order(), .origin = origin};
  const auto failed_boots = boot::count_failed_boots(end, choice.failed_boots);
  const auto decision = boot::decide_mode(choice.kind, mode, failed_boots, system_.max_failed_boots);
  choice.mode = decision.mode;
  choice.failed_boots = decision.failed_boots;
  system_.cause = cause;
  ++system_.boot_count;
  (void)::getrandom(&system_.boot_id, sizeof system_.boot_id, 0);
  rtc().store_system(system_);
  control().clear(Millis{0});
  rtc().crash_note().clear();
}

}  // namespace mqboard::port
