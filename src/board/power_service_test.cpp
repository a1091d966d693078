#include "board/power_service.hpp"

#include <gtest/gtest.h>

namespace mqboard::board {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1'000'000ms};
constexpr PowerConfig kPeriodic{.wake_every = 600s, .stay_awake = 10s};

Ending asleep_for(Millis time) {
  return {.request = boot::ResetRequest::deep_sleep, .origin = boot::ResetOrigin::application, .sleep = time};
}

std::optional<Millis> sleep(const PowerService& power, TimePoint now, const PowerService::Facts& facts = {}) {
  const auto ending = power.due(now, facts);
  return ending ? std::optional(ending->sleep) : std::nullopt;
}

TEST(Power, WithoutAPeriod_TheBoardStaysAwake) {
  PowerService power({}, kStart);
  power.connected(kStart);
  EXPECT_EQ(sleep(power, kStart + 24h), std::nullopt);
}

TEST(Power, SleepsAfterItsWindowUntilTheNextMultipleOfThePeriod) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart + 2s);
  EXPECT_EQ(sleep(power, kStart + 12s - 1ms), std::nullopt);
  EXPECT_EQ(sleep(power, kStart + 12s), 588s);
  EXPECT_EQ(power.due(kStart + 12s, {})->request, boot::ResetRequest::deep_sleep);
}

TEST(Power, EveryMessageOfAnOperatorBeginsTheWindowAnew) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  power.operator_acted(kStart + 9s);
  EXPECT_EQ(sleep(power, kStart + 18s), std::nullopt);
  EXPECT_EQ(sleep(power, kStart + 19s), 581s);
}

TEST(Power, AReconnectDoesNotBeginTheWindowAnew) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  power.connected(kStart + 9s);
  EXPECT_TRUE(sleep(power, kStart + 10s));
}

TEST(Power, WhatIsBeingDoneForAnOperatorIsWaitedFor) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  EXPECT_EQ(sleep(power, kStart + 1h, {.serving = true}), std::nullopt);
  EXPECT_TRUE(sleep(power, kStart + 1h));
}

TEST(Power, ATransferKeepsTheBoardAwakeWhileItsOperatorIsHeard) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  power.operator_acted(kStart + 5s);
  EXPECT_EQ(sleep(power, kStart + 64s, {.transferring = true}), std::nullopt);
  EXPECT_TRUE(sleep(power, kStart + 65s, {.transferring = true}));
}

TEST(Power, AwakeForLongerThanThePeriod_TheNextMultipleCounts) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  EXPECT_EQ(sleep(power, kStart + 610s), 590s);
  EXPECT_EQ(sleep(power, kStart + 1200s - 10ms), PowerService::kLeastSleep);
}

TEST(Power, WithoutAConnectionTheBoardSleepsAsWell) {
  PowerService power(kPeriodic, kStart);
  EXPECT_EQ(sleep(power, kStart + 60s - 1ms), std::nullopt);
  EXPECT_EQ(sleep(power, kStart + 60s), 540s);
}

TEST(Power, OnTrialOrInSafeMode_OnlyTheApplicationsWishCounts) {
  PowerService power(kPeriodic, kStart);
  power.connected(kStart);
  EXPECT_EQ(sleep(power, kStart + 1h, {.on_trial = true}), std::nullopt);
  power.ask(asleep_for(5s));
  EXPECT_EQ(sleep(power, kStart + 1h, {.on_trial = true, .manageable = true}), 5s);
}

TEST(Power, TheApplicationsWishIsGrantedAtOnceUnlessAnOperatorIsAtWork) {
  PowerService power({}, kStart);
  power.ask(asleep_for(7s));
  EXPECT_EQ(sleep(power, kStart, {.serving = true, .manageable = true}), std::nullopt);
  EXPECT_EQ(sleep(power, kStart + 1s, {.manageable = true}), 7s);
}

TEST(Power, TheApplicationsWishWaitsUntilTheBoardCouldBeReached) {
  PowerService power({}, kStart);
  power.ask(asleep_for(7s));
  EXPECT_EQ(sleep(power, kStart + 20s - 1ms), std::nullopt);
  EXPECT_EQ(sleep(power, kStart + 1s, {.manageable = true}), 7s);
  EXPECT_EQ(sleep(power, kStart + 20s), 7s) << "without a connection it sleeps all the same";
}

TEST(Power, AnOperatorWhoIsComingIsWaitedForForAWindow) {
  for (const PowerConfig& config : {PowerConfig{.stay_awake = 10s}, kPeriodic}) {
    PowerService power(config, kStart);
    power.connected(kStart);
    power.stay_awake(kStart + 5s);
    if (config.wake_every == 0s) power.ask(asleep_for(7s));
    EXPECT_EQ(sleep(power, kStart + 15s - 1ms, {.manageable = true}), std::nullopt);
    EXPECT_TRUE(sleep(power, kStart + 15s, {.manageable = true}));
  }
}

}  // namespace
}  // namespace mqboard::board
