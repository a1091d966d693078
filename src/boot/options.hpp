// mqboot's command line.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/boot/label.hpp"

namespace mqboard::boot {

struct Options {
  std::string slots;
  std::string flash;
  std::string config;
  std::string factory;
  std::string rtc;
  std::string watchdog_device;
  Label product = *Label::make("mqboard");
  Label hardware{};
  std::uint8_t max_failed_boots = 3;
  Millis watchdog_timeout{60'000};
  Millis trial_timeout{600'000};
  bool allow_plain = false;
  std::vector<std::string> firmware_arguments;  // what stands after "--"
};

struct Usage {
  std::string text;  // what to print
  int exit_status;   // 0 for --help and --version, 2 for a mistake
};

std::expected<Options, Usage> parse_options(const std::vector<std::string>& arguments);

}  // namespace mqboard::boot
