#include "mqtt/message_queue.hpp"

#include <gtest/gtest.h>

namespace mqboard::mqtt {
namespace {

MessageView message(std::string_view topic, std::string_view payload, std::uint16_t id = 0) {
  return {.topic = topic,
          .payload = Payload(payload).bytes(),
          .qos = id == 0 ? QoS::at_most_once : QoS::at_least_once,
          .ack = {id, 7}};
}

TEST(MessageQueue, MessagesComeOutInOrderAndWhole) {
  MessageQueue queue(1000);
  queue.push(message("a", "one"));
  queue.push(message("b", "", 5));
  const MessageView first = queue.take();
  EXPECT_EQ(first.topic, "a");
  EXPECT_EQ(first.text(), "one");
  const MessageView second = queue.take();
  EXPECT_EQ(second.topic, "b");
  EXPECT_EQ(second.text(), "");
  EXPECT_EQ(second.qos, QoS::at_least_once);
  EXPECT_EQ(second.ack, (AckToken{5, 7}));
  EXPECT_TRUE(queue.empty());
}

TEST(MessageQueue, TakenMessageSurvivesLaterPushes) {
  MessageQueue queue(1000);
  queue.push(message("topic", "payload"));
  const MessageView taken = queue.take();
  for (int i = 0; i < 100; ++i) queue.push(message("other", std::string(100, 'x')));
  EXPECT_EQ(taken.topic, "topic");
  EXPECT_EQ(taken.text(), "payload");
}

TEST(MessageQueue, FullAtItsCapacityAndNotBefore) {
  MessageQueue queue(200);
  EXPECT_FALSE(queue.full());
  queue.push(message("t", std::string(100, 'x')));
  EXPECT_FALSE(queue.full());
  queue.push(message("t", std::string(100, 'x')));
  EXPECT_TRUE(queue.full());
  queue.take();
  EXPECT_FALSE(queue.full());
}

TEST(MessageQueue, LongUseNeitherLosesNorMixesMessages) {
  MessageQueue queue(300);
  int pushed = 0;
  for (int taken = 0; taken < 5000; ++taken) {
    while (!queue.full()) {
      const std::string payload(static_cast<std::size_t>(pushed % 70), 'y');
      queue.push(message(std::to_string(pushed++), payload));
    }
    const MessageView out = queue.take();
    ASSERT_EQ(out.topic, std::to_string(taken));
    ASSERT_EQ(out.payload.size(), static_cast<std::size_t>(taken % 70));
  }
}

}  // namespace
}  // namespace mqboard::mqtt
