#include "core/boot/boot_table.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace mqboard::boot {
namespace {

std::string cell(std::string_view text) { return "| " + std::string(text) + " "; }

std::string trial_table() {
  std::string table = "| the trial ended by | the slot |\n|---|---|\n";
  for (const TrialRow& row : kTrialTable) {
    const std::string verdict = row.verdict == BadReason::none
                                    ? "continues its trial; bad (attempts) when it was started " +
                                          std::to_string(kMaxTrialAttempts) + " times"
                                    : "bad (" + std::string(name(row.verdict)) + ")";
    table += cell(name(row.ended_by)) + cell(verdict) + "|\n";
  }
  return table;
}

std::string candidate_table() {
  std::string table = "| | candidate | starts as | when its image does not verify |\n|---|---|---|---|\n";
  int rank = 0;
  for (const CandidateRow& row : kCandidateTable) {
    table += cell(std::to_string(++rank)) + cell(name(row.candidate)) + cell(name(row.kind)) +
             cell(row.bad_when_unverifiable ? "bad (unverifiable)" : "passed over") + "|\n";
  }
  return table;
}

std::string mode_table() {
  std::string table = "| when | mode | failed boots |\n|---|---|---|\n";
  for (const ModeRow& row : kModeTable) {
    table += cell(name(row.when)) + cell(name(row.mode)) + cell(row.clears_failed_boots ? "0" : "unchanged") +
             "|\n";
  }
  return table;
}

std::string failure_table() {
  std::string table = "| the last run | failed boots |\n|---|---|\n";
  for (const FailureRow& row : kFailureTable) table += cell(name(row.when)) + cell(name(row.effect)) + "|\n";
  return table;
}

TEST(BootTableTest, EveryTable_StandsInTheDocumentationAsInTheCode) {
  std::ifstream file(MQB_SOURCE_DIR "/docs/BOOT.md");
  ASSERT_TRUE(file) << "docs/BOOT.md is missing";
  std::stringstream docs;
  docs << file.rdbuf();
  for (const std::string& table : {trial_table(), candidate_table(), mode_table(), failure_table()}) {
    EXPECT_NE(docs.str().find("\n" + table + "\n"), std::string::npos) << "docs/BOOT.md lacks this table:\n"
                                                                       << table;
  }
}

TEST(BootTableTest, TrialInterruptedByPower_ContinuesUntilItsAttemptsAreUsedUp) {
  EXPECT_EQ(judge_trial(ResetCause::power_on, 1), BadReason::none);
  EXPECT_EQ(judge_trial(ResetCause::deep_sleep, 2), BadReason::none);
  EXPECT_EQ(judge_trial(ResetCause::power_on, 3), BadReason::attempts);
}

TEST(BootTableTest, TrialEndedByItsOwnFault_IsBadAtOnce) {
  EXPECT_EQ(judge_trial(ResetCause::crash, 1), BadReason::crash);
  EXPECT_EQ(judge_trial(ResetCause::watchdog, 1), BadReason::watchdog);
  EXPECT_EQ(judge_trial(ResetCause::hard_reset, 1), BadReason::reset);
  EXPECT_EQ(judge_trial(ResetCause::soft_reset, 1), BadReason::reset);
}

TEST(BootTableTest, FailedBootsAtTheLimit_LeadToSafeModeForEveryKind) {
  for (const BootKind kind : {BootKind::trial, BootKind::confirmed, BootKind::factory}) {
    EXPECT_EQ(decide_mode(kind, ModeRequest::none, 2, 3).mode, BootMode::normal);
    EXPECT_EQ(decide_mode(kind, ModeRequest::none, 3, 3).mode, BootMode::safe);
    EXPECT_EQ(decide_mode(kind, ModeRequest::none, 3, 3).failed_boots, 3);
  }
}

TEST(BootTableTest, LimitOfZero_NeverLeadsToSafeMode) {
  EXPECT_EQ(decide_mode(BootKind::confirmed, ModeRequest::none, 255, 0).mode, BootMode::normal);
}

TEST(BootTableTest, RequestedMode_WinsOverTheCount) {
  EXPECT_EQ(decide_mode(BootKind::confirmed, ModeRequest::safe, 0, 3).mode, BootMode::safe);
  const ModeDecision normal = decide_mode(BootKind::confirmed, ModeRequest::normal, 5, 3);
  EXPECT_EQ(normal.mode, BootMode::normal);
  EXPECT_EQ(normal.failed_boots, 0);
}

TEST(BootTableTest, LastResort_StartsInSafeModeWhateverIsRequested) {
  EXPECT_EQ(decide_mode(BootKind::last_resort, ModeRequest::normal, 0, 3).mode, BootMode::safe);
}

TEST(BootTableTest, FailedBoots_CountRunsThatEndedBeforeTheyWereInOrder) {
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::crash}, 1), 2);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::watchdog}, 1), 2);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::hard_reset}, 1), 2);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::hard_reset, .origin = ResetOrigin::operator_}, 1), 1);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::crash, .origin = ResetOrigin::operator_}, 1), 2);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::deep_sleep}, 1), 1);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::power_on}, 1), 0);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::crash, .in_order = true}, 2), 0);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::crash, .kind = BootKind::trial}, 2), 2);
  EXPECT_EQ(count_failed_boots({.cause = ResetCause::crash}, 255), 255);
}

}  // namespace
}  // namespace mqboard::boot
