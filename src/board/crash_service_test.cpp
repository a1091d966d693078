#include "board/crash_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/boot/slot_store.hpp"
#include "port/linux/flash.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::board {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class CrashServiceTest : public testing::Test {
 protected:
  CrashServiceTest() : files_(*port::LinuxFlash::open_root(directory_.path())) {
    EXPECT_TRUE(boot::SlotStore(*files_).prepare().has_value());
  }

  CrashService::Environment environment() {
    return {.files = *files_,
            .firmware = "1.2",
            .image = "a trial normal",
            .boot_count = 7,
            .uptime = [this] { return uptime_; },
            .time_s = [] { return std::int64_t{1'790'000'000}; },
            .log_tail = [] { return std::string("I app: on\n"); },
            .report = [this](int, std::string_view line) { said_.emplace_back(line); },
            .announced = [this] { return announced_; },
            .set_announced = [this](boot::CrashId id) { announced_ = id; }};
  }

  // As mqboot does it while the firmware is dead.
  void died(boot::CrashCause cause, std::string_view detail) {
    ASSERT_TRUE(boot::CrashStore(*files_).add({.cause = cause, .detail = detail}).has_value());
  }

  port::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  Millis uptime_ = 5s;
  boot::CrashId announced_ = 0;
  std::vector<std::string> said_;
};

TEST_F(CrashServiceTest, ExceptionOfAnApplication_IsKeptWithEverythingKnownOfTheRun) {
  CrashService service(environment());
  service.add(boot::CrashCause::exception, "blinky", "Traceback\n  File\nZeroDivisionError: x\n");
  ASSERT_THAT(service.list(), SizeIs(1));
  EXPECT_EQ(service.list()[0].name, "00000001");
  EXPECT_EQ(service.list()[0].headline, "exception: blinky: ZeroDivisionError: x");
  const auto text = service.read("00000001");
  ASSERT_TRUE(text.has_value());
  for (const char* line : {"firmware: 1.2\n", "image: a trial normal\n", "boot: 7\n", "uptime_ms: 5000\n",
                           "time_s: 1790000000\n", "I app: on\n"}) {
    EXPECT_THAT(*text, HasSubstr(line));
  }
}

TEST_F(CrashServiceTest, DeathsOfTheFirmware_AreAnnouncedOnceEach) {
  CrashService service(environment());
  died(boot::CrashCause::signal, "SIGSEGV");
  died(boot::CrashCause::killed, "SIGKILL");
  service.announce();
  EXPECT_THAT(
      said_, ElementsAre("crash report 00000001: signal: SIGSEGV", "crash report 00000002: killed: SIGKILL"));
  said_.clear();
  service.announce();
  EXPECT_TRUE(said_.empty());
  CrashService next_run(environment());
  died(boot::CrashCause::watchdog, "not patted");
  next_run.announce();
  EXPECT_THAT(said_, ElementsAre("crash report 00000003: watchdog: not patted"));
}

TEST_F(CrashServiceTest, DeathAfterTheReportsWereRemoved_IsAnnouncedAlthoughItsIdWas) {
  CrashService service(environment());
  died(boot::CrashCause::signal, "SIGSEGV");
  died(boot::CrashCause::signal, "SIGSEGV");
  service.announce();
  ASSERT_TRUE(service.remove("2").has_value());
  died(boot::CrashCause::signal, "SIGABRT");
  said_.clear();
  service.announce();
  EXPECT_THAT(said_, ElementsAre("crash report 00000002: signal: SIGABRT"));
}

TEST_F(CrashServiceTest, HungApplication_IsListedWithThePlaceWhereItHung) {
  CrashService service(environment());
  service.add(boot::CrashCause::watchdog, "not patted for 60000 ms",
              "Traceback (most recent call last):\n  File \"a.py\", line 3, in start\n"
              "  File \"a.py\", line 7, in spin\nKeyboardInterrupt: \n");
  EXPECT_EQ(service.list()[0].headline, "watchdog: not patted for 60000 ms: File \"a.py\", line 7, in spin");
}

TEST_F(CrashServiceTest, ReportOfThisRun_IsNotAnnouncedAgainAfterAReconnect) {
  CrashService service(environment());
  service.add(boot::CrashCause::exception, "blinky", "");
  said_.clear();
  service.announce();
  EXPECT_TRUE(said_.empty());
}

TEST_F(CrashServiceTest, ApplicationThatFailsAgainAndAgain_GetsSoManyAnHour) {
  CrashService service(environment());
  for (unsigned i = 0; i < 3 * CrashService::kMostPerHour; ++i)
    service.add(boot::CrashCause::exception, "blinky", "");
  EXPECT_THAT(service.list(), SizeIs(CrashService::kMostPerHour));
  ASSERT_THAT(said_, SizeIs(CrashService::kMostPerHour + 1)) << "said once";
  EXPECT_THAT(said_.back(), HasSubstr("too many crash reports"));
  uptime_ += 1h;
  service.add(boot::CrashCause::exception, "blinky", "");
  EXPECT_THAT(service.list(), SizeIs(CrashService::kMostPerHour + 1));
}

TEST_F(CrashServiceTest, OldestReportsAreDropped) {
  CrashService service(environment());
  for (unsigned i = 0; i < boot::CrashStore::kMaxReports + 4; ++i) died(boot::CrashCause::killed, "");
  const auto kept = service.list();
  ASSERT_THAT(kept, SizeIs(boot::CrashStore::kMaxReports));
  EXPECT_EQ(kept.front().name, "00000005");
  EXPECT_EQ(kept.back().name, "00000020");
}

TEST_F(CrashServiceTest, UnknownAndHostileNames_AreNotFound) {
  CrashService service(environment());
  died(boot::CrashCause::killed, "");
  for (const char* name : {"", "2", "../crash/00000001", "1x", "99999999999999999999", "-1"}) {
    EXPECT_EQ(service.read(name).error(), FsError::not_found) << name;
    EXPECT_FALSE(service.remove(name).has_value()) << name;
  }
  EXPECT_TRUE(service.remove("1").has_value());
  EXPECT_TRUE(service.list().empty());
}

TEST_F(CrashServiceTest, DamagedReport_IsListedAsUnreadable) {
  CrashService service(environment());
  std::ofstream(directory_.path() / "crash" / "00000004") << "nonsense";
  ASSERT_THAT(service.list(), SizeIs(1));
  EXPECT_EQ(service.list()[0].headline, "unreadable");
}

}  // namespace
}  // namespace mqboard::board
