#include "cli/board_status.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

TEST(BoardStatusTest, SaysWhatTheBoardAnnounces) {
  const BoardStatus status = parse_status(
      R"({"online":true,"protocols":[1,2],"put_ack":true,"epoch":77,"channel":{"credit":1000,"largest":500},)"
      R"("firmware":{"version":"1.2"},"connected_at":1777900455})");
  EXPECT_TRUE(status.present && status.valid && status.online && status.v2 && status.acknowledges_put);
  EXPECT_EQ(status.session, 77u);
  EXPECT_EQ(status.channel_window, 1000u);
  EXPECT_EQ(status.channel_frame, 500u);
  EXPECT_EQ(status.version, "1.2");
  EXPECT_EQ(status.made_at_s, 1777900455);
  EXPECT_EQ(status.reason, "");
}

TEST(BoardStatusTest, ABoardThatWentSaysSinceWhenAndWhy) {
  const BoardStatus status =
      parse_status(R"({"online":false,"reason":"deep_sleep","connected_at":1777900455})");
  EXPECT_FALSE(status.online);
  EXPECT_EQ(status.reason, "deep_sleep");
  EXPECT_EQ(status.made_at_s, 1777900455);
}

TEST(BoardStatusTest, WithoutAPlausibleTimeNothingIsSaidOfIt) {
  for (const char* json : {R"({"online":false})", R"({"connected_at":0})", R"({"connected_at":"soon"})",
                           R"({"connected_at":-5})"}) {
    EXPECT_EQ(parse_status(json).made_at_s, 0) << json;
  }
}

TEST(BoardStatusTest, WhatIsNoJsonIsABoardOfWhichNothingIsKnown) {
  const BoardStatus status = parse_status("{");
  EXPECT_TRUE(status.present && status.online);
  EXPECT_FALSE(status.valid || status.v2);
}

}  // namespace
}  // namespace mqboard::cli
