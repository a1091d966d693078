// The boot decisions as tables: which slot is started, how, and what a failed trial costs. docs/BOOT.md shows
// the same tables; a test compares them. Nothing else decides.
#pragma once

#include <span>

#include "core/boot/reset.hpp"
#include "core/boot/slot_record.hpp"

namespace mqboard::boot {

// A trial interrupted by what is no fault of the image may be started this often in all.
inline constexpr std::uint8_t kMaxTrialAttempts = 3;

// What a start means for the image started.
enum class BootKind : std::uint8_t {
  trial = 0,        // must prove itself
  confirmed = 1,    //
  factory = 2,      // the executable mqboot was given, when no slot can be started
  last_resort = 3,  // signed and whole, but bad or never finished; better than nothing
};
std::string_view name(BootKind kind);

// Table 1. A slot found on trial when the board starts: its trial ended without confirmation, by `ended_by`.
// BadReason::none: the trial is continued, or ends as bad (attempts) when kMaxTrialAttempts are used up.
struct TrialRow {
  ResetCause ended_by;
  BadReason verdict;
};
inline constexpr TrialRow kTrialTable[] = {
    {ResetCause::power_on, BadReason::none},     {ResetCause::deep_sleep, BadReason::none},
    {ResetCause::hard_reset, BadReason::reset},  {ResetCause::soft_reset, BadReason::reset},
    {ResetCause::watchdog, BadReason::watchdog}, {ResetCause::crash, BadReason::crash},
};

// Table 2. The candidates, best first; the first whose image verifies is started. Of two slots in the same
// state the one installed later comes first.
enum class Candidate : std::uint8_t { trial_slot, new_slot, confirmed_slot, factory, bad_slot, empty_slot };
struct CandidateRow {
  Candidate candidate;
  BootKind kind;
  bool bad_when_unverifiable;  // else it is passed over and stays what it is
};
inline constexpr CandidateRow kCandidateTable[] = {
    {Candidate::trial_slot, BootKind::trial, true},
    {Candidate::new_slot, BootKind::trial, true},
    {Candidate::confirmed_slot, BootKind::confirmed, false},
    {Candidate::factory, BootKind::factory, false},
    {Candidate::bad_slot, BootKind::last_resort, false},
    {Candidate::empty_slot, BootKind::last_resort, false},
};
std::string_view name(Candidate candidate);

// Table 3. Normal or safe mode: the first row that applies. `failing`: the failed boots have reached the
// limit.
struct ModeRow {
  enum class When : std::uint8_t { last_resort, safe_requested, normal_requested, failing, otherwise } when;
  BootMode mode;
  bool clears_failed_boots;
};
inline constexpr ModeRow kModeTable[] = {
    {ModeRow::When::last_resort, BootMode::safe, false},
    {ModeRow::When::safe_requested, BootMode::safe, false},
    {ModeRow::When::normal_requested, BootMode::normal, true},
    {ModeRow::When::failing, BootMode::safe, false},
    {ModeRow::When::otherwise, BootMode::normal, false},
};
std::string_view name(ModeRow::When when);

// Table 4. What the end of a run does to the count of failed boots: the first row that applies.
struct FailureRow {
  enum class When : std::uint8_t {
    was_in_order,    // the run was manageable for `allok`
    was_on_trial,    // a trial answers for itself, by table 1
    power_on,        // the count was in RTC memory
    deep_sleep,      //
    operator_reset,  //
    otherwise,       // crash, watchdog, the application's own reset
  } when;
  enum class Effect : std::uint8_t { clear, keep, add_one } effect;
};
inline constexpr FailureRow kFailureTable[] = {
    {FailureRow::When::was_in_order, FailureRow::Effect::clear},
    {FailureRow::When::was_on_trial, FailureRow::Effect::keep},
    {FailureRow::When::power_on, FailureRow::Effect::clear},
    {FailureRow::When::deep_sleep, FailureRow::Effect::keep},
    {FailureRow::When::operator_reset, FailureRow::Effect::keep},
    {FailureRow::When::otherwise, FailureRow::Effect::add_one},
};
std::string_view name(FailureRow::When when);
std::string_view name(FailureRow::Effect effect);

// How the last run ended, as far as the tables ask.
struct RunEnd {
  ResetCause cause = ResetCause::power_on;
  BootKind kind = BootKind::confirmed;
  bool in_order = false;
  ResetOrigin origin = ResetOrigin::application;
};

// Table 1: none to continue the trial.
[[nodiscard]] BadReason judge_trial(ResetCause ended_by, std::uint8_t attempts);

// Table 3.
struct ModeDecision {
  BootMode mode = BootMode::normal;
  std::uint8_t failed_boots = 0;
};
// `max_failed_boots` 0: never safe mode for failing.
[[nodiscard]] ModeDecision decide_mode(BootKind kind, ModeRequest request, std::uint8_t failed_boots,
                                       std::uint8_t max_failed_boots);

// Table 4. Saturates.
[[nodiscard]] std::uint8_t count_failed_boots(const RunEnd& end, std::uint8_t failed_boots);

}  // namespace mqboard::boot
