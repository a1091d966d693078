#include "boot/options.hpp"

#include <charconv>
#include <functional>
#include <span>

#include "port/linux/boot_client.hpp"

namespace mqboard::boot {
namespace {

constexpr std::string_view kHelp =
    R"(usage: mqboot --slots DIR --flash DIR [options] [-- arguments for the firmware]

Starts the firmware of a board, watches over it, and starts it again when it ends.

  --slots DIR            firmware images, their records, keys and crash reports; made when missing
  --flash DIR            the board's flash, passed to the firmware; made when missing
  --config FILE          the board's configuration, passed to the firmware
  --factory FILE         executable to start when no slot holds a firmware
  --hardware KIND        hardware kind of images this board accepts (this machine's)
  --rtc FILE             keep RTC memory in FILE, best on a tmpfs, to survive a crash of mqboot
  --max-failed-boots N   safe mode after N boots that failed in a row; 0: never (3)
  --watchdog SECONDS     until the firmware sets its own; 0: none (60)
  --trial-timeout SECONDS  a new firmware must be confirmed by then (600)
  --watchdog-device FILE the machine's watchdog, e.g. /dev/watchdog
  --allow-plain          start images without signature that the firmware has installed
  --help, --version

Signals: SIGTERM, SIGINT and SIGHUP stop the board, SIGUSR1 is its reset button.
Specification: docs/BOOT.md. Exit status: 0 stopped, 1 nothing to start or no access, 2 usage.
)";

using Setter = std::function<bool(Options&, const std::string&)>;

struct Option {
  std::string_view name;
  bool has_value;
  Setter set;
};

Setter text(std::string Options::*member) {
  return [member](Options& options, const std::string& value) {
    options.*member = value;
    return !value.empty();
  };
}

template<class Number>
bool parse_number(const std::string& value, Number& number) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc{} && end == value.data() + value.size();
}

Setter seconds(Millis Options::*member) {
  return [member](Options& options, const std::string& value) {
    double number = 0;
    if (!parse_number(value, number) || !(number >= 0) || number > 4'000'000) return false;
    options.*member = Millis{static_cast<Millis::rep>(number * 1000)};
    return true;
  };
}

bool set_hardware(Options& options, const std::string& value) {
  const auto label = Label::make(value);
  if (!label || label->empty()) return false;
  options.hardware = *label;
  return true;
}

const std::vector<Option>& all_options() {
  static const std::vector<Option> options = {
      {"--slots", true, text(&Options::slots)},
      {"--flash", true, text(&Options::flash)},
      {"--config", true, text(&Options::config)},
      {"--factory", true, text(&Options::factory)},
      {"--rtc", true, text(&Options::rtc)},
      {"--watchdog-device", true, text(&Options::watchdog_device)},
      {"--hardware", true, set_hardware},
      {"--watchdog", true, seconds(&Options::watchdog_timeout)},
      {"--trial-timeout", true, seconds(&Options::trial_timeout)},
      {"--max-failed-boots", true,
       [](Options& o, const std::string& value) { return parse_number(value, o.max_failed_boots); }},
      {"--allow-plain", false, [](Options& o, const std::string&) { return o.allow_plain = true; }},
  };
  return options;
}

Usage mistake(const std::string& what) {
  return {.text = "mqboot: " + what + "; see mqboot --help\n", .exit_status = 2};
}

}  // namespace

std::expected<Options, Usage> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  (void)set_hardware(options, port::default_hardware_kind());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help") return std::unexpected(Usage{std::string(kHelp), 0});
    if (argument == "--version") return std::unexpected(Usage{"mqboot " MQB_VERSION "\n", 0});
    if (argument == "--") {
      options.firmware_arguments.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                        arguments.end());
      break;
    }
    const std::size_t equals = std::min(argument.find('='), argument.size());
    const Option* found = nullptr;
    for (const Option& option : all_options()) {
      if (option.name == std::string_view(argument).substr(0, equals)) found = &option;
    }
    if (found == nullptr) return std::unexpected(mistake("unknown argument " + argument));
    const bool inline_value = equals < argument.size();
    if (inline_value && !found->has_value) return std::unexpected(mistake(argument + ": takes no value"));
    std::string value = inline_value ? argument.substr(equals + 1) : "";
    if (found->has_value && !inline_value) {
      if (++i == arguments.size()) return std::unexpected(mistake(argument + ": value missing"));
      value = arguments[i];
    }
    if (!found->set(options, value)) {
      return std::unexpected(mistake(std::string(found->name) + ": bad value '" + value + "'"));
    }
  }
  if (options.slots.empty()) return std::unexpected(mistake("--slots is missing"));
  if (options.flash.empty()) return std::unexpected(mistake("--flash is missing"));
  return options;
}

}  // namespace mqboard::boot
