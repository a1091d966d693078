#include "cli/progress.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

using namespace std::chrono_literals;

TEST(HumanBytes, RoundsToFourFigures) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(999.6), "1.0 kB");
  EXPECT_EQ(human_bytes(1500), "1.5 kB");
  EXPECT_EQ(human_bytes(999'949), "999.9 kB");
  EXPECT_EQ(human_bytes(999'951), "1.0 MB");
  EXPECT_EQ(human_bytes(64e9), "64.0 GB");
}

TEST(HumanDuration, ShowsHoursOnlyWhenThereAreAny) {
  EXPECT_EQ(human_duration(7s), "0:07");
  EXPECT_EQ(human_duration(67s), "1:07");
  EXPECT_EQ(human_duration(3661s), "1:01:01");
}

TEST(ProgressLine, Half_ShowsBarRateAndTimeLeft) {
  EXPECT_EQ(progress_line("main.bin", 500'000, 1'000'000, 250'000, 80),
            "main.bin [==========          ]  50% 500.0 kB 250.0 kB/s    0:02");
}

TEST(ProgressLine, UnknownTotal_ShowsAmountAndRate) {
  EXPECT_EQ(progress_line("x", 1000, std::nullopt, 10, 80), "x   1.0 kB     10 B/s");
}

TEST(ProgressLine, NeverExceedsTheTerminal) {
  const std::string name(200, 'n');
  for (unsigned columns = 0; columns < 120; ++columns) {
    for (const std::uint64_t done : {0ULL, 1ULL, 999'999ULL, 1'000'000ULL, 2'000'000ULL}) {
      EXPECT_LE(progress_line(name, done, 1'000'000, 12'345, columns).size(), columns);
    }
  }
}

TEST(ProgressLine, LongName_KeepsItsEnd) {
  const std::string line = progress_line("a/very/long/path/that/does/not/fit/here/main.py", 1, 2, 1, 60);
  EXPECT_TRUE(line.starts_with("...")) << line;
  EXPECT_NE(line.find("main.py"), std::string::npos) << line;
}

TEST(ProgressLine, EmptyFile_IsWhole) {
  EXPECT_NE(progress_line("x", 0, 0, 1, 80).find("100%"), std::string::npos);
}

}  // namespace
}  // namespace mqboard::cli
