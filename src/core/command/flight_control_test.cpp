#include "core/command/flight_control.hpp"

#include <gtest/gtest.h>

namespace mqboard::command {
namespace {

class FlightControlTest : public ::testing::Test {
 protected:
  void measure(Millis round_trip, bool limited = true) {
    now += round_trip;
    flight.measured(round_trip, limited, now);
  }

  TimePoint now{Millis(1'000'000)};
  FlightControl flight{{.least = 1'000, .first = 4'000, .most = 100'000}};
};

TEST_F(FlightControlTest, WhilePathTakesItsUsualTime_Doubles) {
  measure(Millis(100));
  EXPECT_EQ(flight.bytes(), 8'000u);
  for (int i = 0; i < 10; ++i) measure(Millis(110));
  EXPECT_EQ(flight.bytes(), 100'000u) << "up to the most";
}

TEST_F(FlightControlTest, WhileSomethingElseHoldsTheSenderBack_Stays) {
  measure(Millis(100), false);
  EXPECT_EQ(flight.bytes(), 4'000u);
}

TEST_F(FlightControlTest, WhenQueuesGrow_ShrinksToWhatThePathCarries) {
  measure(Millis(10));
  measure(Millis(10));
  EXPECT_EQ(flight.bytes(), 16'000u);
  measure(Millis(120));
  EXPECT_EQ(flight.bytes(), 8'000u) << "what takes no longer than the 60 ms it may";
  measure(Millis(59));
  EXPECT_EQ(flight.bytes(), 8'000u) << "as long as it may: neither grows nor shrinks";
  measure(Millis(60'000));
  EXPECT_EQ(flight.bytes(), 1'000u) << "down to the least";
}

TEST_F(FlightControlTest, APathThatBecameLonger_IsBelievedAfterAWhile) {
  measure(Millis(10));
  for (int i = 0; i < 100; ++i) measure(Millis(300));
  EXPECT_EQ(flight.bytes(), 100'000u);
}

TEST_F(FlightControlTest, NowAndThenTheQueueIsDrainedToSeeThePath) {
  for (int i = 0; i < 99; ++i) measure(Millis(100));
  EXPECT_EQ(flight.bytes(), 100'000u);
  measure(Millis(10'000));
  EXPECT_EQ(flight.bytes(), 1'000u);
  measure(Millis(100));
  EXPECT_EQ(flight.bytes(), 1'000u);
  measure(Millis(100));
  EXPECT_EQ(flight.bytes(), 100'000u) << "back where it was";
}

TEST_F(FlightControlTest, LossHalves) {
  flight.lost();
  EXPECT_EQ(flight.bytes(), 2'000u);
  flight.lost();
  flight.lost();
  EXPECT_EQ(flight.bytes(), 1'000u);
}

// A path of 1.5 MB/s with 4 ms of its own: what is under way stays a fraction of a second's worth, for long.
TEST_F(FlightControlTest, ASlowPathIsFilledButNotFlooded) {
  FlightControl slow({});
  for (int i = 0; i < 3'000; ++i) {
    const std::uint32_t ahead = i == 0 ? slow.bytes() / 4 : slow.bytes();  // of the frame that is timed
    const Millis round_trip(4 + ahead / 1'500);
    now += round_trip;
    slow.measured(round_trip, true, now);
    if (i > 10) {
      EXPECT_LE(slow.bytes(), 150'000u);
    }
  }
}

}  // namespace
}  // namespace mqboard::command
