#include "core/boot/rtc.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/boot/death.hpp"

namespace mqboard::boot {
namespace {

class RtcTest : public testing::Test {
 protected:
  RtcTest() : words_(kRtcBytes / sizeof(std::uint64_t)), rtc_(region()) {}

  MutableBytes region() { return {reinterpret_cast<std::uint8_t*>(words_.data()), kRtcBytes}; }

  std::vector<std::uint64_t> words_;
  RtcMemory rtc_;
};

SystemRecord sample_system() {
  return {.boot_count = 12,
          .cause = ResetCause::watchdog,
          .choice = {.image = BootImage::b,
                     .kind = BootKind::confirmed,
                     .mode = BootMode::safe,
                     .failed_boots = 3,
                     .version = *Label::make("2.0")},
          .max_failed_boots = 3,
          .machine_boot = 0xabcd,
          .boot_id = 0x0123456789abcdef,
          .hardware = *Label::make("linux-x86_64")};
}

TEST_F(RtcTest, MemoryAfterPowerOn_HoldsNothing) {
  EXPECT_FALSE(rtc_.system());
  for (auto& word : words_) word = 0xdeadbeefcafef00d;
  EXPECT_FALSE(rtc_.system());
  rtc_.format();
  EXPECT_FALSE(rtc_.system());
  EXPECT_TRUE(rtc_.user().read().empty());
  EXPECT_EQ(rtc_.crash_note().text(), "");
}

TEST_F(RtcTest, SystemRecord_ReadsBackAndTheOlderCopySurvivesASpoiledOne) {
  rtc_.format();
  rtc_.store_system(sample_system());
  SystemRecord newer = sample_system();
  newer.boot_count = 13;
  rtc_.store_system(newer);
  const auto read = rtc_.system();
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->boot_count, 13u);
  EXPECT_EQ(read->cause, ResetCause::watchdog);
  EXPECT_EQ(read->choice.image, BootImage::b);
  EXPECT_TRUE(read->safe_mode());
  EXPECT_EQ(read->choice.version.view(), "2.0");
  EXPECT_EQ(read->machine_boot, 0xabcdu);
  EXPECT_EQ(read->boot_id, 0x0123456789abcdefu);
  region()[0x100 + 20] ^= 1;
  EXPECT_EQ(rtc_.system()->boot_count, 12u);
}

TEST_F(RtcTest, UserMemory_KeepsTheOldContentUntilTheNewIsWhole) {
  rtc_.format();
  ASSERT_TRUE(rtc_.user().write(as_bytes("old")));
  EXPECT_EQ(as_text(rtc_.user().read()), "old");
  const std::vector<std::uint64_t> before = words_;
  ASSERT_TRUE(rtc_.user().write(as_bytes("new")));
  const std::vector<std::uint64_t> after = words_;
  // Death in the middle of the write: any prefix of what changed, byte by byte.
  words_ = before;
  const Bytes target{reinterpret_cast<const std::uint8_t*>(after.data()), kRtcBytes};
  for (std::size_t i = 0x1000; i < 0x2200; ++i) {
    region()[i] = target[i];
    const std::string text(as_text(rtc_.user().read()));
    EXPECT_TRUE(text == "old" || text == "new") << i << ' ' << text;
  }
  EXPECT_EQ(as_text(rtc_.user().read()), "new");
}

TEST_F(RtcTest, UserMemory_TakesAsMuchAsDocumentedAndNoMore) {
  rtc_.format();
  ASSERT_GE(rtc_.user().capacity(), kRtcUserBytes);
  EXPECT_TRUE(rtc_.user().write(std::vector<std::uint8_t>(kRtcUserBytes, 7)));
  EXPECT_FALSE(rtc_.user().write(std::vector<std::uint8_t>(rtc_.user().capacity() + 1)));
  EXPECT_EQ(rtc_.user().read().size(), kRtcUserBytes);
  EXPECT_EQ(rtc_.session().capacity(), kRtcSessionBytes);
}

TEST_F(RtcTest, Areas_DoNotOverlap) {
  rtc_.format();
  rtc_.store_system(sample_system());
  rtc_.control().clear(Millis{5000});
  rtc_.boot_messages().append(std::string(4000, 'm'));
  rtc_.crash_note().append(std::string(9000, 'n'));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(rtc_.user().write(std::vector<std::uint8_t>(rtc_.user().capacity(), 0xff)));
    ASSERT_TRUE(rtc_.session().write(std::vector<std::uint8_t>(rtc_.session().capacity(), 0xff)));
  }
  for (int i = 0; i < 1000; ++i) rtc_.log().append(std::string(200, 'l'));
  EXPECT_EQ(rtc_.system()->boot_count, 12u);
  EXPECT_EQ(rtc_.control().watchdog_timeout(), Millis{5000});
  EXPECT_EQ(rtc_.boot_messages().text(), std::string(0xc00 - 4, 'm'));
  EXPECT_EQ(rtc_.crash_note().text(), std::string(0x2000 - 4, 'n'));
  EXPECT_EQ(rtc_.user().read().size(), rtc_.user().capacity());
  EXPECT_EQ(rtc_.session().read().size(), rtc_.session().capacity());
}

