#include "core/command/topic.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mqboard::command {
namespace {

constexpr std::string_view kPrefix = "esp32/test";

TEST(RequestTopic, IsTakenApart) {
  const auto eval = parse_request_topic(kPrefix, "esp32/test/mqb/cmd/eval/jh_IfBCj");
  EXPECT_EQ(eval, (RequestTopic{"eval", "jh_IfBCj", "", false}));
  const auto get = parse_request_topic(kPrefix, "esp32/test/mqb/cmd/get/5SBetYnz//g1/f5000");
  EXPECT_EQ(get, (RequestTopic{"get", "5SBetYnz", "/g1/f5000", true}));
  const auto relative = parse_request_topic(kPrefix, "esp32/test/mqb/cmd/put/5SBetYnz/lib/a.py");
  EXPECT_EQ(relative, (RequestTopic{"put", "5SBetYnz", "lib/a.py", true}));
  const auto loop_back = parse_request_topic(kPrefix, "esp32/test/mqb/cmd/eval/0F00D/");
  EXPECT_EQ(loop_back, (RequestTopic{"eval", "0F00D", "", true}));
}

TEST(RequestTopic, OfAnotherPrefixOrShapeIsNone) {
  for (const std::string topic :
       {"", "esp32/test", "esp32/test/mqb/cmd/", "esp32/test/mqb/cmd/eval", "esp32/test/mqb/cmd/eval/",
        "esp32/test/mqb/cmd//abc", "esp32/test2/mqb/cmd/eval/abc", "esp32/tes/mqb/cmd/eval/abc",
        "Esp32/test/mqb/cmd/eval/abc", "esp32/test//mqb/cmd/eval/abc", "esp32/test/mqb/reply/out/abc",
        "x/esp32/test/mqb/cmd/eval/abc", "esp32/test/mqb/cmd/eval/a b", "esp32/test/mqb/cmd/eval/a+",
        "esp32/test/mqb/cmd/eval/#", "esp32/test/mqb/cmd/eval/12345678901234567890123456789012x"})
    EXPECT_FALSE(parse_request_topic(kPrefix, topic)) << topic;
}

TEST(RequestTopic, RoundTrips) {
  EXPECT_EQ(request_topic(kPrefix, "eval", "abc"), "esp32/test/mqb/cmd/eval/abc");
  EXPECT_EQ(request_topic(kPrefix, "get", "abc", "/f"), "esp32/test/mqb/cmd/get/abc//f");
  EXPECT_EQ(request_topic(kPrefix, "eval", "0F00D", ""), "esp32/test/mqb/cmd/eval/0F00D/");
  const Topic topic = request_topic(kPrefix, "put", "abc", "a/b");
  EXPECT_EQ(parse_request_topic(kPrefix, topic), (RequestTopic{"put", "abc", "a/b", true}));
}

TEST(RequestTopic, ThatDoesNotFitSaysSo) {
  const std::string tail(kMaxTopic, 'x');
  EXPECT_TRUE(request_topic(kPrefix, "get", "abc", tail).truncated());
  EXPECT_FALSE(request_topic(std::string(kMaxPrefix, 'p'), std::string(kMaxCommand, 'c'),
                             std::string(kMaxId, 'i'), std::string(kMaxPath, 't'))
                   .truncated());
}

TEST(ReplyTopic, RoundTripsForEveryKind) {
  for (const ReplyKind kind : {ReplyKind::out, ReplyKind::err, ReplyKind::channel}) {
    const Topic topic = reply_topic(kPrefix, kind, "ZslfwIUJ");
    EXPECT_EQ(parse_reply_topic(kPrefix, topic), (ReplyTopic{kind, "ZslfwIUJ"})) << topic.view();
  }
  EXPECT_EQ(reply_topic(kPrefix, ReplyKind::channel, "x"), "esp32/test/mqb/reply/ch/x");
  EXPECT_EQ(reply_filter(kPrefix, "x"), "esp32/test/mqb/reply/+/x");
  EXPECT_EQ(request_filter(kPrefix), "esp32/test/mqb/cmd/#");
  EXPECT_EQ(stay_awake_topic(kPrefix), "esp32/test/mqb/cmd/stay_awake");
}

TEST(ReplyTopic, OfAnotherPrefixOrShapeIsNone) {
  for (const std::string topic :
       {"esp32/test/mqb/reply/out/", "esp32/test/mqb/reply/output/a", "esp32/test/mqb/reply/a",
        "esp32/test2/mqb/reply/out/a", "esp32/test/mqb/reply/out/a/b"})
    EXPECT_FALSE(parse_reply_topic(kPrefix, topic)) << topic;
}

TEST(StatusTopic, GivesThePrefixBack) {
  EXPECT_EQ(prefix_of_status_topic(status_topic(kPrefix)), kPrefix);
  EXPECT_FALSE(prefix_of_status_topic("/mqb/status"));
  EXPECT_FALSE(prefix_of_status_topic("a/mqb/statu"));
}

TEST(Prefix, MustNotConfuseTheBroker) {
  for (const std::string good : {"a", "esp32/kitchen", "a/b/c", "k\xC3\xBC\x63he"})
    EXPECT_TRUE(is_prefix(good)) << good;
  for (const std::string bad : {"", "/a", "a/", "a//b", "a/+/b", "#", "$SYS", "a\nb", "\xFF"})
    EXPECT_FALSE(is_prefix(bad)) << bad;
  EXPECT_FALSE(is_prefix(std::string(kMaxPrefix + 1, 'a')));
}

TEST(RequestIdText, HasEightUrlSafeCharactersFromTheRandomBits) {
  EXPECT_EQ(make_request_id(0), "AAAAAAAA");
  EXPECT_EQ(make_request_id(0xffffffffffff), "________");
  EXPECT_NE(make_request_id(1), make_request_id(2));
  EXPECT_TRUE(is_request_id(make_request_id(0x123456789abc)));
}

}  // namespace
}  // namespace mqboard::command
