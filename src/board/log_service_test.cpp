#include "board/log_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "board/testing.hpp"

namespace mqboard::board {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Log : public ::testing::Test {
 protected:
  LogService& service(LoggingConfig config = {}, std::vector<std::string> secrets = {}) {
    secrets_ = std::move(secrets);
    memory_.resize(LogService::memory_bytes(config));
    service_.emplace(LogService::Environment{.topic = "p/log",
                                             .since_boot = [] { return Millis{1234}; },
                                             .wall_clock = [] { return std::optional<log::WallClock>{}; },
                                             .wake = [this] { ++wakes_; },
                                             .echo = {}},
                     config, secrets_, memory_);
    return *service_;
  }
  std::vector<std::string> sent() {
    outbox_.ready(*service_);
    std::vector<std::string> lines;
    for (const auto& message : outbox_.take()) {
      EXPECT_EQ(message.topic, "p/log");
      lines.push_back(message.payload);
    }
    return lines;
  }

  std::vector<std::string> secrets_;
  std::vector<std::uint8_t> memory_;
  std::optional<LogService> service_;
  testing::FakeOutbox outbox_;
  int wakes_ = 0;
};

TEST_F(Log, NothingLeavesBeforeTheFirstConnection_AndNothingIsLostUntilThen) {
  LogService& log = service();
  log.log(20, "main", "early");
  EXPECT_THAT(sent(), IsEmpty());
  log.connected();
  log.log(40, "main", "late");
  EXPECT_THAT(sent(), ElementsAre("I 1234     main: early", "E 1234     main: late"));
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(Log, WhatIsLoggedWhileOffline_FollowsTheReconnect) {
  LogService& log = service();
  log.connected();
  log.log(20, "a", "one");
  static_cast<void>(sent());
  log.disconnected();
  log.log(20, "a", "two");
  EXPECT_THAT(sent(), IsEmpty());
  log.connected();
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("two")));
}

TEST_F(Log, ARecordItsLoggerDecidedOn_IsNotJudgedAgain) {
  LogService& log = service();
  log.connected();
  log.log(10, "a", "no");
  log.log_decided(10, "a", "yes");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("yes")));
}

TEST_F(Log, SecretsAreBlackenedInWhatGoesBesideTheLogToo) {
  EXPECT_EQ(service({}, {"hunter22"}).redacted("ValueError: hunter22\n"), "ValueError: ***\n");
}

TEST_F(Log, FullBuffer_KeepsTheSevere) {
  LoggingConfig config;
  config.boot_bytes = 1024;
  config.loop_bytes = 1024;
  LogService& log = service(config);
  log.log(40, "a", "the important one");
  for (int i = 0; i < 500; ++i) log.log(20, "a", "chatter");
  log.connected();
  const auto lines = sent();
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("the important one")));
  EXPECT_LT(lines.size(), 40u);
  EXPECT_GT(log.lost(), 400u);
}

// The reader of the log sees that he does not see everything, and where.
TEST_F(Log, WhatHadNoRoomIsCountedInTheLogItself) {
  LoggingConfig config;
  config.boot_bytes = 1024;
  config.loop_bytes = 1024;
  LogService& log = service(config);
  log.log(40, "a", "the important one");
  for (int i = 0; i < 500; ++i) log.log(20, "a", "chatter");
  log.connected();
  auto lines = sent();
  ASSERT_GT(lines.size(), 3u);
  EXPECT_THAT(lines[0], HasSubstr("the important one"));
  EXPECT_EQ(lines[1], "W 1234      log: " + std::to_string(501 - (lines.size() - 1)) +
                          " lines had no room and are missing");
  log.log(20, "a", "after");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("after")));
}

TEST_F(Log, WhatHadNoRoomAtTheEndIsCountedToo) {
  LoggingConfig config;
  config.boot_bytes = 1024;
  config.loop_bytes = 1024;
  LogService& log = service(config);
  for (int i = 0; i < 100; ++i) log.log(40, "a", "important");
  for (int i = 0; i < 7; ++i) log.log(20, "a", "chatter");
  log.connected();
  const auto lines = sent();
  EXPECT_EQ(lines.back(), "W 1234      log: 7 lines had no room and are missing");
}

TEST_F(Log, SecretsAreReplacedEverywhere) {
  LogService& log = service({}, {"hunter2", "tok-en"});
  log.log(20, "a", "password hunter2 and tok-en, hunter2");
  log.connected();
  EXPECT_THAT(sent(), ElementsAre("I 1234        a: password *** and ***, ***"));
  EXPECT_THAT(log.tail(1000), Not(HasSubstr("hunter2")));
}

TEST_F(Log, EveryLineOfATextIsARecord) {
  LogService& log = service();
  log.connected();
  log.log(40, "a", "Traceback:\n  File\r\nError\n");
  EXPECT_THAT(sent(), ElementsAre("E 1234        a: Traceback:", "E 1234        a:   File",
                                  "E 1234        a: Error"));
}

TEST_F(Log, LevelsHoldPerLogger) {
  LoggingConfig config;
  config.level = 30;
  config.levels = {{"chatty", 10}};
  LogService& log = service(config);
  log.connected();
  log.log(20, "a", "not this");
  log.log(10, "chatty", "but this");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("but this")));
  EXPECT_EQ(log.level_of(""), 30);
  EXPECT_EQ(log.level_of("a"), 0);
  log.set_level("a", 20);
  log.set_level("chatty", 0);
  log.log(20, "a", "now this");
  log.log(10, "chatty", "no more");
  EXPECT_THAT(sent(), ElementsAre(HasSubstr("now this")));
  EXPECT_THAT(log.levels(),
              ElementsAre(std::pair<std::string, int>("", 30), std::pair<std::string, int>("a", 20)));
}

TEST_F(Log, WakesTheSenderOnceUntilItHasAsked) {
  LogService& log = service();
  log.connected();
  log.log(20, "a", "1");
  log.log(20, "a", "2");
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(sent().size(), 2u);
  log.log(20, "a", "3");
  EXPECT_EQ(wakes_, 2);
}

TEST_F(Log, FollowersSeeEveryRecordOfTheirLevelAndLogger) {
  LogService& log = service();
  int told = 0;
  const auto follower = log.follow([&] { ++told; });
  log.log(20, "a", "one");
  log.log(40, "b", "two");
  log.log(40, "a", "three");
  EXPECT_EQ(told, 3);
  const auto first = log.after(0, 40, "a");
  ASSERT_TRUE(first);
  EXPECT_THAT(first->text, HasSubstr("three"));
  EXPECT_FALSE(log.after(first->sequence));
  log.unfollow(follower);
  log.log(20, "a", "four");
  EXPECT_EQ(told, 3);
}

TEST_F(Log, LinesFromSeveralThreads_AllArriveWhole) {
  LoggingConfig config;
  config.loop_bytes = config.boot_bytes = 64 * 1024;
  LogService& log = service(config);
  log.connected();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i) log.log(20, "t" + std::to_string(t), "line " + std::to_string(i));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sent().size(), 400u);
}

}  // namespace
}  // namespace mqboard::board
