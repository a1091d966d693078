#include "core/command/frame.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command {
namespace {

using testing::hex;
using Buffer = std::vector<std::uint8_t>;

Buffer bytes_of(const Frame& frame) {
  Buffer bytes(kFrameOverhead);
  bytes.resize(encode_frame_head(frame, bytes));
  bytes.insert(bytes.end(), frame.data.begin(), frame.data.end());
  return bytes;
}

const Frame kAnswer{.type = FrameType::data,
                    .flags = kEnd | kStatus | kProbe | kCancel,
                    .round = 3,
                    .channel = 0x01020304,
                    .from_epoch = 0x05060708,
                    .to_epoch = 0x090a0b0c,
                    .offset = 0x0d0e0f1011121314,
                    .ack = 0x15161718191a1b1c,
                    .credit = 0x1d1e1f20,
                    .largest = 0x21222324,
                    .status = StatusCode::exception,
                    .status_text = "ValueError",
                    .data = as_bytes("data")};

TEST(FrameLayout, IsInTheOrderOfTheSpecification) {
  EXPECT_EQ(hex(bytes_of(kAnswer)),
            "02021703"
            "010203040506070809"
            "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324"
            "2000000a56616c75654572726f7264617461");
}

TEST(FrameDecoder, ReadsWhatWasWritten) {
  const Buffer bytes = bytes_of(kAnswer);
  const auto frame = decode_frame(bytes);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type, FrameType::data);
  EXPECT_EQ(frame->round, 3);
  EXPECT_EQ(frame->offset, kAnswer.offset);
  EXPECT_EQ(frame->credit, kAnswer.credit);
  EXPECT_EQ(frame->status, StatusCode::exception);
  EXPECT_EQ(frame->status_text, "ValueError");
  EXPECT_EQ(as_text(frame->data), "data");
  EXPECT_EQ(hex(bytes_of(*frame)), hex(bytes));
}

TEST(FrameDecoder, RefusesEveryFrameCutBeforeItsData) {
  const Buffer bytes = bytes_of(kAnswer);
  for (std::size_t size = 0; size + 4 < bytes.size(); ++size)
    EXPECT_FALSE(decode_frame(Bytes(bytes).first(size))) << size;
  EXPECT_TRUE(decode_frame(Bytes(bytes).first(bytes.size() - 4)));
}

TEST(FrameDecoder, TakesTrailingBytesAsDataOnlyWhereDataMayBe) {
  Buffer state = bytes_of({.from_epoch = 1});
  EXPECT_TRUE(decode_frame(state));
  state.push_back(0);
  EXPECT_FALSE(decode_frame(state));
  Buffer data = bytes_of({.type = FrameType::data, .from_epoch = 1});
  data.push_back(9);
  EXPECT_EQ(decode_frame(data)->data.size(), 1u);
}

TEST(FrameDecoder, RefusesWhatTheSpecificationForbids) {
  const std::pair<const char*, std::function<void(Frame&)>> forbidden[] = {
      {"from_epoch 0", [](Frame& f) { f.from_epoch = 0; }},
      {"unknown flag", [](Frame& f) { f.flags = 0x20; }},
      {"offset beyond 2^63", [](Frame& f) { f.offset = 1ull << 63; }},
      {"ack beyond 2^63", [](Frame& f) { f.ack = 1ull << 63; }},
      {"OPEN elsewhere than 0", [](Frame& f) { f.type = FrameType::open, f.offset = 1; }},
      {"END on STATE", [](Frame& f) { f.type = FrameType::state, f.flags = kEnd; }},
      {"STATUS without END", [](Frame& f) { f.flags = kStatus; }},
      {"STATUS on STATE", [](Frame& f) { f.type = FrameType::state, f.flags = kStatus; }},
      {"ABORT without STATUS", [](Frame& f) { f.type = FrameType::abort, f.flags = 0; }},
      {"GAP on DATA", [](Frame& f) { f.flags = kGap; }},
      {"text not UTF-8", [](Frame& f) { f.flags = kEnd | kStatus, f.status_text = "\xff"; }},
      {"type 0", [](Frame& f) { f.type = static_cast<FrameType>(0); }},
      {"type 5", [](Frame& f) { f.type = static_cast<FrameType>(5); }},
  };
  for (const auto& [what, change] : forbidden) {
    Frame frame{.type = FrameType::data, .from_epoch = 1};
    change(frame);
    EXPECT_FALSE(decode_frame(bytes_of(frame))) << what;
  }
  for (const int version : {0, 1, 3, 0x82}) {
    Buffer bytes = bytes_of({.from_epoch = 1});
    bytes[0] = static_cast<std::uint8_t>(version);
    EXPECT_FALSE(decode_frame(bytes));
  }
}

TEST(FrameDecoder, RefusesALongStatusAndAnEncoderRefusesAShortBuffer) {
  const std::string text(kMaxStatusText + 1, 'x');
  Buffer bytes(1000);
  Frame frame{.type = FrameType::abort, .flags = kStatus, .from_epoch = 1, .status_text = text};
  bytes.resize(encode_frame_head(frame, bytes));
  EXPECT_FALSE(decode_frame(bytes));
  Buffer small(kFrameHeaderBytes - 1);
  EXPECT_EQ(encode_frame_head({.from_epoch = 1}, small), 0u);
}

}  // namespace
}  // namespace mqboard::command
