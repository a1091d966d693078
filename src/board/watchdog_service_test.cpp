#include "board/watchdog_service.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mqboard::board {
namespace {

using namespace std::chrono_literals;

class WatchdogServiceTest : public testing::Test {
 protected:
  WatchdogServiceTest() { config_ = {.enabled = true, .timeout = 60s, .all_ok = 40s}; }

  WatchdogService::Environment environment() {
    return {.send = [this](const std::string& secret) { sent_.push_back(secret); },
            .make_secret = [this] { return "secret " + std::to_string(++secrets_); },
            .pat = [this] { ++pats_; },
            .in_order = [this] { return ++in_order_ > failures_; },
            .unheard = [this] { ++unheard_; }};
  }
  // Runs for so long, a tick a second; the newest feed comes back at once when `answered`.
  void run(WatchdogService& service, std::chrono::seconds duration, bool answered, bool connected = true) {
    for (const TimePoint end = now_ + duration; now_ < end; now_ += 1s) {
      const std::size_t before = sent_.size();
      service.tick(now_, connected);
      if (answered && sent_.size() != before) service.fed(sent_.back());
    }
  }

  WatchdogConfig config_;
  TimePoint now_{1s};
  std::vector<std::string> sent_;
  int secrets_ = 0, pats_ = 0, in_order_ = 0, failures_ = 0, unheard_ = 0;
};

TEST_F(WatchdogServiceTest, FeedThatComesBack_PatsOnce) {
  WatchdogService service(config_, environment());
  service.tick(now_, true);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_TRUE(service.fed(sent_[0]));
  EXPECT_FALSE(service.fed(sent_[0])) << "a secret is good once";
  EXPECT_EQ(pats_, 1);
}

TEST_F(WatchdogServiceTest, GuessedEmptyAndOldSecrets_DoNotFeed) {
  WatchdogService service(config_, environment());
  EXPECT_FALSE(service.fed("")) << "none is on its way";
  run(service, 60s, false);
  ASSERT_GE(sent_.size(), 2u);
  EXPECT_FALSE(service.fed("secret"));
  EXPECT_FALSE(service.fed(""));
  EXPECT_FALSE(service.fed(sent_[sent_.size() - 2])) << "only the newest counts";
  EXPECT_EQ(pats_, 0);
  EXPECT_TRUE(service.fed(sent_.back()));
}

TEST_F(WatchdogServiceTest, FeedsAreAQuarterOfTheShorterTimeApart_UnansweredOnesTwiceThat) {
  WatchdogService service(config_, environment());
  run(service, 100s, true);
  EXPECT_EQ(sent_.size(), 10u);
  sent_.clear();
  run(service, 100s, false);
  EXPECT_EQ(sent_.size(), 5u);
}

TEST_F(WatchdogServiceTest, FeedsThatDoNotReachTheBoard_AreToldOnceForEachConnection) {
  WatchdogService service(config_, environment());
  run(service, 10s, false);
  EXPECT_EQ(unheard_, 0);
  run(service, 100s, false);
  EXPECT_EQ(unheard_, 1);
  run(service, 2s, false, false);
  run(service, 100s, false);
  EXPECT_EQ(unheard_, 2);
  run(service, 2s, false, false);
  run(service, 5s, false);
  service.arrived();
  run(service, 100s, false);
  EXPECT_EQ(unheard_, 2) << "what Python does with it is another matter";
}

TEST_F(WatchdogServiceTest, WithoutConnection_NothingIsSentAndItStarves) {
  WatchdogService service(config_, environment());
  run(service, 60s, true, false);
  EXPECT_TRUE(sent_.empty());
  EXPECT_FALSE(service.starved(now_));
  run(service, 2s, true, false);
  EXPECT_TRUE(service.starved(now_));
}

TEST_F(WatchdogServiceTest, ManageableForAllOk_IsInOrderOnce) {
  WatchdogService service(config_, environment());
  run(service, 35s, true);
  EXPECT_EQ(in_order_, 0);
  run(service, 200s, true);
  EXPECT_EQ(in_order_, 1);
  EXPECT_TRUE(service.in_order());
}

TEST_F(WatchdogServiceTest, InOrderThatCouldNotBeRecorded_IsTriedAgainAtTheNextFeeds) {
  failures_ = 2;
  WatchdogService service(config_, environment());
  run(service, 200s, true);
  EXPECT_EQ(in_order_, 3);
  EXPECT_TRUE(service.in_order());
}

TEST_F(WatchdogServiceTest, GapAsLongAsTheTimeout_StartsAllOkAnew) {
  WatchdogService service(config_, environment());
  run(service, 30s, true);
  run(service, 70s, false);
  run(service, 30s, true);
  EXPECT_EQ(in_order_, 0);
  run(service, 30s, true);
  EXPECT_EQ(in_order_, 1);
}

TEST_F(WatchdogServiceTest, SwitchedOff_NeverStarvesAndIsSilentOnceInOrder) {
  config_.enabled = false;
  WatchdogService service(config_, environment());
  run(service, 100s, true);
  EXPECT_EQ(in_order_, 1);
  const std::size_t sent = sent_.size();
  run(service, 500s, true);
  EXPECT_EQ(sent_.size(), sent);
  EXPECT_FALSE(service.starved(now_));
}

}  // namespace
}  // namespace mqboard::board
