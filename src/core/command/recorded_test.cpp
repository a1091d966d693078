// The recorded conversations, each side played by our machines: our board answers the recorded requests as
// the original did, our client sends the recorded requests and accepts the recorded replies.
#include <gtest/gtest.h>

#include <map>

#include "core/command/testing/memory_files.hpp"
#include "core/command/testing/recorded.hpp"
#include "core/command/testing/test_hasher.hpp"
#include "core/command/v1.hpp"
#include "core/command/v1_client.hpp"

namespace mqboard::command::v1 {
namespace {

using namespace testing;
using Buffer = std::vector<std::uint8_t>;

struct Reply {
  std::string topic;
  Buffer payload;
};

// Known bytes, and where only the length is known, filler.
Buffer payload_of(const RecordedMessage& message) {
  Buffer bytes = from_hex(message.hex);
  bytes.resize(message.length, 'x');
  return bytes;
}

std::string full(std::string_view rest) { return std::string(kRecordedPrefix) + "/mqb/" + std::string(rest); }

// The v1 side of a board, with the interpreter's answers given.
class Board {
 public:
  Board() {
    files_.make_directory("/g1");
    files_.put("/g1/small", "hello\n");
    files_.put("/g1/empty", "");
    files_.put("/g1/f5000", std::string(5000, 'x'));
  }

  std::vector<Reply> receive(const std::string& topic, const Buffer& payload) {
    replies_.clear();
    const auto parsed = parse_request_topic(kRecordedPrefix, topic);
    EXPECT_TRUE(parsed) << topic;
    const auto admission = requests_.admit({.topic = *parsed, .payload = payload}, TimePoint{});
    if (parsed->command == "eval") eval(*parsed, admission);
    if (parsed->command == "get") get(*parsed);
    if (parsed->command == "put" || parsed->command == "ota") put(*parsed, admission);
    return replies_;
  }
  MemoryFiles& files() { return files_; }

 private:
  void reply(ReplyKind kind, std::string_view id, Bytes payload) {
    replies_.push_back(
        {std::string(reply_topic(kRecordedPrefix, kind, id).view()), {payload.begin(), payload.end()}});
  }
  void eval(const RequestTopic& topic, const RequestAssembler::Admission& admission) {
    const std::map<std::string_view, std::string> values{
        {"45+876", "921"},
        {"\"x\"*5000", "'" + std::string(5000, 'x') + "'"},
        {"import sys; print(sys.implementation)", "(name='micropython'" + std::string(119, ' ')}};
    const auto known = values.find(as_text(admission.data));
    if (known == values.end())
      return reply(ReplyKind::err, topic.id, as_bytes("Traceback: ZeroDivisionError"));
    Buffer buffer(kHeaderBytes + 65536);
    EvalReply answer(buffer);
    answer.append(as_bytes(known->second));
    while (!answer.finished()) reply(ReplyKind::out, topic.id, answer.finish());
  }
  void get(const RequestTopic& topic) {
    GetSender sender(files_);
    if (const Status status = sender.open(topic.tail); !status.ok())
      return reply(ReplyKind::err, topic.id, as_bytes(operation_error("get", topic.tail, status)));
    Buffer buffer(kHeaderBytes + kReplyChunk);
    while (!sender.finished()) reply(ReplyKind::out, topic.id, *sender.next(buffer));
  }
  void put(const RequestTopic& topic, const RequestAssembler::Admission& admission) {
    const std::string_view path = topic.command == "ota" ? "/image" : topic.tail;
    if (admission.verdict == RequestAssembler::Verdict::begin)
      if (const Status status = sink_.create(path, 1); !status.ok())
        return reply(ReplyKind::err, topic.id, as_bytes(operation_error("put", path, status)));
    const auto step = receiver_.message(admission);
    if (!step.reply.empty()) reply(ReplyKind::out, topic.id, step.reply);
  }

