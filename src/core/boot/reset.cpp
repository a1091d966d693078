#include "core/boot/reset.hpp"

namespace mqboard::boot {

std::string_view name(ResetCause cause) {
  switch (cause) {
    case ResetCause::power_on:
      return "power_on";
    case ResetCause::hard_reset:
      return "hard_reset";
    case ResetCause::watchdog:
      return "watchdog";
    case ResetCause::deep_sleep:
      return "deep_sleep";
    case ResetCause::soft_reset:
      return "soft_reset";
    case ResetCause::crash:
      return "crash";
  }
  return "unknown";
}

std::string_view name(BootMode mode) { return mode == BootMode::safe ? "safe" : "normal"; }

}  // namespace mqboard::boot
