#include "core/mqtt/topic_aliases.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mqboard::mqtt {
namespace {

struct Table {
  explicit Table(std::size_t count) : sizes(count), used(count), text(count * 4) { aliases.reset(count); }
  std::uint16_t say(std::string_view topic) {
    const auto choice = aliases.choose(topic);
    aliases.use(choice, topic);
    return choice.alias;
  }
  std::vector<std::uint16_t> sizes;
  std::vector<std::uint32_t> used;
  std::vector<std::uint8_t> text;
  TopicAliases aliases{sizes, text, 4, used};
};

TEST(TopicAliases, TheLeastRecentlyUsedGivesWay) {
  Table table(2);
  EXPECT_EQ(table.say("a"), 1);
  EXPECT_EQ(table.say("b"), 2);
  EXPECT_EQ(table.say("a"), 1);
  EXPECT_EQ(table.say("c"), 2);
  EXPECT_EQ(table.aliases.topic(2), "c");
  EXPECT_EQ(table.say("long one"), 0);
}

TEST(TopicAliases, AsManyAsThereCanBeAreLookedThrough) {
  Table table(65'535);
  EXPECT_EQ(table.say("a"), 1);
  EXPECT_EQ(table.say("b"), 2);
  EXPECT_EQ(table.say("b"), 2);
}

}  // namespace
}  // namespace mqboard::mqtt
