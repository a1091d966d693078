#include "core/boot/death.hpp"

namespace mqboard::boot {
namespace {

constexpr int kSigkill = 9;

Death requested(ResetCause cause, ResetRequest kind, const RtcControl& control) {
  Death death{.cause = cause};
  if (control.requested() != kind) return death;
  death.origin = control.origin();
  death.mode = control.requested_mode();
  if (kind == ResetRequest::deep_sleep) death.sleep = control.sleep();
  return death;
}

Death crashed(std::optional<CrashCause> report) { return {.cause = ResetCause::crash, .report = report}; }

}  // namespace

Death judge(const ProcessEnd& end, const RtcControl& control) {
  using Intervention = ProcessEnd::Intervention;
  switch (end.intervention) {
    case Intervention::stop:
      return {.stops = true};
    case Intervention::starved:
      return {.cause = ResetCause::watchdog, .report = CrashCause::watchdog};
    case Intervention::trial_expired:
      return {.cause = ResetCause::watchdog, .report = CrashCause::trial_expired};
    case Intervention::reset_button:
      return {.cause = ResetCause::hard_reset, .origin = ResetOrigin::operator_};
    case Intervention::none:
      break;
  }
  if (end.signalled) {
    if (end.code != kSigkill) return crashed(CrashCause::signal);
    return crashed(end.out_of_memory ? CrashCause::out_of_memory : CrashCause::killed);
  }
  switch (end.code) {
    case kExitStopped:
      return {.cause = ResetCause::hard_reset};
    case kExitHardReset:
      return requested(ResetCause::hard_reset, ResetRequest::hard, control);
    case kExitSoftReset:
      return requested(ResetCause::soft_reset, ResetRequest::soft, control);
    case kExitDeepSleep:
      return requested(ResetCause::deep_sleep, ResetRequest::deep_sleep, control);
    case kExitCrashReported:
      return crashed({});
    default:
      return crashed(CrashCause::exit_status);
  }
}

}  // namespace mqboard::boot