  MemoryFiles files_;
  TestHasher hasher_;
  std::array<std::uint8_t, 4096> scratch_{};
  FileSink sink_{files_, hasher_, scratch_};
  PutReceiver receiver_{sink_};
  RequestAssembler requests_;
  std::vector<Reply> replies_;
};

class Recorded : public ::testing::TestWithParam<RecordedConversation> {};

TEST_P(Recorded, BoardAnswersAsTheOriginalDid) {
  Board board;
  std::vector<Reply> ours;
  std::vector<const RecordedMessage*> theirs;
  for (const RecordedMessage& message : GetParam().messages) {
    if (message.from == kBoard) {
      theirs.push_back(&message);
      continue;
    }
    for (Reply& reply : board.receive(full(message.topic), payload_of(message)))
      ours.push_back(std::move(reply));
  }
  // The one intended difference: ours acknowledges put as the original acknowledges ota.
  const bool put = GetParam().name.starts_with("put");
  if (put) std::erase_if(ours, [](const Reply& r) { return hex(r.payload).starts_with("ffff53455120"); });
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(ours[i].topic, full(theirs[i]->topic));
    if (theirs[i]->topic.starts_with("reply/err/")) continue;  // a text for people: may differ
    EXPECT_EQ(ours[i].payload.size(), theirs[i]->length);
    EXPECT_TRUE(hex(ours[i].payload).starts_with(theirs[i]->hex)) << hex(ours[i].payload).substr(0, 40);
  }
}

TEST_P(Recorded, ClientAcceptsTheReplies) {
  const bool transfer = GetParam().name.starts_with("put") || GetParam().name.starts_with("ota");
  ReplyCollector collector(transfer ? ReplyCollector::Expect::acknowledgements
                                    : ReplyCollector::Expect::output);
  auto last = ReplyCollector::Kind::ignored;
  std::size_t received = 0;
  for (const RecordedMessage& message : GetParam().messages) {
    if (message.from == kCli) continue;
    const auto topic = parse_reply_topic(kRecordedPrefix, full(message.topic));
    ASSERT_TRUE(topic);
    const Buffer payload = payload_of(message);
    const auto event = collector.reply(topic->kind, payload);
    received += event.data.size();
    last = event.kind;
  }
  EXPECT_EQ(last, GetParam().succeeds ? ReplyCollector::Kind::done : ReplyCollector::Kind::failed);
  EXPECT_TRUE(collector.ended());
  if (GetParam().name == "get_5000") {
    EXPECT_EQ(received, 5000u);
  }
  if (GetParam().name == "eval_long_output") {
    EXPECT_EQ(received, 5002u);
  }
}

TEST_P(Recorded, ClientSendsTheRequests) {
  std::vector<const RecordedMessage*> theirs;
  std::uint64_t total = 0;
  for (const RecordedMessage& message : GetParam().messages)
    if (message.from == kCli) {
      theirs.push_back(&message);
      total += message.length - kHeaderBytes;
    }
  PutSender sender(total, {});
  for (const RecordedMessage* message : theirs) {
    const auto slice = sender.next();
    ASSERT_TRUE(slice);
    EXPECT_EQ(hex(encode(slice->header)), message->hex.substr(0, 4));
    EXPECT_EQ(slice->bytes + kHeaderBytes, message->length);
    const std::string text = full(message->topic);
    const auto topic = parse_request_topic(kRecordedPrefix, text);
    ASSERT_TRUE(topic);
    const Topic again = topic->has_tail
                            ? request_topic(kRecordedPrefix, topic->command, topic->id, topic->tail)
                            : request_topic(kRecordedPrefix, topic->command, topic->id);
    EXPECT_EQ(again.view(), text);
  }
  EXPECT_TRUE(sender.all_sent());
}

INSTANTIATE_TEST_SUITE_P(Wire, Recorded, ::testing::ValuesIn(kRecorded),
                         [](const auto& conversation) { return std::string(conversation.param.name); });

TEST(RecordedOta150k, OurSenderKeepsPaceWithTheRecordedAcknowledgements) {
  PutSender sender(107 * 1400 + 200, {});
  int sent = 0;
  for (const auto& [after, sequence] : kOta150kAcknowledgements) {
    while (sent < after && sender.next()) ++sent;
    EXPECT_EQ(sent, after) << "the original was further ahead than our window allows";
    sender.acknowledged(static_cast<std::uint16_t>(sequence));
  }
  while (sender.next()) ++sent;
  EXPECT_EQ(sent, kOta150kMessages);
}

TEST(RecordedPut, WhatWasPutIsThere) {
  Board board;
  for (const RecordedMessage& message : kPutSmall)
    if (message.from == kCli) board.receive(full(message.topic), payload_of(message));
  EXPECT_EQ(board.files().text("/g1/small"), "hello\n");
}

}  // namespace
}  // namespace mqboard::command::v1
