#include "cli/log_line.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

TEST(LogLine, OriginalsFormat_IsTakenApart) {
  const LogLine line = parse_log_line("W 12345     main: it went wrong: why\n");
  EXPECT_EQ(line.severity, Severity::warning);
  EXPECT_EQ(line.time, "12345");
  EXPECT_EQ(line.logger, "main");
  EXPECT_EQ(line.text, "it went wrong: why");
  EXPECT_EQ(line.whole, "W 12345     main: it went wrong: why");
}

TEST(LogLine, ClockTime_IsATimeToo) {
  const LogLine line = parse_log_line("E 12:34:56.789 app.net: gone");
  EXPECT_EQ(line.severity, Severity::error);
  EXPECT_EQ(line.time, "12:34:56.789");
  EXPECT_EQ(line.logger, "app.net");
  EXPECT_EQ(line.text, "gone");
}

TEST(LogLine, TerminalEscapesOfTheOriginal_AreRemoved) {
  const LogLine line = parse_log_line("\x1b[31;1mE 1 a: b\x1b[0m\r\n");
  EXPECT_EQ(line.severity, Severity::error);
  EXPECT_EQ(line.whole, "E 1 a: b");
}

TEST(LogLine, Traceback_StaysWithItsLine) {
  const LogLine line =
      parse_log_line("E 1 a: failed\nTraceback (most recent call last):\n  File \"x\"\nValueError: 1\n");
  EXPECT_EQ(line.severity, Severity::error);
  EXPECT_EQ(line.text, "failed\nTraceback (most recent call last):\n  File \"x\"\nValueError: 1");
}

TEST(LogLine, AnythingElse_IsTextWithoutSeverity) {
  for (const char* text : {"hello", "", "X 1 a: b", "Error: x", "W", "DEADBEEF 1"}) {
    const LogLine line = parse_log_line(text);
    EXPECT_FALSE(line.severity) << text;
    EXPECT_EQ(line.text, text);
  }
}

TEST(LogLine, SeverityWithoutTimeOrName_KeepsItsText) {
  const LogLine line = parse_log_line("I just saying");
  EXPECT_EQ(line.severity, Severity::info);
  EXPECT_EQ(line.time, "");
  EXPECT_EQ(line.logger, "");
  EXPECT_EQ(line.text, "just saying");
}

TEST(LogLine, Json_NamesEverything) {
  const auto json = to_json(parse_log_line("C 7 boot: no"), "a/log", "2024-01-01T00:00:00.000Z");
  EXPECT_EQ(json.text,
            R"({"received": "2024-01-01T00:00:00.000Z", "topic": "a/log", "level": "critical", "time": "7", )"
            R"("name": "boot", "message": "no"})");
}

TEST(Severity, IsNamedInAnyUsualWay) {
  for (const char* text : {"warning", "WARN", "w", "W", "30"})
    EXPECT_EQ(parse_severity(text), Severity::warning) << text;
  EXPECT_FALSE(parse_severity("loud"));
}

}  // namespace
}  // namespace mqboard::cli
