#include "board/pins.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mqboard::board {
namespace {

using ::testing::ElementsAre;

struct PinsTest : ::testing::Test {
  std::vector<std::string> changes, writes;
  SimulatedPins pins{
      [this](auto pin, bool level) { changes.push_back(std::string(pin) + (level ? "+" : "-")); },
      [this](auto pin, bool level) { writes.push_back(std::string(pin) + (level ? "+" : "-")); }};

  bool level(std::string_view pin) { return pins.read(pin).value(); }
};

TEST_F(PinsTest, UntouchedPinIsALowInput) { EXPECT_FALSE(level("7")); }

TEST_F(PinsTest, OutputHoldsWhatWasWritten_EveryChangeIsReportedOnce) {
  ASSERT_TRUE(pins.configure("LED", {.mode = PinMode::out, .pull = {}, .level = {}}));
  ASSERT_TRUE(pins.write("LED", true));
  ASSERT_TRUE(pins.write("LED", true));
  EXPECT_TRUE(level("LED"));
  ASSERT_TRUE(pins.write("LED", false));
  EXPECT_FALSE(level("LED"));
  EXPECT_THAT(writes, ElementsAre("LED+", "LED-"));
}

TEST_F(PinsTest, ConfigureLeavesAloneWhatItDoesNotName) {
  ASSERT_TRUE(pins.configure("1", {.mode = PinMode::out, .pull = {}, .level = true}));
  ASSERT_TRUE(pins.configure("1", {.mode = {}, .pull = PinPull::up, .level = {}}));
  EXPECT_TRUE(level("1"));
  ASSERT_TRUE(pins.write("1", false));
  EXPECT_FALSE(level("1"));
}

TEST_F(PinsTest, InputFollowsItsPullUntilItIsDriven) {
  ASSERT_TRUE(pins.configure("2", {.mode = PinMode::in, .pull = PinPull::up, .level = {}}));
  EXPECT_TRUE(level("2"));
  ASSERT_TRUE(pins.drive("2", false));
  EXPECT_FALSE(level("2"));
  ASSERT_TRUE(pins.write("2", true));
  EXPECT_FALSE(level("2"));
}

TEST_F(PinsTest, OpenDrainPullsDownOrLetsGo) {
  ASSERT_TRUE(pins.configure("3", {.mode = PinMode::open_drain, .pull = PinPull::up, .level = false}));
  EXPECT_FALSE(level("3"));
  ASSERT_TRUE(pins.write("3", true));
  EXPECT_TRUE(level("3"));
  ASSERT_TRUE(pins.drive("3", false));
  EXPECT_FALSE(level("3"));
}

TEST_F(PinsTest, OnlyWatchedEdgesAreReported) {
  ASSERT_TRUE(pins.drive("4", true));
  ASSERT_TRUE(pins.watch("4", PinEdges::falling));
  ASSERT_TRUE(pins.drive("4", false));
  ASSERT_TRUE(pins.drive("4", true));
  ASSERT_TRUE(pins.watch("4", PinEdges::both));
  ASSERT_TRUE(pins.drive("4", false));
  ASSERT_TRUE(pins.drive("4", false));
  ASSERT_TRUE(pins.watch("4", PinEdges::none));
  ASSERT_TRUE(pins.drive("4", true));
  EXPECT_THAT(changes, ElementsAre("4-", "4-"));
}

TEST_F(PinsTest, NamesAndNumberOfPinsAreBounded) {
  EXPECT_EQ(pins.read("").error().type, python::Exception::Type::value_error);
  EXPECT_FALSE(pins.write(std::string(33, 'x'), true));
  for (std::size_t i = 0; i < SimulatedPins::kMaxPins; ++i) ASSERT_TRUE(pins.read(std::to_string(i)));
  EXPECT_FALSE(pins.read("one more"));
  EXPECT_TRUE(pins.read("0"));
}

}  // namespace
}  // namespace mqboard::board
