#include "mqtt/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mqboard::mqtt {
namespace {

// A frame as a server sends it: unmasked.
std::string frame(unsigned first, std::string_view payload) {
  std::string bytes(1, static_cast<char>(first));
  if (payload.size() < 126) {
    bytes += static_cast<char>(payload.size());
  } else if (payload.size() <= 0xFFFF) {
    bytes += '\x7E';
    bytes += static_cast<char>(payload.size() >> 8U);
    bytes += static_cast<char>(payload.size());
  } else {
    bytes += '\x7F';
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift);
  }
  return bytes.append(payload);
}

constexpr unsigned kBinary = 0x82, kClose = 0x88, kPing = 0x89, kPong = 0x8A;

// Reads in pieces of this size.
std::string stripped(FrameReader& reader, std::string bytes, std::size_t piece) {
  std::string payload;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string part = bytes.substr(at, piece);
    const std::size_t kept = reader.strip({reinterpret_cast<std::uint8_t*>(part.data()), part.size()});
    payload += part.substr(0, kept);
  }
  return payload;
}

TEST(WebSocketFrames, PayloadIsTheSameHoweverTheStreamIsCut) {
  const std::string large(70'000, 'l'), medium(300, 'm');
  const std::string stream = frame(kBinary, "one") + frame(kPing, "p") + frame(0x02, "tw") +
                             frame(kPong, "") + frame(0x00, "") + frame(0x80, "o") + frame(kBinary, "") +
                             frame(kBinary, medium) + frame(kBinary, large);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1000}, stream.size()}) {
    FrameReader reader;
    EXPECT_EQ(stripped(reader, stream, piece), "onetwo" + medium + large) << piece;
    EXPECT_FALSE(reader.ended());
    const auto ping = reader.take_ping();
    ASSERT_TRUE(ping);
    EXPECT_EQ(as_text(*ping), "p");
    EXPECT_FALSE(reader.take_ping());
  }
}

TEST(WebSocketFrames, LatestPingIsTheOneToAnswer) {
  FrameReader reader;
  stripped(reader, frame(kPing, "first") + frame(kPing, std::string(125, 'x')), 3);
  EXPECT_EQ(as_text(reader.take_ping().value()), std::string(125, 'x'));
}

TEST(WebSocketFrames, CloseEndsTheStreamAndIsTold) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
    FrameReader reader;
    const std::string closing =
        frame(kClose, std::string("\x03\xE9") + "going away") + frame(kBinary, "late");
    EXPECT_EQ(stripped(reader, frame(kBinary, "last") + closing, piece), "last");
    EXPECT_TRUE(reader.ended());
    EXPECT_FALSE(reader.broken());
    EXPECT_EQ(reader.reason(), "server closed the WebSocket with code 1001: going away");
  }
  FrameReader reader;
  stripped(reader, frame(kClose, ""), 100);
  EXPECT_EQ(reader.reason(), "server closed the WebSocket");
}

TEST(WebSocketFrames, BrokenRuleEndsTheStreamAndIsNamed) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> cases[] = {
      {frame(0x81, "text"), "text instead of binary data [MQTT-6.0.0-1]"},
      {frame(0xC2, "x"), "reserved bits"},
      {"\x82\x81keyxp"s, "masked"},
      {frame(0x80, "x"), "continuation of no message"},
      {frame(0x02, "x") + frame(kBinary, "y"), "message within a message"},
      {frame(0x83, ""), "unknown kind"},
      {frame(0x09, "x"), "malformed control frame"},
      {frame(kPing, std::string(126, 'x')), "malformed control frame"},
      {frame(kClose, "x"), "malformed close frame"},
      {"\x82\x7E\x00\x05"s, "malformed frame length"},
      {"\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF"s, "malformed frame length"},
      {"\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00"s, "malformed frame length"},
  };
  for (const auto& [bytes, rule] : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      FrameReader reader;
      stripped(reader, bytes, piece);
      EXPECT_TRUE(reader.broken()) << rule;
      EXPECT_NE(reader.reason().find(rule), std::string::npos) << reader.reason();
      EXPECT_EQ(stripped(reader, frame(kBinary, "more"), 1), "");
    }
  }
}

TEST(WebSocketFrames, WrittenFrameCarriesLengthAndMask) {
  const MaskingKey key{0x01, 0x02, 0x03, 0x04};
  std::vector<std::uint8_t> buffer(kMaxFrameHeader);
  EXPECT_EQ(write_frame_header(FrameKind::binary, 125, key, buffer), 6U);
  EXPECT_EQ(std::vector(buffer.begin(), buffer.begin() + 6),
            (std::vector<std::uint8_t>{0x82, 0xFD, 1, 2, 3, 4}));
  EXPECT_EQ(write_frame_header(FrameKind::binary, 126, key, buffer), 8U);
  EXPECT_EQ(std::vector(buffer.begin(), buffer.begin() + 4), (std::vector<std::uint8_t>{0x82, 0xFE, 0, 126}));
  EXPECT_EQ(write_frame_header(FrameKind::binary, 0x10000, key, buffer), 14U);
  EXPECT_EQ(std::vector(buffer.begin(), buffer.begin() + 10),
            (std::vector<std::uint8_t>{0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0}));
  std::vector<std::uint8_t> payload{0, 0, 0, 0, 0xFF};
  mask(payload, key);
  EXPECT_EQ(payload, (std::vector<std::uint8_t>{1, 2, 3, 4, 0xFE}));
}

}  // namespace
}  // namespace mqboard::mqtt
