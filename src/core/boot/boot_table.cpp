#include "core/boot/boot_table.hpp"

#include <algorithm>

namespace mqboard::boot {
namespace {

constexpr std::string_view kKinds[] = {"trial", "confirmed", "factory", "last resort"};
constexpr std::string_view kCandidates[] = {"trial slot", "new slot", "confirmed slot",
                                            "factory",    "bad slot", "empty slot"};
constexpr std::string_view kModeConditions[] = {"the image is a last resort", "safe mode was requested",
                                                "normal mode was requested", "failed boots >= limit",
                                                "otherwise"};
constexpr std::string_view kFailureConditions[] = {
    "the run was in order", "the image was on trial",  "power_on",
    "deep_sleep",           "a reset by the operator", "otherwise"};
constexpr std::string_view kEffects[] = {"0", "unchanged", "+1"};

bool applies(ModeRow::When when, BootKind kind, ModeRequest request, bool failing) {
  switch (when) {
    case ModeRow::When::last_resort:
      return kind == BootKind::last_resort;
    case ModeRow::When::safe_requested:
      return request == ModeRequest::safe;
    case ModeRow::When::normal_requested:
      return request == ModeRequest::normal;
    case ModeRow::When::failing:
      return failing;
    case ModeRow::When::otherwise:
      break;
  }
  return true;
}

bool applies(FailureRow::When when, const RunEnd& end) {
  const bool reset = end.cause == ResetCause::hard_reset || end.cause == ResetCause::soft_reset;
  switch (when) {
    case FailureRow::When::was_in_order:
      return end.in_order;
    case FailureRow::When::was_on_trial:
      return end.kind == BootKind::trial;
    case FailureRow::When::power_on:
      return end.cause == ResetCause::power_on;
    case FailureRow::When::deep_sleep:
      return end.cause == ResetCause::deep_sleep;
    case FailureRow::When::operator_reset:
      return reset && end.origin == ResetOrigin::operator_;
    case FailureRow::When::otherwise:
      break;
  }
  return true;
}

}  // namespace

std::string_view name(BootKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view name(Candidate candidate) { return kCandidates[static_cast<std::size_t>(candidate)]; }
std::string_view name(ModeRow::When when) { return kModeConditions[static_cast<std::size_t>(when)]; }
std::string_view name(FailureRow::When when) { return kFailureConditions[static_cast<std::size_t>(when)]; }
std::string_view name(FailureRow::Effect effect) { return kEffects[static_cast<std::size_t>(effect)]; }

BadReason judge_trial(ResetCause ended_by, std::uint8_t attempts) {
  const auto row = std::ranges::find(kTrialTable, ended_by, &TrialRow::ended_by);
  if (row == std::end(kTrialTable)) return BadReason::crash;
  if (row->verdict == BadReason::none && attempts >= kMaxTrialAttempts) return BadReason::attempts;
  return row->verdict;
}

ModeDecision decide_mode(BootKind kind, ModeRequest request, std::uint8_t failed_boots,
                         std::uint8_t max_failed_boots) {
  const bool failing = max_failed_boots != 0 && failed_boots >= max_failed_boots;
  for (const ModeRow& row : kModeTable) {
    if (!applies(row.when, kind, request, failing)) continue;
    return {.mode = row.mode, .failed_boots = row.clears_failed_boots ? std::uint8_t{0} : failed_boots};
  }
  return {.mode = BootMode::safe, .failed_boots = failed_boots};
}

std::uint8_t count_failed_boots(const RunEnd& end, std::uint8_t failed_boots) {
  for (const FailureRow& row : kFailureTable) {
    if (!applies(row.when, end)) continue;
    if (row.effect == FailureRow::Effect::clear) return 0;
    if (row.effect == FailureRow::Effect::add_one && failed_boots < 0xff) return failed_boots + 1;
    return failed_boots;
  }
  return failed_boots;
}

}  // namespace mqboard::boot
