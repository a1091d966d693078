#include "core/command/v1.hpp"

#include <gtest/gtest.h>

#include "core/command/testing/memory_files.hpp"
#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command::v1 {
namespace {

using testing::from_hex;
using testing::hex;
using testing::MemoryFiles;
using testing::TestHasher;
using Verdict = RequestAssembler::Verdict;

std::vector<std::uint8_t> message(Header header, std::string_view data = "") {
  const auto head = encode(header);
  std::vector<std::uint8_t> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

TEST(Header, IsTwoBytesBigEndianWithTheLastFlagOnTop) {
  EXPECT_EQ(hex(encode({true, 0})), "8000");
  EXPECT_EQ(hex(encode({false, 1})), "0001");
  EXPECT_EQ(hex(encode(kSingle)), "ffff");
  EXPECT_EQ(decode(from_hex("806b")), (Header{true, 107}));
  EXPECT_EQ(decode(from_hex("806b00")), (Header{true, 107}));
  EXPECT_FALSE(decode(from_hex("80")));
  EXPECT_FALSE(decode({}));
}

TEST(ErrorTexts, AreTheOriginals) {
  EXPECT_EQ(protocol_error("put", "missing first message"),
            "MQRepl protocol error put: missing first message");
  EXPECT_EQ(unsupported_command("fly"), "Command 'fly' not supported");
  EXPECT_EQ(operation_error("get", "/nothere", file_status(FsError::not_found, "/nothere")),
            "OSError: [Errno 2] ENOENT: /nothere");
  EXPECT_EQ(operation_error("ota", "", {StatusCode::integrity, "wrong hash"}), "ota: wrong hash");
}

class Assembler : public ::testing::Test {
 protected:
  RequestAssembler::Admission admit(Header header, std::string_view id = "id1",
                                    std::string_view command = "put", std::string_view tail = "/f",
                                    bool retained = false, bool dup = false) {
    payload = message(header, "data");
    return assembler.admit(
        {.topic = {command, id, tail, true}, .payload = payload, .retained = retained, .dup = dup}, now);
  }
  RequestAssembler assembler;
  std::vector<std::uint8_t> payload;
  TimePoint now{};
};

TEST_F(Assembler, AdmitsAStreamInOrder) {
  const auto first = admit({false, 0});
  EXPECT_EQ(first.verdict, Verdict::begin);
  EXPECT_EQ(as_text(first.data), "data");
  EXPECT_EQ(assembler.id(first.stream), "id1");
  EXPECT_EQ(admit({false, 1}).verdict, Verdict::more);
  const auto last = admit({true, 2});
  EXPECT_EQ(last.verdict, Verdict::more);
  EXPECT_TRUE(last.header.last);
  EXPECT_EQ(last.stream, first.stream);
}

TEST_F(Assembler, ARepeatedMessageIsIgnored) {
  admit({false, 0});
  EXPECT_EQ(admit({false, 0}).verdict, Verdict::ignore);
  admit({false, 1});
  EXPECT_EQ(admit({false, 0}).verdict, Verdict::ignore);
  EXPECT_EQ(admit({false, 1}).verdict, Verdict::ignore);
  EXPECT_EQ(admit({false, 2}).verdict, Verdict::more);
}

TEST_F(Assembler, ARepeatOfTheLastMessageRepeatsTheReplyOnceThereIsOne) {
  admit({false, 0});
  const auto last = admit({true, 1});
  EXPECT_EQ(admit({true, 1}).verdict, Verdict::ignore) << "not answered yet";
  assembler.finish(last.stream, from_hex("ffff4f4b"));
  const auto again = admit({true, 1});
  EXPECT_EQ(again.verdict, Verdict::repeat_reply);
  EXPECT_EQ(hex(assembler.reply(again.stream)), "ffff4f4b");
  EXPECT_EQ(admit({false, 0}).verdict, Verdict::ignore);
}

TEST_F(Assembler, AReplyTooLongToRememberIsEmpty) {
  const auto only = admit({true, 0});
  assembler.finish(only.stream, std::vector<std::uint8_t>(RequestAssembler::kRememberedReply + 1));
  EXPECT_EQ(admit({true, 0}).verdict, Verdict::repeat_reply);
  EXPECT_TRUE(assembler.reply(only.stream).empty());
}

TEST_F(Assembler, AGapIsReportedOnceAndKillsTheStream) {
  admit({false, 0});
  const auto gap = admit({false, 2});
  EXPECT_EQ(gap.verdict, Verdict::refuse);
  EXPECT_EQ(gap.why, "message missing: 2 vs. 1");
  EXPECT_EQ(admit({false, 1}).verdict, Verdict::ignore);
  EXPECT_EQ(admit({true, 3}).verdict, Verdict::ignore);
}

TEST_F(Assembler, AMissingFirstMessageIsReportedOnce) {
  EXPECT_EQ(admit({false, 5}).why, "missing first message");
  EXPECT_EQ(admit({false, 6}).verdict, Verdict::ignore);
  EXPECT_EQ(admit({false, 0}).verdict, Verdict::ignore);
}

TEST_F(Assembler, AChangedTailKillsTheStream) {
  admit({false, 0});
  EXPECT_EQ(admit({false, 1}, "id1", "put", "/g").verdict, Verdict::refuse);
  EXPECT_EQ(admit({false, 1}).verdict, Verdict::ignore);
}

TEST_F(Assembler, AMessageAfterTheLastIsRefused) {
  admit({true, 0});
  EXPECT_EQ(admit({true, 1}).why, "message after the last");
}

TEST_F(Assembler, RetainedIsRefusedAndWithoutHeaderIgnored) {
  EXPECT_EQ(admit({true, 0}, "id1", "eval", "", true).verdict, Verdict::refuse);
  const std::vector<std::uint8_t> shorter{0x80};
  EXPECT_EQ(assembler.admit({.topic = {"eval", "x", "", false}, .payload = shorter}, now).verdict,
            Verdict::ignore);
  EXPECT_EQ(admit({true, 0}).verdict, Verdict::begin);
}

TEST_F(Assembler, RedeliveriesBeforeAnythingNewAreIgnored) {
  EXPECT_EQ(admit({true, 0}, "a", "eval", "x", false, true).verdict, Verdict::ignore);
  EXPECT_EQ(admit({true, 0}, "b", "eval", "x").verdict, Verdict::begin);
  EXPECT_EQ(admit({true, 0}, "c", "eval", "x", false, true).verdict, Verdict::begin);
}

TEST_F(Assembler, TheWatchdogsLoopBackIsAlwaysNew) {
  for (int i = 0; i < 3; ++i) {
    const auto feed = admit({true, 0}, "0F00D", "eval", "");
    EXPECT_EQ(feed.verdict, Verdict::begin);
    assembler.finish(feed.stream, from_hex("ffff"));
  }
  const auto pending = admit({true, 0}, "0F00D", "eval", "");
  EXPECT_EQ(pending.verdict, Verdict::begin);
  EXPECT_EQ(admit({true, 0}, "0F00D", "eval", "").verdict, Verdict::ignore) << "still being answered";
}

TEST_F(Assembler, SequenceWrapsAfter32768Messages) {
  admit({false, 0});
  for (std::uint32_t i = 1; i < 70'000; ++i)
    ASSERT_EQ(admit({false, static_cast<std::uint16_t>(i & 0x7fff)}).verdict, Verdict::more) << i;
  EXPECT_EQ(admit({false, 69'999 & 0x7fff}).verdict, Verdict::ignore);
  EXPECT_EQ(admit({true, 70'000 & 0x7fff}).verdict, Verdict::more);
}

TEST_F(Assembler, ALastFlagOnTheWrapIsASenderThatCannotCount) {
  admit({false, 0});
  for (std::uint32_t i = 1; i < 0x8000; ++i) admit({false, static_cast<std::uint16_t>(i)});
  EXPECT_EQ(admit({true, 0}).why, "too many messages");
}

TEST_F(Assembler, AFloodDisplacesFinishedStreamsFirstAndNeverActiveOnes) {
  const auto active = admit({false, 0}, "active");
  for (int i = 0; i < 100; ++i) {
    now += Millis(10);
    const auto one = admit({true, 0}, "f" + std::to_string(i), "eval");
    ASSERT_EQ(one.verdict, Verdict::begin);
    EXPECT_FALSE(one.displaced);
    assembler.finish(one.stream, {});
  }
  EXPECT_EQ(admit({false, 1}, "active").stream, active.stream);
  for (std::size_t i = 1; i < RequestAssembler::kMaxStreams; ++i)
    EXPECT_EQ(admit({false, 0}, "p" + std::to_string(i)).verdict, Verdict::begin);
  EXPECT_EQ(admit({false, 0}, "more").why, "too many requests at once");
  EXPECT_EQ(admit({false, 2}, "active").verdict, Verdict::more);
}

TEST_F(Assembler, AnAbandonedStreamMakesRoomAndIsReported) {
  for (std::size_t i = 0; i < RequestAssembler::kMaxStreams; ++i) {
    admit({false, 0}, "p" + std::to_string(i));
    now += Millis(1);
  }
  now += RequestAssembler::kAbandonedAfter;
  const auto fresh = admit({false, 0}, "fresh");
  EXPECT_EQ(fresh.verdict, Verdict::begin);
  EXPECT_EQ(fresh.displaced, fresh.stream);
  EXPECT_EQ(admit({false, 1}, "p0").why, "missing first message");
}

class CountingSink final : public TransferSink {
 public:
  Status write(Bytes data) override {
    stored.append(as_text(data));
    return fault;
  }
  Status commit() override {
    committed = true;
    return commit_fault;
  }
  void abort() override { aborted = true; }
  std::string stored;
  Status fault;
  Status commit_fault;
  bool committed = false;
  bool aborted = false;
};

TEST(PutReceiverTest, AcknowledgesEveryEighthMessageAndTheEnd) {
  CountingSink sink;
  PutReceiver receiver(sink);
  std::vector<std::string> replies;
  for (std::uint16_t i = 0; i <= 17; ++i) {
    const auto step = receiver.message({.header = {i == 17, i}, .data = as_bytes("x")});
    EXPECT_EQ(step.finished, i == 17);
    if (!step.reply.empty())
      replies.push_back(hex(step.reply.first(2)) + std::string(as_text(step.reply.subspan(2))));
  }
  EXPECT_EQ(replies, (std::vector<std::string>{"ffffSEQ 0", "ffffSEQ 8", "ffffSEQ 16", "ffffOK"}));
  EXPECT_TRUE(sink.committed);
  EXPECT_EQ(sink.stored.size(), 18u);
}

TEST(PutReceiverTest, AFaultAbortsAndIsReported) {
  CountingSink sink;
  PutReceiver receiver(sink);
  sink.fault = file_status(FsError::no_space, "/f");
  EXPECT_EQ(receiver.message({.header = {false, 0}}).status.code, StatusCode::no_space);
  EXPECT_TRUE(sink.aborted);
  CountingSink other;
  PutReceiver second(other);
  other.commit_fault = {StatusCode::integrity, "hash"};
  const auto step = second.message({.header = {true, 0}});
  EXPECT_EQ(step.status.code, StatusCode::integrity);
  EXPECT_TRUE(step.reply.empty());
  EXPECT_FALSE(step.finished);
}

TEST(GetSenderTest, SendsChunksThenAnEmptyMessageFlaggedLast) {
  MemoryFiles files;
  files.put("/f", std::string(5000, 'f'));
  GetSender sender(files);
  ASSERT_TRUE(sender.open("/f").ok());
  std::array<std::uint8_t, kHeaderBytes + kReplyChunk> buffer{};
  std::vector<std::string> sent;
  while (!sender.finished()) {
    const Bytes reply = *sender.next(buffer);
    sent.push_back(hex(reply.first(2)) + "+" + std::to_string(reply.size() - 2));
  }
  EXPECT_EQ(sent, (std::vector<std::string>{"0000+2800", "0001+2200", "8002+0"}));
  EXPECT_TRUE(sender.next(buffer)->empty());
  EXPECT_EQ(files.open_files(), 0u);
}

TEST(GetSenderTest, RefusesWhatIsNoFile) {
  MemoryFiles files;
  files.make_directory("/d");
  GetSender sender(files);
  EXPECT_EQ(sender.open("/d").code, StatusCode::is_a_directory);
  EXPECT_EQ(sender.open("/x"), (Status{StatusCode::not_found, "/x: No such file or directory"}));
}

class EvalReplyTest : public ::testing::Test {
 protected:
  static std::string shown(Bytes reply) {
    return hex(reply.first(2)) + " " + std::string(as_text(reply.subspan(2)));
  }
  std::array<std::uint8_t, kHeaderBytes + 20> buffer{};
  EvalReply reply{buffer};
};

TEST_F(EvalReplyTest, AShortResultIsOneMessage) {
  EXPECT_EQ(reply.append(as_bytes("921")), 3u);
  EXPECT_EQ(shown(reply.finish()), "ffff 921");
  EXPECT_TRUE(reply.finished());
  EXPECT_FALSE(reply.streamed());
}

TEST_F(EvalReplyTest, NoOutputIsAnEmptyMessage) { EXPECT_EQ(shown(reply.finish()), "ffff "); }

TEST_F(EvalReplyTest, LongOutputIsStreamed) {
  EXPECT_EQ(reply.append(as_bytes("0123456789abcdefghijKLM")), 20u);
  EXPECT_EQ(shown(reply.flush()), "0000 0123456789abcdefghij");
  EXPECT_EQ(reply.append(as_bytes("KLM")), 3u);
  EXPECT_EQ(shown(reply.finish()), "8001 KLM");
}

TEST_F(EvalReplyTest, OutputSoFarCanBeSentEarly) {
  EXPECT_TRUE(reply.flush().empty());
  reply.append(as_bytes("a"));
  EXPECT_TRUE(reply.has_output());
  EXPECT_EQ(shown(reply.flush()), "0000 a");
  EXPECT_FALSE(reply.has_output());
  EXPECT_TRUE(reply.flush().empty());
  EXPECT_EQ(shown(reply.finish()), "8001 ");
}

TEST_F(EvalReplyTest, OutputThatLooksLikeAnAcknowledgementGoesInTwoPieces) {
  reply.append(as_bytes("SEQ 7"));
  EXPECT_EQ(shown(reply.finish()), "0000 S");
  EXPECT_FALSE(reply.finished());
  EXPECT_EQ(shown(reply.finish()), "8001 EQ 7");
  EXPECT_TRUE(reply.finished());
}

TEST_F(EvalReplyTest, SequenceSkipsTheNumberThatMeansNone) {
  for (std::uint32_t i = 0; i < 0x7fff; ++i) {
    reply.append(as_bytes("x"));
    ASSERT_EQ(decode(reply.flush())->sequence, i);
  }
  reply.append(as_bytes("x"));
  EXPECT_EQ(decode(reply.flush())->sequence, 0);
}

}  // namespace
}  // namespace mqboard::command::v1
