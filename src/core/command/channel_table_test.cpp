#include "core/command/channel_table.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "core/command/sources.hpp"

namespace mqboard::command {
namespace {

using Buffer = std::vector<std::uint8_t>;
using Kind = ChannelTable::Kind;

constexpr std::uint32_t kEpoch = 0xb0a4d;
constexpr std::uint32_t kOpener = 0xaaaa;

class TableTest : public ::testing::Test {
 protected:
  TableTest() { boot(); }
  void boot() {
    ChannelTable::Sources sources{};
    for (std::size_t i = 0; i < sources.size(); ++i) {
      sources_.emplace_back(memory_);
      sources[i] = &sources_.back();
    }
    table = std::make_unique<ChannelTable>(kEpoch, ChannelConfig{}, sources);
  }
  ChannelTable::Arrival send(Frame frame, std::string_view session = "session1") {
    if (frame.from_epoch == 0) frame.from_epoch = kOpener;
    bytes_.assign(kFrameOverhead, 0);
    bytes_.resize(encode_frame_head(frame, bytes_));
    return table->receive(session, bytes_, now);
  }
  ChannelTable::Arrival open(std::uint32_t number, std::string_view session = "session1",
                             std::uint8_t flags = 0) {
    return send({.type = FrameType::open, .flags = flags, .channel = number}, session);
  }
  static Status abort_of(const ChannelTable::Arrival& arrival) {
    const auto frame = decode_frame(arrival.response);
    if (!frame || frame->type != FrameType::abort) return {StatusCode::internal, "no abort"};
    return {frame->status, frame->status_text};
  }

  std::unique_ptr<ChannelTable> table;
  TimePoint now{};

