// Scripted conversations between two channels; each step is a frame that arrives, is lost, or comes again.
#include "core/command/channel.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "core/command/sources.hpp"

namespace mqboard::command {
namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::uint32_t kOpenerEpoch = 0xaaaa;
constexpr std::uint32_t kBoardEpoch = 0xbbbb;

class ChannelTest : public ::testing::Test {
 protected:
  struct End {
    End(Channel::Role role, const ChannelConfig& config, std::uint32_t epoch, std::uint32_t peer)
        : source(memory),
          channel({.role = role, .number = 1, .local_epoch = epoch, .peer_epoch = peer}, config, source,
                  TimePoint{}) {}
    Buffer memory = Buffer(1 << 20);
    BufferSource source;
    Channel channel;
    std::string received;
    bool cancelled = false;

    void send(std::string_view text) {
      source.append(as_bytes(text));
      channel.supply(source.total());
    }
  };

  // The next frame of an end, if any.
  std::optional<Buffer> poll(End& end) {
    Buffer bytes(70'000);
    const std::size_t size = end.channel.poll(bytes, now);
    if (size == 0) return std::nullopt;
    bytes.resize(size);
    return bytes;
  }
  void deliver(End& to, const Buffer& bytes) {
    const auto frame = decode_frame(bytes);
    ASSERT_TRUE(frame);
    const auto taken = to.channel.receive(*frame, now);
    to.received += as_text(taken.data);
    to.channel.consume(taken.data.size());
    to.cancelled = to.cancelled || taken.cancelled;
  }
  // Everything either side has to say now arrives; returns the number of messages.
  int settle() {
    for (int messages = 0;; ++messages) {
      if (const auto frame = poll(opener)) {
        deliver(board, *frame);
      } else if (const auto answer = poll(board)) {
        deliver(opener, *answer);
      } else {
        return messages;
      }
    }
  }
  void wait(Millis time) { now += time; }
  void remake(const ChannelConfig& config) {
    std::destroy_at(&opener);
    std::construct_at(&opener, Channel::Role::opener, config, kOpenerEpoch, 0u);
    std::destroy_at(&board);
    std::construct_at(&board, Channel::Role::acceptor, config, kBoardEpoch, kOpenerEpoch);
  }

  TimePoint now{};
  End opener{Channel::Role::opener, {}, kOpenerEpoch, 0};
  End board{Channel::Role::acceptor, {}, kBoardEpoch, kOpenerEpoch};
};

TEST_F(ChannelTest, ASmallOperationIsOneMessageEachWay) {
  opener.send("1+1");
  opener.channel.end();
  const auto request = poll(opener);
  ASSERT_TRUE(request);
  EXPECT_EQ(decode_frame(*request)->type, FrameType::open);
  EXPECT_FALSE(poll(opener));
  deliver(board, *request);
  EXPECT_EQ(board.received, "1+1");
  EXPECT_FALSE(poll(board)) << "the acknowledgement waits for the answer";
  board.send("2");
  board.channel.finish({StatusCode::ok, "fine"});
  const auto answer = poll(board);
  ASSERT_TRUE(answer);
  deliver(opener, *answer);
  EXPECT_EQ(opener.received, "2");
  EXPECT_TRUE(opener.channel.closed());
  EXPECT_EQ(opener.channel.status(), (Status{StatusCode::ok, "fine"}));
  EXPECT_EQ(settle(), 1) << "the last acknowledgement";
  EXPECT_TRUE(board.channel.closed());
}

TEST_F(ChannelTest, RepeatedFramesSayNothingNew) {
  opener.send("abc");
  const auto request = *poll(opener);
  deliver(board, request);
  deliver(board, request);
  board.send("xyz");
  const auto answer = *poll(board);
  deliver(opener, answer);
  deliver(opener, answer);
  deliver(board, request);
  settle();
  EXPECT_EQ(board.received, "abc");
  EXPECT_EQ(opener.received, "xyz");
}

TEST_F(ChannelTest, ALostFrameIsSentAgainAfterTheGapShows) {
  opener.send("one ");
  settle();
  wait(Millis(50));
  settle();
  opener.send("two ");
  static_cast<void>(poll(opener));  // lost
  opener.send("three");
  settle();
  EXPECT_EQ(board.received, "one two three");
  EXPECT_EQ(opener.channel.bytes_sent_again(), 9u);
}

TEST_F(ChannelTest, ALostLastFrameIsFoundByAProbe) {
  opener.send("one ");
  settle();
  opener.send("two");
  static_cast<void>(poll(opener));  // lost
  EXPECT_FALSE(poll(opener)) << "no timer sends data again";
  wait(Millis(1'001));
  EXPECT_LE(opener.channel.deadline(), now);
  settle();
  EXPECT_EQ(board.received, "one two");
}

TEST_F(ChannelTest, AnIdlePeerThatIsAskedGivesASignOfLife) {
  opener.send("one");
  settle();
  wait(Millis(300));
  settle();
  wait(Millis(300));
  EXPECT_EQ(settle(), 0) << "nothing is outstanding";
  board.channel.ask();
  EXPECT_EQ(settle(), 2);
  EXPECT_EQ(board.channel.heard_at(), now);
}

TEST_F(ChannelTest, AnUnansweredOpenIsSentAgainWhole) {
  opener.send("hello");
  static_cast<void>(poll(opener));  // lost
  wait(Millis(1'001));
  const auto again = poll(opener);
  ASSERT_TRUE(again);
  EXPECT_EQ(decode_frame(*again)->type, FrameType::open);
  EXPECT_TRUE(decode_frame(*again)->has(kProbe));
  deliver(board, *again);
  const auto state = poll(board);
  ASSERT_TRUE(state) << "a probe is answered at once";
}

TEST_F(ChannelTest, FramesOutOfOrderArriveInOrder) {
  opener.send("a");
  const auto first = *poll(opener);
  opener.send("b");
  const auto second = *poll(opener);
  opener.send("c");
  const auto third = *poll(opener);
  deliver(board, first);
  deliver(board, third);
  deliver(board, second);
  EXPECT_EQ(board.received, "ab");
  settle();
  EXPECT_EQ(board.received, "abc");
}

TEST_F(ChannelTest, AStaleGapDoesNotSendAgainTwice) {
  remake({.largest_send = 4});
  opener.send("head");
  settle();
  wait(Millis(50));
  settle();
  opener.send("lostmoremore");
  static_cast<void>(poll(opener));
  deliver(board, *poll(opener));
  const auto gap = *poll(board);
  EXPECT_TRUE(decode_frame(gap)->has(kGap));
  deliver(board, *poll(opener));
  EXPECT_FALSE(poll(board)) << "one gap is reported once";
  deliver(opener, gap);
  const auto resent = *poll(opener);
  deliver(opener, gap);  // the broker repeats it
  deliver(board, resent);
  settle();
  EXPECT_EQ(board.received, "headlostmoremore");
  EXPECT_EQ(opener.channel.bytes_sent_again(), 12u);
}

TEST_F(ChannelTest, TheSenderStaysWithinTheWindow) {
  remake({.window_bytes = 1000, .largest_send = 300, .initial_credit = 1000});
  opener.send(std::string(5000, 'x'));
  std::size_t sent = 0;
  while (const auto frame = poll(opener)) {
    const auto decoded = decode_frame(*frame);
    sent += decoded->data.size();
    static_cast<void>(board.channel.receive(*decoded, now));  // taken, not consumed
  }
  EXPECT_EQ(sent, 1000u);
  while (const auto state = poll(board)) deliver(opener, *state);
  EXPECT_FALSE(poll(opener));
  board.channel.consume(600);
  deliver(opener, *poll(board));
  sent = 0;
  while (const auto frame = poll(opener)) sent += decode_frame(*frame)->data.size();
  EXPECT_EQ(sent, 600u);
}

TEST_F(ChannelTest, BytesBeyondTheCreditAreNotTaken) {
  remake({.window_bytes = 1000, .initial_credit = 1000});
  Buffer bytes(kFrameHeaderBytes + 1500);
  ASSERT_NE(encode_frame_head({.type = FrameType::open, .channel = 1, .from_epoch = kOpenerEpoch}, bytes),
            0u);
  const auto taken = board.channel.receive(*decode_frame(bytes), now);
  EXPECT_EQ(taken.data.size(), 1000u);
}

TEST_F(ChannelTest, MessagesInFlightAreBounded) {
  remake({.frames_in_flight = 10});
  for (int i = 0; i < 100; ++i) {
    opener.send("x");
    if (i >= 10) {
      EXPECT_FALSE(poll(opener));
    } else {
      EXPECT_TRUE(poll(opener));
    }
  }
}

TEST_F(ChannelTest, CancelReachesThePeerOnceAndItsStatusComesBack) {
  opener.send("run");
  settle();
  opener.channel.cancel();
  settle();
  EXPECT_TRUE(board.cancelled);
  board.cancelled = false;
  wait(Millis(1'001));
  settle();
  EXPECT_FALSE(board.cancelled) << "said once to the owner, however often it is repeated";
  board.channel.finish({StatusCode::interrupted, "stopped"});
  settle();
  EXPECT_EQ(opener.channel.status().code, StatusCode::interrupted);
}

TEST_F(ChannelTest, AbortOvertakesTheStream) {
  remake({.window_bytes = 10, .initial_credit = 10});
  opener.send("run");
  settle();
  board.send(std::string(1000, 'x'));
  board.channel.abort({StatusCode::no_space, "disk full"});
  settle();
  EXPECT_TRUE(opener.channel.closed());
  EXPECT_EQ(opener.channel.status(), (Status{StatusCode::no_space, "disk full"}));
}

TEST_F(ChannelTest, ALostAbortIsSaidAgainToWhoeverAsks) {
  opener.send("run");
  settle();
  board.channel.abort({StatusCode::io, "broken"});
  static_cast<void>(poll(board));  // lost
  opener.send("more");
  settle();
  EXPECT_EQ(opener.channel.status().code, StatusCode::io);
}

TEST_F(ChannelTest, FinishingEarlyEndsTheOpenersStream) {
  remake({.window_bytes = 100, .initial_credit = 100});
  opener.send(std::string(10'000, 'x'));
  deliver(board, *poll(opener));
  board.channel.finish({StatusCode::no_space, "disk full"});
  settle();
  EXPECT_EQ(opener.channel.status().code, StatusCode::no_space);
  EXPECT_TRUE(board.channel.closed());
  EXPECT_FALSE(poll(opener));
}

TEST_F(ChannelTest, BothHalfClosedWithoutStatusIsOk) {
  opener.send("a");
  opener.channel.end();
  settle();
  EXPECT_TRUE(board.channel.open());
  board.send("b");
  board.channel.end();
  settle();
  wait(Millis(50));
  settle();
  EXPECT_TRUE(opener.channel.closed());
  EXPECT_TRUE(board.channel.closed());
  EXPECT_TRUE(opener.channel.status().ok());
}

TEST_F(ChannelTest, AnotherLifeOfThePeerMeansLost) {
  opener.send("run");
  settle();
  Buffer bytes(kFrameOverhead);
  bytes.resize(encode_frame_head({.type = FrameType::abort,
                                  .flags = kStatus,
                                  .channel = 1,
                                  .from_epoch = 0xcccc,
                                  .to_epoch = kOpenerEpoch,
                                  .status = StatusCode::busy},
                                 bytes));
  deliver(opener, bytes);
  EXPECT_EQ(opener.channel.status().code, StatusCode::lost);
}

TEST_F(ChannelTest, FramesOfOtherLivesAndChannelsAreIgnored) {
  opener.send("run");
  settle();
  for (const Frame& frame :
       {Frame{.channel = 2, .from_epoch = kBoardEpoch, .to_epoch = kOpenerEpoch, .ack = 1},
        Frame{.channel = 1, .from_epoch = kBoardEpoch, .to_epoch = 0x1234, .ack = 1},
        Frame{.channel = 1, .from_epoch = 0xdddd, .to_epoch = kOpenerEpoch, .ack = 1},
        Frame{.channel = 1, .from_epoch = kBoardEpoch, .to_epoch = 0, .ack = 1}}) {
    Buffer bytes(kFrameOverhead);
    bytes.resize(encode_frame_head(frame, bytes));
    deliver(opener, bytes);
  }
  EXPECT_TRUE(opener.channel.open());
}

TEST_F(ChannelTest, AnAcknowledgementOfWhatWasNeverSentIsIgnored) {
  opener.send("run");
  static_cast<void>(poll(opener));
  Buffer bytes(kFrameOverhead);
  bytes.resize(encode_frame_head(
      {.channel = 1, .from_epoch = kBoardEpoch, .to_epoch = kOpenerEpoch, .ack = 1000, .credit = 1000},
      bytes));
  deliver(opener, bytes);
  EXPECT_EQ(opener.channel.acknowledged(), 0u);
  EXPECT_FALSE(opener.channel.heard());
}

TEST_F(ChannelTest, SilenceEndsItInTheEnd) {
  opener.send("run");
  settle();
  for (int i = 0; i < 100 && opener.channel.open(); ++i) {
    now = std::max(now + Millis(1), opener.channel.deadline());
    while (poll(opener)) {
    }
  }
  EXPECT_EQ(opener.channel.status().code, StatusCode::timed_out);
  EXPECT_GE(now - TimePoint{}, Millis(90'000));
  EXPECT_LE(now - TimePoint{}, Millis(111'000));
}

TEST_F(ChannelTest, AnIdleChannelIsKeptAlive) {
  opener.send("run");
  settle();
  for (int i = 0; i < 1000; ++i) {
    now = std::max(now + Millis(1), std::min(opener.channel.deadline(), board.channel.deadline()));
    settle();
  }
  EXPECT_TRUE(opener.channel.open());
  EXPECT_TRUE(board.channel.open());
  EXPECT_GT(now - TimePoint{}, Millis(1'000'000));
}

TEST_F(ChannelTest, AfterReconnectingBothSidesFindOutAtOnce) {
  opener.send("run");
  settle();
  opener.send("request");
  static_cast<void>(poll(opener));  // lost with the connection
  board.send("answer");
  static_cast<void>(poll(board));  // lost with the connection
  opener.channel.reconnected();
  board.channel.reconnected();
  settle();
  EXPECT_EQ(board.received, "runrequest");
  EXPECT_EQ(opener.received, "answer");
}

TEST_F(ChannelTest, AfterReconnectingNothingNewIsSentUntilThePeerSaidWhatItHas) {
  remake({.window_bytes = 1 << 20, .largest_send = 1000, .initial_credit = 1 << 20, .initial_largest = 1000});
  opener.send("open");
  settle();
  wait(Millis(50));
  settle();
  opener.send(std::string(20'000, 'x'));
  static_cast<void>(poll(opener));  // lost with the connection
  opener.channel.reconnected();
  const auto question = poll(opener);
  ASSERT_TRUE(question);
  EXPECT_EQ(decode_frame(*question)->type, FrameType::state);
  EXPECT_TRUE(decode_frame(*question)->has(kProbe));
  EXPECT_FALSE(poll(opener));
  deliver(board, *question);
  settle();
  EXPECT_EQ(board.received.size(), 20'004u);
  EXPECT_EQ(opener.channel.bytes_sent_again(), 1000u) << "what was lost and no more";
}

TEST_F(ChannelTest, WhatIsUnderWayStaysWithinTheFlight_WhichGrowsWhileThePathIsShort) {
  remake({.window_bytes = 1 << 20,
          .largest_send = 500,
          .initial_credit = 1 << 20,
          .initial_largest = 500,
          .frames_in_flight = 128,
          .flight = {.least = 1'000, .first = 2'000, .most = 8'000}});
  opener.send("open");
  settle();
  opener.send(std::string(100'000, 'x'));
  for (const std::size_t flight : {2'000u, 4'000u, 8'000u, 8'000u}) {
    std::vector<Buffer> frames;
    while (const auto frame = poll(opener)) frames.push_back(*frame);
    EXPECT_NEAR(static_cast<double>(frames.size() * 500), static_cast<double>(flight), 500);
    wait(Millis(5));
    for (const Buffer& frame : frames) deliver(board, frame);
    while (const auto answer = poll(board)) deliver(opener, *answer);
  }
}

TEST_F(ChannelTest, DataThatCannotBeReadAbortsTheChannel) {
  opener.source.append(as_bytes("abc"));
  opener.channel.supply(10);  // more than there is
  const auto frame = poll(opener);
  ASSERT_TRUE(frame);
  EXPECT_EQ(decode_frame(*frame)->type, FrameType::abort);
  EXPECT_EQ(opener.channel.status().code, StatusCode::io);
}

TEST(RingSourceTest, TakesWhatFitsAndGivesRoomBackWhenReleased) {
  Buffer memory(8);
  RingSource ring(memory);
  EXPECT_EQ(ring.write(as_bytes("0123456789")), 8u);
  EXPECT_EQ(ring.write(as_bytes("x")), 0u);
  Buffer out(4);
  ASSERT_TRUE(ring.read(2, out));
  EXPECT_EQ(as_text(out), "2345");
  ring.release(5);
  EXPECT_EQ(ring.room(), 5u);
  EXPECT_EQ(ring.write(as_bytes("abcdef")), 5u);
  EXPECT_FALSE(ring.read(4, out)) << "released";
  ASSERT_TRUE(ring.read(7, out));
  EXPECT_EQ(as_text(out), "7abc");
  EXPECT_FALSE(ring.read(10, out)) << "not there yet";
}

}  // namespace
}  // namespace mqboard::command
