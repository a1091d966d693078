#include "cli/topic_filter.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

TEST(TopicMatches, FollowsTheSpecification) {
  EXPECT_TRUE(topic_matches("a/b", "a/b"));
  EXPECT_FALSE(topic_matches("a/b", "a/bc"));
  EXPECT_FALSE(topic_matches("a/b", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/b/c", "a/b"));
  EXPECT_TRUE(topic_matches("a/+/c", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/+", "a/"));
  EXPECT_FALSE(topic_matches("a/+", "a"));
  EXPECT_FALSE(topic_matches("+", "/a"));
  EXPECT_TRUE(topic_matches("+/+", "/a"));
  EXPECT_TRUE(topic_matches("#", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/#", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/#", "a")) << "[MQTT-4.7.1-2] includes the parent";
  EXPECT_FALSE(topic_matches("#", "$SYS/x")) << "[MQTT-4.7.2-1]";
  EXPECT_FALSE(topic_matches("+/x", "$SYS/x"));
  EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/x"));
}

}  // namespace
}  // namespace mqboard::cli
