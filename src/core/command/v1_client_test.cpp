#include "core/command/v1_client.hpp"

#include <gtest/gtest.h>

#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command::v1 {
namespace {

using testing::from_hex;
using Expect = ReplyCollector::Expect;
using Kind = ReplyCollector::Kind;
using Proof = PutSender::Proof;

TEST(Collector, TakesPiecesInOrderAndIgnoresRepeats) {
  ReplyCollector collector(Expect::output);
  const auto first = from_hex("000061"), second = from_hex("000162"), last = from_hex("8002");
  EXPECT_EQ(as_text(collector.reply(ReplyKind::out, first).data), "a");
  EXPECT_EQ(collector.reply(ReplyKind::out, first).kind, Kind::ignored);
  EXPECT_EQ(as_text(collector.reply(ReplyKind::out, second).data), "b");
  EXPECT_EQ(collector.reply(ReplyKind::out, last).kind, Kind::done);
  EXPECT_EQ(collector.reply(ReplyKind::out, last).kind, Kind::ignored);
  EXPECT_TRUE(collector.ended());
}

TEST(Collector, TakesAnyHeaderForASingleReply) {
  for (const char* text : {"ffff393231", "8000393231"}) {
    ReplyCollector collector(Expect::output);
    const auto payload = from_hex(text);
    const auto event = collector.reply(ReplyKind::out, payload);
    EXPECT_EQ(event.kind, Kind::done);
    EXPECT_EQ(as_text(event.data), "921");
  }
}

TEST(Collector, AMissingPieceBreaksTheReply) {
  ReplyCollector collector(Expect::output);
  EXPECT_EQ(collector.reply(ReplyKind::out, from_hex("000161")).kind, Kind::broken);
  EXPECT_EQ(collector.reply(ReplyKind::out, from_hex("000061")).kind, Kind::ignored);
}

TEST(Collector, AnErrorReplyEndsItWithTheBoardsText) {
  ReplyCollector collector(Expect::output);
  const auto event = collector.reply(ReplyKind::err, as_bytes("Traceback"));
  EXPECT_EQ(event.kind, Kind::failed);
  EXPECT_EQ(as_text(event.data), "Traceback");
}

TEST(Collector, AcknowledgementsAreSeenForTransfersOnly) {
  const auto payload = from_hex("ffff53455120313034");
  ReplyCollector transfer(Expect::acknowledgements);
  const auto event = transfer.reply(ReplyKind::out, payload);
  EXPECT_EQ(event.kind, Kind::acknowledged);
  EXPECT_EQ(event.sequence, 104);
  EXPECT_EQ(transfer.reply(ReplyKind::out, payload).kind, Kind::acknowledged) << "a repeat ends nothing";
  EXPECT_EQ(transfer.reply(ReplyKind::out, from_hex("ffff4f4b")).kind, Kind::done);
  ReplyCollector eval(Expect::output);
  EXPECT_EQ(as_text(eval.reply(ReplyKind::out, payload).data), "SEQ 104");
}

TEST(Collector, MalformedAcknowledgementsAreData) {
  for (const char* text : {"SEQ ", "SEQ x", "SEQ 99999", "SEQ 1 ", "SEQ -1"}) {
    ReplyCollector collector(Expect::acknowledgements);
    auto payload = from_hex("ffff");
    for (const char* c = text; *c != 0; ++c) payload.push_back(static_cast<std::uint8_t>(*c));
    EXPECT_EQ(collector.reply(ReplyKind::out, payload).kind, Kind::done) << text;
  }
}

TEST(Collector, CountsBeyondTheEndOfTheSequence) {
  ReplyCollector collector(Expect::output);
  for (std::uint32_t i = 0; i < 70'000; ++i) {
    const auto payload = encode({false, static_cast<std::uint16_t>(i % 0x7fff)});
    ASSERT_EQ(collector.reply(ReplyKind::out, payload).kind, Kind::data) << i;
    ASSERT_EQ(collector.reply(ReplyKind::out, payload).kind, Kind::ignored) << i;
  }
}

TEST(Sender, CutsAsTheOriginalDoes) {
  PutSender sender(5000, {});
  std::vector<std::pair<Header, std::size_t>> sent;
  while (const auto slice = sender.next()) {
    EXPECT_EQ(slice->offset, sent.size() * 1400);
    sent.emplace_back(slice->header, slice->bytes);
  }
  EXPECT_EQ(sent, (std::vector<std::pair<Header, std::size_t>>{
                      {{false, 0}, 1400}, {{false, 1}, 1400}, {{false, 2}, 1400}, {{true, 3}, 800}}));
}

TEST(Sender, AnEmptyFileIsOneEmptyMessageAndAFullChunkHasNoTrailer) {
  PutSender empty(0, {});
  EXPECT_EQ(empty.next()->header, (Header{true, 0}));
  EXPECT_FALSE(empty.next());
  PutSender full(1400, {});
  EXPECT_EQ(full.next()->header, (Header{true, 0}));
  EXPECT_TRUE(full.all_sent());
}

TEST(Sender, StaysWithinTheWindowOfAcknowledgements) {
  PutSender sender(1'000'000, {});
  int sent = 0;
  while (sender.next()) ++sent;
  EXPECT_EQ(sent, 16);
  sender.acknowledged(0);
  EXPECT_TRUE(sender.next());
  EXPECT_FALSE(sender.next());
  sender.acknowledged(0);
  EXPECT_FALSE(sender.next()) << "stale";
  sender.acknowledged(999);
  EXPECT_FALSE(sender.next()) << "impossible";
  sender.acknowledged(8);
  sent = 0;
  while (sender.next()) ++sent;
  EXPECT_EQ(sent, 8);
  EXPECT_EQ(sender.bytes_proven(), 9u * 1400);
}

TEST(Sender, TooNarrowAWindowIsWidenedToReachTheNextAcknowledgement) {
  PutSender sender(1'000'000, {.window = 4});
  int sent = 0;
  while (sender.next()) ++sent;
  EXPECT_EQ(sent, 9);
}

TEST(Sender, UsesBarriersWhereNothingIsAcknowledged) {
  PutSender sender(30 * 1400, {.window = 8, .proof = Proof::barrier});
  int sent = 0;
  int barriers = 0;
  while (!sender.all_sent()) {
    while (!sender.wants_barrier() && sender.next()) ++sent;
    if (!sender.wants_barrier()) break;
    sender.barrier_sent();
    ++barriers;
    while (sender.next()) ++sent;
    ASSERT_LE(static_cast<std::uint64_t>(sent) * 1400 - sender.bytes_proven(), 8u * 1400);
    sender.barrier_passed();
  }
  EXPECT_EQ(sent, 30);
  EXPECT_GE(barriers, 3);
}

TEST(Sender, NeverPutsTheLastFlagOnAWrappedZero) {
  const std::uint64_t bytes = std::uint64_t{0x8000} * 10 + 1;
  PutSender sender(bytes, {.chunk_bytes = 10});
  std::uint64_t total = 0;
  Header header;
  while (!sender.all_sent()) {
    const auto slice = sender.next();
    ASSERT_TRUE(slice);
    total += slice->bytes;
    header = slice->header;
    ASSERT_FALSE(header.last && header.sequence == 0);
    if ((header.sequence & 7) == 0) sender.acknowledged(header.sequence);
  }
  EXPECT_EQ(header, (Header{true, 1}));
  EXPECT_EQ(total, bytes);
  EXPECT_FALSE(PutSender::fits_original(bytes, 10));
  EXPECT_TRUE(PutSender::fits_original(45'875'200));
  EXPECT_FALSE(PutSender::fits_original(45'875'201));
}

}  // namespace
}  // namespace mqboard::command::v1
