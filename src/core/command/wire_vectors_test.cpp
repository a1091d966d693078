// The vectors of docs/WIRE.md are what this code writes and reads.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "core/command/frame.hpp"
#include "core/command/operations.hpp"
#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command {
namespace {

using testing::from_hex;
using testing::hex;
using Buffer = std::vector<std::uint8_t>;

// Name to bytes: the text of each ```vector block, what follows a '#' left out.
std::map<std::string, Buffer> documented() {
  std::ifstream file(MQB_WIRE_DOCUMENT);
  std::map<std::string, Buffer> vectors;
  std::string line, name, digits;
  while (std::getline(file, line)) {
    if (line.starts_with("```vector ")) {
      name = line.substr(10);
      digits.clear();
    } else if (line == "```" && !name.empty()) {
      vectors[name] = from_hex(digits);
      name.clear();
    } else if (!name.empty()) {
      digits += line.substr(0, line.find('#'));
    }
  }
  return vectors;
}

Buffer frame_bytes(const Frame& frame) {
  Buffer bytes(kFrameOverhead);
  bytes.resize(encode_frame_head(frame, bytes));
  bytes.insert(bytes.end(), frame.data.begin(), frame.data.end());
  return bytes;
}

Buffer head_record(RecordKind kind, const FieldWriter& fields) {
  Buffer bytes(1024);
  RecordWriter writer(bytes);
  writer.record(kind, fields.written());
  return {writer.written().begin(), writer.written().end()};
}

constexpr std::uint32_t kOpener = 0x11223344;
constexpr std::uint32_t kBoard = 0x55667788;

class WireVectors : public ::testing::Test {
 protected:
  // As documented, and decoding to what was meant.
  void expect(const std::string& name, const Buffer& bytes) {
    ASSERT_TRUE(vectors.contains(name)) << name;
    EXPECT_EQ(hex(vectors[name]), hex(bytes)) << name;
  }
  void expect_frame(const std::string& name, const Frame& frame) {
    expect(name, frame_bytes(frame));
    const auto decoded = decode_frame(vectors[name]);
    ASSERT_TRUE(decoded) << name;
    EXPECT_EQ(hex(frame_bytes(*decoded)), hex(frame_bytes(frame)));
  }

  std::map<std::string, Buffer> vectors = documented();
  Buffer fields_buffer = Buffer(1024);
  FieldWriter fields{fields_buffer};
};

TEST_F(WireVectors, AnEvalAndItsAnswer) {
  fields.number(Field::operation, static_cast<std::uint8_t>(Operation::eval)).text(Field::source, "1+1");
  const Buffer request = head_record(RecordKind::head, fields);
  expect_frame("open-eval", {.type = FrameType::open,
                             .flags = kEnd,
                             .channel = 1,
                             .from_epoch = kOpener,
                             .credit = 0x40000,
                             .largest = 0x10000,
                             .data = request});
  Buffer result(16);
  RecordWriter writer(result);
  writer.record(RecordKind::result, "2");
  expect_frame("answer-eval", {.type = FrameType::data,
                               .flags = kEnd | kStatus,
                               .channel = 1,
                               .from_epoch = kBoard,
                               .to_epoch = kOpener,
                               .ack = request.size() + 1,
                               .credit = 0x40000,
                               .largest = 0x10000,
                               .data = writer.written()});
  expect_frame("acknowledge-eval", {.channel = 1,
                                    .from_epoch = kOpener,
                                    .to_epoch = kBoard,
                                    .offset = request.size() + 1,
                                    .ack = 6,
                                    .credit = 0x40000,
                                    .largest = 0x10000});
}

TEST_F(WireVectors, GapProbeAndAbort) {
  expect_frame("gap", {.flags = kGap,
                       .round = 2,
                       .channel = 3,
                       .from_epoch = kBoard,
                       .to_epoch = kOpener,
                       .offset = 26,
                       .ack = 0x10000,
                       .credit = 0x40000,
                       .largest = 0x10000});
  expect_frame("probe", {.flags = kProbe,
                         .round = 2,
                         .channel = 3,
                         .from_epoch = kOpener,
                         .to_epoch = kBoard,
                         .offset = 0x30000,
                         .ack = 26,
                         .credit = 0x40000,
                         .largest = 0x10000});
  expect_frame("abort-lost", {.type = FrameType::abort,
                              .flags = kStatus,
                              .channel = 7,
                              .from_epoch = kBoard,
                              .to_epoch = kOpener,
                              .credit = 0x4000,
                              .largest = 0x10000,
                              .status = StatusCode::lost,
                              .status_text = "this channel is over"});
}

TEST_F(WireVectors, Records) {
  Sha256 hash;
  hash.fill(0xaa);
  fields.number(Field::operation, static_cast<std::uint8_t>(Operation::put))
      .text(Field::path, "/lib/a.py")
      .number(Field::size, 70'000)
      .bytes(Field::sha256, hash)
      .flag(Field::resume);
  expect("put-request", head_record(RecordKind::head, fields));
  const auto request = parse_request(Bytes(vectors["put-request"]).subspan(kRecordHeaderBytes));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->operation, Operation::put);
  EXPECT_EQ(request->path(), "/lib/a.py");
  EXPECT_EQ(request->sha256(), hash);
  EXPECT_TRUE(request->fields.flag(Field::resume));

  Buffer other(1024);
  expect("put-answer",
         head_record(RecordKind::head,
                     FieldWriter(other).number(Field::offset, 4096).bytes(Field::sha256, hash)));
  expect("entry", head_record(RecordKind::entry, FieldWriter(other)
                                                     .text(Field::name, "main.py")
                                                     .number(Field::kind, 0)
                                                     .number(Field::size, 70'000)
                                                     .number(Field::modified_s, 1'700'000'000)));
  RecordWriter body(other);
  body.body();
  expect("body", {body.written().begin(), body.written().end()});
}

}  // namespace
}  // namespace mqboard::command
