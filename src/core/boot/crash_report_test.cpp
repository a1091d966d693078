#include "core/boot/crash_report.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/utf8.hpp"

namespace mqboard::boot {
namespace {

CrashReport sample() {
  return {.cause = CrashCause::watchdog,
          .detail = "not patted for 60000 ms",
          .firmware = "1.4.2",
          .image = "a trial normal",
          .boot_count = 17,
          .uptime_ms = 123456,
          .time_s = 1790000000,
          .traceback = "Traceback (most recent call last):\n  File \"x\", line 1\n",
          .backtrace = "",
          .log = "I blinky: on\nI blinky: off\n"};
}

std::string text_of(const CrashReport& report, std::size_t room = kMaxCrashReport) {
  std::vector<std::uint8_t> buffer(room);
  return std::string(as_text(encode(report, buffer)));
}

TEST(CrashReportTest, Report_ReadsAsDocumented) {
  EXPECT_EQ(text_of(sample()),
            "mqboard crash report 1\n"
            "cause: watchdog\n"
            "detail: not patted for 60000 ms\n"
            "firmware: 1.4.2\n"
            "image: a trial normal\n"
            "boot: 17\n"
            "uptime_ms: 123456\n"
            "time_s: 1790000000\n"
            "[traceback 54]\n"
            "Traceback (most recent call last):\n  File \"x\", line 1\n\n"
            "[backtrace 0]\n\n"
            "[log 27]\n"
            "I blinky: on\nI blinky: off\n\n");
}

TEST(CrashReportTest, Report_DecodesToItselfAndOnlyWhole) {
  const std::string text = text_of(sample());
  const auto report = decode_crash_report(as_bytes(text));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->cause, CrashCause::watchdog);
  EXPECT_EQ(report->detail, sample().detail);
  EXPECT_EQ(report->image, sample().image);
  EXPECT_EQ(report->boot_count, 17u);
  EXPECT_EQ(report->uptime_ms, 123456u);
  EXPECT_EQ(report->traceback, sample().traceback);
  EXPECT_EQ(report->log, sample().log);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_crash_report(as_bytes(text.substr(0, size)))) << size;
  }
  EXPECT_FALSE(decode_crash_report(as_bytes(text + "x")));
}

TEST(CrashReportTest, LongSections_KeepWhatTellsMost) {
  CrashReport report = sample();
  const std::string traceback = std::string(20000, 't') + "TypeError";
  const std::string backtrace = "#0 here" + std::string(20000, 'b');
  const std::string log = std::string(20000, 'l') + "last line\n";
  report.traceback = traceback;
  report.backtrace = backtrace;
  report.log = log;
  for (const std::size_t room : {std::size_t{1024}, kMaxCrashReport, std::size_t{100'000}}) {
    const std::string text = text_of(report, room);
    EXPECT_LE(text.size(), std::min(room, kMaxCrashReport));
    const auto decoded = decode_crash_report(as_bytes(text));
    ASSERT_TRUE(decoded.has_value()) << room;
    EXPECT_TRUE(decoded->traceback.ends_with("TypeError"));
    EXPECT_TRUE(decoded->backtrace.starts_with("#0 here"));
    EXPECT_TRUE(decoded->log.ends_with("last line\n"));
  }
}

TEST(CrashReportTest, HostileText_CannotForgeAHeaderNorBreakUtf8) {
  CrashReport report = sample();
  report.detail = "one\ncause: signal";
  report.traceback = "\xff\xfe ok \x1b[31m\xc3\xa4\xc3";
  const std::string text = text_of(report);
  EXPECT_TRUE(is_utf8(as_bytes(text)));
  const auto decoded = decode_crash_report(as_bytes(text));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->detail, "one?cause: signal");
  EXPECT_EQ(decoded->traceback, "?? ok ?[31m\xc3\xa4?");
}

TEST(CrashReportTest, CrashNote_IsSplitAtItsMarks) {
  const auto both = split_crash_note("[traceback]\nT1\nT2\n[backtrace]\nB\n");
  EXPECT_EQ(both.traceback, "T1\nT2\n");
  EXPECT_EQ(both.backtrace, "B\n");
  EXPECT_EQ(split_crash_note("[backtrace]\nB\n").backtrace, "B\n");
  EXPECT_EQ(split_crash_note("B\n").backtrace, "B\n");
  const auto swapped = split_crash_note("[backtrace]\nB\n[traceback]\nT\n");
  EXPECT_EQ(swapped.traceback, "T\n");
  EXPECT_EQ(swapped.backtrace, "B\n");
  EXPECT_EQ(split_crash_note("").traceback, "");
}

TEST(CrashReportTest, CrashNoteWithACause_HasItApartFromTheBacktrace) {
  const auto note = split_crash_note("cause: cpp_exception std::logic_error: oh\n[backtrace]\nB\n");
  EXPECT_EQ(note.cause, CrashCause::cpp_exception);
  EXPECT_EQ(note.detail, "std::logic_error: oh");
  EXPECT_EQ(note.backtrace, "B\n");
  EXPECT_EQ(split_crash_note("cause: out_of_memory").cause, CrashCause::out_of_memory);
  EXPECT_EQ(split_crash_note("cause: out_of_memory").backtrace, "");
  EXPECT_FALSE(split_crash_note("cause: weather fine\nB\n").cause);
  EXPECT_FALSE(split_crash_note("B\n").cause);
}

TEST(CrashReportTest, Cause_HasANameThatReadsBack) {
  for (int i = 0; i <= static_cast<int>(CrashCause::exit_status); ++i) {
    EXPECT_EQ(crash_cause(name(static_cast<CrashCause>(i))), static_cast<CrashCause>(i));
  }
  EXPECT_FALSE(crash_cause("bad luck"));
}

}  // namespace
}  // namespace mqboard::boot
