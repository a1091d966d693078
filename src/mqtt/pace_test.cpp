#include "mqtt/pace.hpp"

#include <gtest/gtest.h>

namespace mqboard::mqtt {
namespace {

constexpr Millis kWait{2};

TimePoint at(int ms) { return TimePoint(Millis(ms)); }

// How many full batches it takes until the next size is tried.
int batches_to_grow(Pace& pace, std::size_t most) {
  const std::size_t before = pace.size();
  for (int batches = 1; batches < 100'000; ++batches) {
    pace.filled(most);
    if (pace.size() > before) return batches;
  }
  return 0;
}

TEST(Pace, BeginsByActingOnEach) { EXPECT_EQ(Pace{}.size(), 1U); }

TEST(Pace, DoublesAfterManyFullBatchesUpToWhatIsUseful) {
  Pace pace;
  for (const std::size_t expected : {2U, 4U, 8U, 12U}) {
    EXPECT_GT(batches_to_grow(pace, 12), 10);
    EXPECT_EQ(pace.size(), expected);
  }
  EXPECT_EQ(batches_to_grow(pace, 12), 0);
}

TEST(Pace, NeverWaitsForMoreThanIsUsefulNow) {
  Pace pace;
  for (int size = 1; size < 16; size *= 2) batches_to_grow(pace, 16);
  ASSERT_EQ(pace.size(), 16U);
  pace.filled(3);
  EXPECT_EQ(pace.size(), 3U);
  pace.filled(0);
  EXPECT_EQ(pace.size(), 1U);
}

TEST(Pace, HalvesAtOnceWhenABatchDoesNotFillAndTriesAgainMoreRarely) {
  Pace pace;
  batches_to_grow(pace, 8);
  const int before = batches_to_grow(pace, 8);
  ASSERT_EQ(pace.size(), 4U);
  pace.starved();
  EXPECT_EQ(pace.size(), 2U);
  EXPECT_EQ(batches_to_grow(pace, 8), 2 * before);
  for (int i = 0; i < 100; ++i) pace.starved();
  EXPECT_EQ(pace.size(), 1U);
  EXPECT_EQ(batches_to_grow(pace, 8), 4096);
}

// --- InputPace

// One that has learned to sleep through `size` packets of four bytes, at `now`.
InputPace dense_input(std::size_t size, TimePoint now) {
  InputPace pace(kWait);
  const InputPace::Expected expected{size, 4};
  while (pace.low_water(expected, true, now) < size * 4) continue;
  return pace;
}

TEST(InputPace, PacketsInQuickSuccessionComeTogether) {
  InputPace pace = dense_input(8, at(100));
  EXPECT_EQ(pace.low_water({8, 4}, true, at(100)), 32U);
  EXPECT_EQ(pace.deadline(), at(102));
}

TEST(InputPace, PacketsFarApartWakeUpEach) {
  InputPace pace(kWait);
  for (int ms = 0; ms < 10'000; ms += 2) EXPECT_EQ(pace.low_water({8, 4}, true, at(ms)), 1U);
  EXPECT_EQ(pace.deadline(), kNever);
}

TEST(InputPace, NothingWaitsWhenOneIsExpectedOrNoWaitAllowed) {
  InputPace pace = dense_input(8, at(100));
  EXPECT_EQ(pace.low_water({1, 4}, true, at(100)), 1U);
  EXPECT_EQ(pace.deadline(), kNever);
  InputPace never(Millis{0});
  for (int i = 1; i < 1'000; ++i) EXPECT_EQ(never.low_water({8, 4}, true, at(5)), 1U);
}

TEST(InputPace, TheDeadlineStaysUntilSomethingIsRead) {
  InputPace pace = dense_input(8, at(100));
  pace.low_water({8, 4}, false, at(101));
  EXPECT_EQ(pace.deadline(), at(102));
  pace.low_water({8, 4}, true, at(102));
  EXPECT_EQ(pace.deadline(), at(104));
}

TEST(InputPace, InputFoundBelowTheMarkLowersIt) {
  InputPace pace = dense_input(8, at(100));
  pace.looked(true);
  EXPECT_EQ(pace.low_water({8, 4}, true, at(102)), 16U);
}

TEST(InputPace, AfterSilenceTheFirstPacketIsNewsAndTheSizeIsKept) {
  InputPace pace = dense_input(8, at(100));
  pace.looked(false);
  EXPECT_EQ(pace.low_water({8, 4}, false, at(102)), 1U);
  EXPECT_EQ(pace.deadline(), kNever);
  EXPECT_EQ(pace.low_water({8, 4}, true, at(500)), 32U);
}

// --- ExchangePace

// Twenty messages of 100 bytes taken over in each of three windows, answered and released: a dense stream.
ExchangePace dense_exchange(TimePoint now) {
  ExchangePace pace(kWait);
  for (int window = 3; window > 0; --window) {
    pace.read({.messages = 20, .bytes = 2'000, .taken = 20, .unreleased = 20}, now - window * kWait);
    pace.read({.bytes = 80}, now - window * kWait);
  }
  pace.read({}, now);
  pace.written();
  pace.looked(false);
  return pace;
}

TEST(ExchangePace, EachPubrecCallsForthAPubrelAndEachPubcompTheNextMessage) {
  ExchangePace pace = dense_exchange(at(100));
  pace.read({.messages = 5, .bytes = 500, .taken = 5, .unreleased = 5}, at(100));
  pace.written();
  EXPECT_EQ(pace.low_water(true, at(100)), 5 * 4U);
  pace.read({.bytes = 8, .unreleased = 3}, at(101));
  EXPECT_EQ(pace.low_water(true, at(101)), 3 * 4U) << "the PUBCOMPs have not left";
  pace.written();
  EXPECT_EQ(pace.low_water(false, at(101)), 3 * 4U + 2 * 100U);
}

TEST(ExchangePace, WaitsAMomentAtMostAndCountsOnNothingMoreWhenNothingCame) {
  ExchangePace pace = dense_exchange(at(100));
  pace.read({.messages = 5, .bytes = 500, .taken = 5, .unreleased = 5}, at(100));
  pace.written();
  pace.low_water(true, at(100));
  EXPECT_EQ(pace.deadline(), at(101));
  pace.low_water(false, at(101));
  EXPECT_EQ(pace.deadline(), at(101)) << "nothing was read";
  pace.looked(true);
  EXPECT_EQ(pace.low_water(true, at(101)), 5 * 4U) << "the rest is on its way";
  pace.looked(false);
  EXPECT_EQ(pace.low_water(false, at(101)), 1U);
  EXPECT_EQ(pace.deadline(), kNever);
}

TEST(ExchangePace, CountsOnMessagesAsSmallAsTheSmallestLately) {
  ExchangePace pace = dense_exchange(at(100));
  pace.read({.messages = 2, .bytes = 60, .taken = 2, .unreleased = 2}, at(100));
  pace.read({.messages = 2, .bytes = 2'000 + 2 * 4, .taken = 2, .unreleased = 2}, at(101));
  pace.written();
  EXPECT_EQ(pace.low_water(true, at(101)), 4 * 4U + 2 * 30U);
}

TEST(ExchangePace, MessagesFarApartWakeUpEach) {
  ExchangePace pace(kWait);
  for (int ms = 0; ms < 10'000; ms += 2) {
    pace.read({.messages = 1, .bytes = 100, .taken = 1, .unreleased = 1}, at(ms));
    pace.written();
    EXPECT_EQ(pace.low_water(true, at(ms)), 1U);
    pace.read({.bytes = 4}, at(ms));
    pace.written();
    EXPECT_EQ(pace.low_water(true, at(ms)), 1U);
  }
}

TEST(ExchangePace, ABurstAfterSilenceIsNotDense) {
  ExchangePace pace(kWait);
  pace.read({.messages = 20, .bytes = 2'000, .taken = 20, .unreleased = 20}, at(100));
  pace.read({.messages = 1, .bytes = 100, .taken = 1, .unreleased = 21}, at(5'000));
  pace.written();
  EXPECT_EQ(pace.low_water(true, at(5'000)), 1U);
}

TEST(ExchangePace, NothingWaitsWhenNoWaitIsAllowed) {
  ExchangePace pace(Millis{0});
  for (int i = 0; i < 1'000; ++i) {
    pace.read({.messages = 20, .bytes = 2'000, .taken = 20, .unreleased = 20}, at(5));
    pace.written();
    EXPECT_EQ(pace.low_water(true, at(5)), 1U);
  }
}

// --- AnswerPace

AnswerPace dense_answers(std::size_t size, TimePoint now) {
  AnswerPace pace(kWait);
  while (!pace.hold(size - 1, size, now)) continue;
  pace.release();
  return pace;
}

TEST(AnswerPace, AnswersInQuickSuccessionLeaveTogether) {
  AnswerPace pace = dense_answers(4, at(100));
  EXPECT_TRUE(pace.hold(1, 4, at(100)));
  EXPECT_TRUE(pace.hold(3, 4, at(101)));
  EXPECT_EQ(pace.deadline(), at(102));
  EXPECT_FALSE(pace.hold(4, 4, at(101)));
  EXPECT_EQ(pace.deadline(), kNever);
}

TEST(AnswerPace, AnswersFarApartLeaveAtOnce) {
  AnswerPace pace(kWait);
  for (int ms = 0; ms < 10'000; ms += 2) EXPECT_FALSE(pace.hold(1, 4, at(ms)));
}

TEST(AnswerPace, WhatDidNotFillInTimeMakesFewerWait) {
  AnswerPace pace = dense_answers(4, at(100));
  EXPECT_TRUE(pace.hold(2, 4, at(100)));
  pace.expire();
  EXPECT_EQ(pace.deadline(), kNever);
  EXPECT_FALSE(pace.hold(2, 4, at(102)));
}

}  // namespace
}  // namespace mqboard::mqtt
