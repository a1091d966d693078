#include "core/log/log_buffer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mqboard::log {
namespace {

std::string line(const Record& record, std::optional<WallClock> clock = std::nullopt) {
  std::array<std::uint8_t, kMaxLine> buffer{};
  return std::string(format_line(record, clock, buffer));
}

TEST(Line, IsAsTheOriginalWritesIt) {
  EXPECT_EQ(line({Level::info, Millis(1532), "main", "Logging to esp32/kitchen/log"}),
            "I 1532     main: Logging to esp32/kitchen/log");
  EXPECT_EQ(line({Level::critical, Millis(0), "a_long_logger", "x"}), "C 0 a_long_logger: x");
  EXPECT_EQ(line({Level::debug, Millis(7), "", ""}), "D 7         : ");
}

TEST(Line, ShowsTheTimeOfDayOnceItIsKnown) {
  const WallClock clock{.boot_ms = (23 * 3600 + 59 * 60 + 58) * 1000 + 900};
  EXPECT_EQ(line({Level::warning, Millis(17), "mqtt", "x"}, clock), "W 23:59:58.917     mqtt: x");
  EXPECT_EQ(line({Level::error, Millis(1'100), "mqtt", "x"}, clock), "E 00:00:00.000     mqtt: x");
  EXPECT_EQ(line({Level::error, Millis(0), "mqtt", "x"}, WallClock{.boot_ms = -1}),
            "E 23:59:59.999     mqtt: x");
}

TEST(Line, ReplacesWhatATerminalOrADecoderWouldStumbleOver) {
  EXPECT_EQ(line({Level::info, Millis(1), "main", "a\tb \x1b[31m \xC3\xBC \xff\xC3 \x7f"}),
            "I 1     main: a\tb \xEF\xBF\xBD[31m \xC3\xBC \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD");
}

TEST(Line, IsCutAtACharacterWhenTheBufferIsShort) {
  std::array<std::uint8_t, 17> buffer{};
  EXPECT_EQ(format_line({Level::info, Millis(1), "main", "ab\xC3\xBC"}, std::nullopt, buffer),
            "I 1     main: ab");
}

TEST(LevelText, IsParsedInEveryUsualForm) {
  for (const char* text : {"warning", "WARNING", "W", "w", "30", "35"})
    EXPECT_EQ(parse_level(text), Level::warning) << text;
  for (const char* text : {"", "warn", "60", "-1", "3x"}) EXPECT_FALSE(parse_level(text)) << text;
  EXPECT_EQ(parse_level("0"), Level::not_set);
  EXPECT_EQ(from_python(55), Level::critical);
  EXPECT_EQ(python_level(Level::error), 40);
  EXPECT_EQ(letter(Level::debug), 'D');
}

TEST(LevelTable, NamesLoggersAndHasADefault) {
  Levels levels;
  EXPECT_EQ(levels.of("main"), Level::info);
  EXPECT_TRUE(levels.set("main", Level::debug));
  EXPECT_TRUE(levels.set("", Level::error));
  EXPECT_EQ(levels.of("main"), Level::debug);
  EXPECT_EQ(levels.of("mai"), Level::error);
  EXPECT_TRUE(levels.set("main", Level::not_set));
  EXPECT_EQ(levels.of("main"), Level::error);
}

TEST(LevelTable, ALoggerBelowAnotherHasItsLevel) {
  Levels levels;
  levels.set("a", Level::error);
  levels.set("a.b.c", Level::debug);
  EXPECT_EQ(levels.of("a.b"), Level::error);
  EXPECT_EQ(levels.of("a.b.c.d.e"), Level::debug);
  EXPECT_EQ(levels.of("a.bc"), Level::error);
  for (const char* other : {"ab.c", ".a", "b.a"}) EXPECT_EQ(levels.of(other), Level::info) << other;
  levels.set("a.b.c", Level::not_set);
  EXPECT_EQ(levels.of("a.b.c.d"), Level::error);
}

TEST(LevelTable, IsBounded) {
  Levels levels;
  for (std::size_t i = 0; i < Levels::kMaxLoggers; ++i)
    EXPECT_TRUE(levels.set("l" + std::to_string(i), Level::debug));
  EXPECT_FALSE(levels.set("more", Level::debug));
  EXPECT_TRUE(levels.set("l5", Level::error));
  EXPECT_FALSE(levels.set(std::string(kMaxLogger + 1, 'x'), Level::debug));
  std::size_t count = 0;
  while (levels.entry(count)) ++count;
  EXPECT_EQ(count, Levels::kMaxLoggers + 1);
}

class LogBufferTest : public ::testing::Test {
 protected:
  void write(Level level, std::string_view text, std::string_view logger = "main") {
    buffer.write({.level = level, .since_boot = Millis(1), .logger = logger, .text = text});
  }
  std::vector<std::string> take_all() {
    std::vector<std::string> all;
    while (const auto entry = buffer.take()) {
      all.emplace_back(entry->record.text);
      last = entry->sequence;
    }
    return all;
  }
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(4096);
  LogBuffer buffer{memory, {.boot_bytes = 10 * 32, .loop_bytes = 3 * 32, .loop_level = Level::warning}};
  std::uint32_t last = 0;
};

using Texts = std::vector<std::string>;

TEST_F(LogBufferTest, EachLineIsARecord) {
  write(Level::error, "Traceback:\r\n  File x\n\nValueError\n\n");
  EXPECT_EQ(take_all(), (Texts{"Traceback:", "  File x", "", "ValueError"}));
}

TEST_F(LogBufferTest, LevelsDecideWhatIsKept) {
  write(Level::debug, "no");
  buffer.levels().set("chatty", Level::debug);
  write(Level::debug, "yes", "chatty");
  EXPECT_EQ(take_all(), Texts{"yes"});
  EXPECT_TRUE(buffer.enabled("main", Level::info));
  EXPECT_FALSE(buffer.enabled("main", Level::debug));
}

TEST_F(LogBufferTest, WhatItsLoggerHasDecidedOnIsKeptUnlessTheBufferTakesNothingOfThatLevel) {
  buffer.keep({.level = Level::debug, .since_boot = Millis(1), .logger = "main", .text = "yes"});
  EXPECT_EQ(take_all(), Texts{"yes"});
  buffer.connected();
  buffer.keep({.level = Level::info, .since_boot = Millis(1), .logger = "main", .text = "no"});
  EXPECT_EQ(take_all(), Texts{});
}

TEST_F(LogBufferTest, SecretsAreBlackened) {
  EXPECT_TRUE(buffer.secrets().add("hunter22"));
  EXPECT_TRUE(buffer.secrets().add("hunter"));
  EXPECT_FALSE(buffer.secrets().add("abc"));
  write(Level::info, "password=hunter22, hunterhunter, hunte");
  EXPECT_EQ(take_all(), Texts{"password=***, ******, hunte"});
}

TEST_F(LogBufferTest, ASecretAtTheCutIsNotShownInPart) {
  buffer.configure({.boot_bytes = 4096, .loop_bytes = 4096});
  ASSERT_TRUE(buffer.secrets().add("hunter22"));
  write(Level::info, std::string(kMaxText - 4, 'x') + "hunter22");
  for (const std::string& text : take_all()) EXPECT_EQ(text.find("hunt"), std::string::npos);
}

TEST_F(LogBufferTest, ATextIsPartedBeforeASecretItMightCut) {
  ASSERT_TRUE(buffer.secrets().add("hunter22"));
  ASSERT_TRUE(buffer.secrets().add("cathunt"));
  const auto parted = [this](std::string_view text) {
    return text.substr(0, buffer.secrets().separable(text));
  };
  EXPECT_EQ(parted("nothing of the kind"), "nothing of the kind");
  EXPECT_EQ(parted("whole: hunter22"), "whole: hunter22");
  EXPECT_EQ(parted("begun: hunter2"), "begun: ");
  EXPECT_EQ(parted("begun: h"), "begun: ");
  EXPECT_EQ(parted("overlapping: cathunter2"), "overlapping: ");
  EXPECT_EQ(parted("hunter2"), "");
  EXPECT_EQ(parted(""), "");
}

TEST_F(LogBufferTest, TheBootBufferIsDeliveredWholeAlthoughTheLoopBufferIsSmaller) {
  for (int i = 0; i < 10; ++i) write(Level::info, std::to_string(i));
  buffer.connected();
  write(Level::warning, "next");  // costs one boot record: the boot buffer is full
  EXPECT_EQ(take_all(), (Texts{"1", "2", "3", "4", "5", "6", "7", "8", "9", "next"}));
  buffer.acknowledge(last);
  for (int i = 0; i < 10; ++i) write(Level::warning, std::to_string(i));
  EXPECT_EQ(take_all(), (Texts{"7", "8", "9"}));
}

TEST_F(LogBufferTest, AfterTheFirstConnectionTheLoopLevelCounts) {
  buffer.connected();
  write(Level::info, "no");
  write(Level::warning, "yes");
  EXPECT_EQ(take_all(), Texts{"yes"});
}

TEST_F(LogBufferTest, NothingIsLostAcrossAReconnect) {
  buffer.connected();
  write(Level::warning, "a");
  write(Level::warning, "b");
  const auto first = buffer.take();
  static_cast<void>(buffer.take());
  buffer.acknowledge(first->sequence);
  buffer.rewind();
  write(Level::warning, "c");
  EXPECT_EQ(take_all(), (Texts{"b", "c"}));
}

}  // namespace
}  // namespace mqboard::log