TEST_F(RtcTest, ControlWords_StartAfreshWithEveryRun) {
  const RtcControl control = rtc_.control();
  control.pat();
  control.pat();
  control.set_in_order();
  control.set_confirmed();
  control.request(ResetRequest::deep_sleep, ModeRequest::safe, ResetOrigin::operator_,
                  std::chrono::hours{48});
  EXPECT_EQ(control.pats(), 2u);
  EXPECT_EQ(control.sleep(), kMaxDeepSleep);
  EXPECT_EQ(control.requested(), ResetRequest::deep_sleep);
  rtc_.control().clear(Millis{60000});
  EXPECT_EQ(control.pats(), 0u);
  EXPECT_FALSE(control.in_order());
  EXPECT_FALSE(control.confirmed());
  EXPECT_EQ(control.requested(), ResetRequest::none);
  EXPECT_EQ(control.watchdog_timeout(), Millis{60000});
}

TEST_F(RtcTest, SoftResets_CountUntilTheBoardIsInOrder) {
  const RtcControl control = rtc_.control();
  EXPECT_EQ(control.count_soft_reset(), 1u);
  EXPECT_EQ(control.count_soft_reset(), 2u);
  control.set_in_order();
  EXPECT_EQ(control.count_soft_reset(), 1u);
}

TEST_F(RtcTest, RetainedLog_GivesTheNewestWholeLines) {
  rtc_.format();
  const RetainedLog reader = rtc_.log();
  RetainedLog log = rtc_.log();
  std::vector<std::uint8_t> buffer(1000);
  EXPECT_EQ(reader.tail(buffer), "");
  log.append("first");
  log.append("second");
  EXPECT_EQ(reader.tail(buffer), "first\nsecond\n");
  EXPECT_EQ(reader.tail(MutableBytes{buffer}.first(9)), "second\n");
  EXPECT_EQ(reader.tail(MutableBytes{buffer}.first(3)), "");
  for (int i = 0; i < 20000; ++i) {
    log.append("line " + std::to_string(i));
    const std::string last = "line " + std::to_string(i) + "\n";
    const std::string_view tail = reader.tail(buffer);
    ASSERT_TRUE(tail.ends_with(last));
    ASSERT_TRUE(tail.starts_with("line ") || i < 200) << tail;
  }
}