 private:
  Buffer memory_ = Buffer(100);
  std::deque<BufferSource> sources_;
  Buffer bytes_;
};

TEST_F(TableTest, OpensAndFindsChannels) {
  const auto first = open(1);
  EXPECT_EQ(first.kind, Kind::opened);
  EXPECT_EQ(table->session(first.slot), "session1");
  const auto second = open(2);
  const auto other = open(1, "session2");
  EXPECT_EQ(other.kind, Kind::opened);
  EXPECT_NE(second.slot, first.slot);
  EXPECT_EQ(send({.channel = 2}).slot, second.slot);
  EXPECT_EQ(send({.channel = 1}, "session2").slot, other.slot);
}

TEST_F(TableTest, AReplayedOpenNeverRunsAgain) {
  const auto first = open(1);
  table->channel(first.slot)->abort({StatusCode::ok, ""});
  Buffer out(1000);
  while (table->poll(out, now).bytes != 0) {
  }
  now += Millis(61'000);
  while (table->poll(out, now).bytes != 0) {
  }
  ASSERT_EQ(table->channel(first.slot), nullptr) << "forgotten";
  const auto replay = open(1);
  EXPECT_EQ(replay.kind, Kind::respond);
  EXPECT_EQ(abort_of(replay).code, StatusCode::lost);
}

TEST_F(TableTest, NumbersMayArriveOutOfOrderButOnlyOnce) {
  EXPECT_EQ(open(5).kind, Kind::opened);
  EXPECT_EQ(open(3).kind, Kind::opened);
  EXPECT_EQ(open(4).kind, Kind::opened);
  for (const std::uint32_t number : {3u, 4u, 5u}) EXPECT_EQ(open(number).kind, Kind::traffic) << number;
  EXPECT_EQ(open(50).kind, Kind::opened);
  EXPECT_EQ(abort_of(open(10)).code, StatusCode::lost) << "too old to tell";
  EXPECT_EQ(abort_of(open(0)).code, StatusCode::lost) << "numbers start at 1";
}

TEST_F(TableTest, TheSameNumberOfAnotherLifeIsAnotherChannel) {
  EXPECT_EQ(open(1).kind, Kind::opened);
  const auto reborn = send({.type = FrameType::open, .channel = 1, .from_epoch = 0x5555});
  EXPECT_EQ(reborn.kind, Kind::opened);
}

TEST_F(TableTest, AFrameForAnotherLifeOfTheBoardIsLost) {
  const auto arrival = send({.type = FrameType::open, .channel = 1, .to_epoch = kEpoch + 1});
  EXPECT_EQ(abort_of(arrival).code, StatusCode::lost);
  EXPECT_EQ(decode_frame(arrival.response)->from_epoch, kEpoch);
  EXPECT_EQ(send({.type = FrameType::open, .channel = 1, .to_epoch = kEpoch}).kind, Kind::opened);
  EXPECT_EQ(abort_of(send({.channel = 1, .to_epoch = kEpoch + 1})).code, StatusCode::lost);
}

TEST_F(TableTest, DataBeforeItsOpenAsksForTheOpen) {
  const auto arrival = send({.type = FrameType::data, .round = 4, .channel = 1, .offset = 100});
  ASSERT_EQ(arrival.kind, Kind::respond);
  const auto frame = decode_frame(arrival.response);
  ASSERT_TRUE(frame);
  EXPECT_TRUE(frame->has(kGap));
  EXPECT_EQ(frame->ack, 0u);
  EXPECT_EQ(frame->round, 4);
  EXPECT_EQ(open(1).kind, Kind::opened) << "asking did not use the number up";
}

TEST_F(TableTest, AnAbortIsNeverAnswered) {
  EXPECT_EQ(send({.type = FrameType::abort, .flags = kStatus, .channel = 9}).kind, Kind::nothing);
}

TEST_F(TableTest, WhenAllAreInUseANewOneIsRefusedUntilOneCloses) {
  for (std::uint32_t i = 1; i <= ChannelTable::kMaxChannels; ++i) EXPECT_EQ(open(i).kind, Kind::opened);
  EXPECT_EQ(abort_of(open(100)).code, StatusCode::busy);
  table->channel(3)->abort({StatusCode::cancelled, ""});
  Buffer out(1000);
  while (table->poll(out, now).bytes != 0) {
  }
  const auto next = open(101);
  EXPECT_EQ(next.kind, Kind::opened);
  EXPECT_EQ(next.slot, 3);
}

TEST_F(TableTest, AChannelThatOnlyAwaitsItsLastAcknowledgementMakesRoom) {
  for (std::uint32_t i = 1; i <= ChannelTable::kMaxChannels; ++i) open(i);
  table->channel(5)->finish({});
  EXPECT_EQ(abort_of(open(100)).code, StatusCode::busy) << "its answer was not sent yet";
  Buffer out(1000);
  while (table->poll(out, now).bytes != 0) {
  }
  EXPECT_EQ(open(101).slot, 5);
}

TEST_F(TableTest, AnOpenerThatOwesAnAnswerForLongMakesRoom) {
  for (std::uint32_t i = 1; i <= ChannelTable::kMaxChannels; ++i) open(i);
  Channel& waiting = *table->channel(6);
  waiting.supply(50);  // unacknowledged: its opener was killed
  Buffer out(1000);
  while (table->poll(out, now).bytes != 0) {
  }
  now += ChannelConfig{}.abandoned_after - Millis(1);
  EXPECT_EQ(abort_of(open(100)).code, StatusCode::busy);
  now += Millis(1);
  EXPECT_EQ(open(101).slot, 6);
  EXPECT_EQ(abort_of(open(102)).code, StatusCode::busy) << "the others owe nothing";
}

TEST_F(TableTest, GarbageAndBadSessionsAreNothing) {
  EXPECT_EQ(table->receive("session1", as_bytes("garbage"), now).kind, Kind::nothing);
  EXPECT_EQ(open(1, "bad session").kind, Kind::nothing);
}

TEST_F(TableTest, ChannelsTakeTurns) {
  for (std::uint32_t i = 1; i <= 3; ++i) {
    const auto arrival = open(i);
    table->channel(arrival.slot)->end();
  }
  Buffer out(1000);
  std::vector<int> order;
  for (auto next = table->poll(out, now); next.bytes != 0; next = table->poll(out, now))
    order.push_back(next.slot);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(AnswerUnknown, TellsTheBoardToForget) {
  Buffer into(128);
  const Frame late{.channel = 4, .from_epoch = kEpoch, .to_epoch = kOpener};
  into.resize(answer_unknown(late, kOpener, into));
  const auto answer = decode_frame(into);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, FrameType::abort);
  EXPECT_EQ(answer->channel, 4u);
  EXPECT_EQ(answer->to_epoch, kEpoch);
  Buffer other(128);
  EXPECT_EQ(answer_unknown(late, kOpener + 1, other), 0u);
  EXPECT_EQ(answer_unknown({.type = FrameType::abort, .to_epoch = kOpener}, kOpener, other), 0u);
}

}  // namespace
}  // namespace mqboard::command