TEST_F(RtcTest, RetainedLogWhoseWriterDiedInALine_KeepsTheLinesBefore) {
  rtc_.format();
  RetainedLog log = rtc_.log();
  for (int i = 0; i < 5000; ++i) log.append("line " + std::to_string(i));
  const std::vector<std::uint64_t> before = words_;
  log.append(std::string(5000, 'x'));
  // All text of the line is written, only its count is missing.
  std::vector<std::uint8_t> whole(200'000);
  region()[0x8004] = reinterpret_cast<const std::uint8_t*>(before.data())[0x8004];
  region()[0x8005] = reinterpret_cast<const std::uint8_t*>(before.data())[0x8005];
  region()[0x8006] = reinterpret_cast<const std::uint8_t*>(before.data())[0x8006];
  const std::string_view tail = rtc_.log().tail(whole);
  EXPECT_TRUE(tail.ends_with("line 4999\n"));
  EXPECT_EQ(tail.find('x'), std::string_view::npos);
}

class ProcessEndTest : public RtcTest {};

TEST_F(ProcessEndTest, RequestedReset_IsWhatExitStatusAndControlWordsSay) {
  const RtcControl control = rtc_.control();
  control.request(ResetRequest::hard, ModeRequest::safe, ResetOrigin::operator_, Millis{0});
  const Death death = judge({.code = kExitHardReset}, control);
  EXPECT_EQ(death.cause, ResetCause::hard_reset);
  EXPECT_EQ(death.mode, ModeRequest::safe);
  EXPECT_EQ(death.origin, ResetOrigin::operator_);
  EXPECT_FALSE(death.report);
}

TEST_F(ProcessEndTest, RequestWithoutItsExitStatus_DoesNotCount) {
  const RtcControl control = rtc_.control();
  control.request(ResetRequest::hard, ModeRequest::safe, ResetOrigin::operator_, Millis{0});
  const Death killed = judge({.signalled = true, .code = 9}, control);
  EXPECT_EQ(killed.cause, ResetCause::crash);
  EXPECT_EQ(killed.mode, ModeRequest::none);
  EXPECT_EQ(killed.report, CrashCause::killed);
  const Death soft = judge({.code = kExitSoftReset}, control);
  EXPECT_EQ(soft.cause, ResetCause::soft_reset);
  EXPECT_EQ(soft.mode, ModeRequest::none);
  EXPECT_EQ(soft.origin, ResetOrigin::application);
}

TEST_F(ProcessEndTest, DeepSleep_CarriesItsTime) {
  const RtcControl control = rtc_.control();
  control.request(ResetRequest::deep_sleep, ModeRequest::none, ResetOrigin::application, Millis{1500});
  const Death death = judge({.code = kExitDeepSleep}, control);
  EXPECT_EQ(death.cause, ResetCause::deep_sleep);
  EXPECT_EQ(death.sleep, Millis{1500});
}

TEST_F(ProcessEndTest, EveryOtherEnd_IsACrashOrTheWatchdog) {
  const RtcControl control = rtc_.control();
  using Intervention = ProcessEnd::Intervention;
  EXPECT_EQ(judge({.signalled = true, .code = 11}, control).report, CrashCause::signal);
  EXPECT_EQ(judge({.signalled = true, .code = 9, .out_of_memory = true}, control).report,
            CrashCause::out_of_memory);
  EXPECT_EQ(judge({.code = 1}, control).report, CrashCause::exit_status);
  EXPECT_EQ(judge({.code = 1}, control).cause, ResetCause::crash);
  EXPECT_EQ(judge({.code = kExitCrashReported}, control).cause, ResetCause::crash);
  EXPECT_FALSE(judge({.code = kExitCrashReported}, control).report);
  EXPECT_EQ(judge({.code = kExitStopped}, control).cause, ResetCause::hard_reset);
  const Death starved = judge({.signalled = true, .code = 9, .intervention = Intervention::starved}, control);
  EXPECT_EQ(starved.cause, ResetCause::watchdog);
  EXPECT_EQ(starved.report, CrashCause::watchdog);
  EXPECT_TRUE(judge({.signalled = true, .code = 15, .intervention = Intervention::stop}, control).stops);
}

}  // namespace
}  // namespace mqboard::boot
