// Every packet of both versions as bytes and as text: read whole, byte by byte, truncated and with trailing
// bytes, and written back to the same bytes.
#include <gtest/gtest.h>

#include "core/mqtt/encoder.hpp"
#include "core/mqtt/framer.hpp"
#include "core/mqtt/testing/packet_text.hpp"

namespace mqboard::mqtt {
namespace {

using testing::Buffer;
using testing::Lines;

constexpr Wire kUp3{ProtocolVersion::v3_1_1, Flow::to_server},
    kDown3{ProtocolVersion::v3_1_1, Flow::to_client};
constexpr Wire kUp5{ProtocolVersion::v5, Flow::to_server}, kDown5{ProtocolVersion::v5, Flow::to_client};

Buffer from_hex(std::string_view hex) {
  Buffer bytes;
  unsigned value = 0;
  int digits = 0;
  for (const char letter : hex) {
    if (letter == ' ') continue;
    value = value * 16 + static_cast<unsigned>(letter <= '9' ? letter - '0' : letter - 'a' + 10);
    if (++digits % 2 == 0) bytes.push_back(static_cast<std::uint8_t>(value)), value = 0;
  }
  return bytes;
}

struct Example {
  Wire wire;
  const char* hex;
  const char* text;
};

// The first bytes of each line are the fixed header.
const Example kExamples[] = {
    {kUp3, "10 0d 0004 4d515454 04 02 003c 0001 63", "CONNECT v4 clean 'c' keep=60"},
    {kUp3, "10 21 0004 4d515454 04 f4 0000 0001 63 0004 77696c6c 0003 627965 0001 75 0004 70617373",
     "CONNECT v4 'c' keep=0 user=u password=pass will=will:'bye' qos2 retain"},
    {kUp3, "10 0c 0004 4d515454 04 02 0000 0000", "CONNECT v4 clean '' keep=0"},
    {kUp5, "10 0d 0004 4d515454 05 00 000a 00 0000", "CONNECT v5 '' keep=10"},
    {kUp5, "10 13 0004 4d515454 05 02 000a 05 11 0000000a 0001 63", "CONNECT v5 clean 'c' keep=10 {11=10}"},
    {kUp5, "10 1a 0004 4d515454 05 06 000a 00 0001 63 05 18 00000001 0001 77 0001 78",
     "CONNECT v5 clean 'c' keep=10 will=w:'x' qos0 {18=1}"},
    {kUp5, "10 10 0004 4d515454 05 42 000a 00 0000 0001 70", "CONNECT v5 clean '' keep=10 password=p"},
    {kDown3, "20 02 00 00", "CONNACK"},
    {kDown3, "20 02 01 00", "CONNACK present"},
    {kDown3, "20 02 00 05", "CONNACK not authorized"},
    {kDown5, "20 03 00 00 00", "CONNACK"},
    {kDown5, "20 06 00 87 03 21 0014", "CONNACK not authorized {21=20}"},
    {kUp3, "30 06 0001 61 78797a", "PUBLISH a 'xyz'"},
    {kUp3, "31 03 0001 61", "PUBLISH retain a ''"},
    {kDown3, "3b 06 0001 61 0102 78", "PUBLISH id=258 qos1 dup retain a 'x'"},
    {kUp3, "34 05 0001 61 0001", "PUBLISH id=1 qos2 a ''"},
    {kUp5, "32 07 0001 61 0001 00 78", "PUBLISH id=1 qos1 a 'x'"},
    {kUp5, "30 06 0000 03 23 0001", "PUBLISH  '' {23=1}"},
    {kDown5, "30 16 0001 61 12 01 01 0b 8001 0b 05 26 0001 6b 0001 76 08 0001 72",
     "PUBLISH a '' {01=1 0b=128 0b=5 26=k:'v' 08='r'}"},
    {kUp3, "40 02 0001", "PUBACK id=1"},
    {kDown3, "50 02 ffff", "PUBREC id=65535"},
    {kUp3, "62 02 0001", "PUBREL id=1"},
    {kDown3, "70 02 0001", "PUBCOMP id=1"},
    {kUp5, "40 02 0001", "PUBACK id=1"},
    {kDown5, "40 03 0001 10", "PUBACK id=1 no matching subscribers"},
    {kDown5, "50 08 0001 97 04 1f 0001 66", "PUBREC id=1 quota exceeded {1f='f'}"},
    {kDown5, "62 03 0001 92", "PUBREL id=1 packet identifier not found"},
    {kUp5, "70 03 0001 92", "PUBCOMP id=1 packet identifier not found"},
    {kUp3, "82 0c 0001 0001 61 01 0003 622f23 02", "SUBSCRIBE id=1 a:1 b/#:2"},
    {kUp5, "82 09 0001 02 0b 07 0001 61 2e", "SUBSCRIBE id=1 a:2nr2 {0b=7}"},
    {kUp5, "82 10 0001 00 000a 24736861 72652f67 2f61 00", "SUBSCRIBE id=1 $share/g/a:0"},
    {kDown3, "90 04 0001 01 80", "SUBACK id=1 01 80"},
    {kDown5, "90 05 0001 00 02 a2", "SUBACK id=1 02 a2"},
    {kUp3, "a2 08 0001 0001 61 0001 2b", "UNSUBSCRIBE id=1 a +"},
    {kUp5, "a2 06 0001 00 0001 61", "UNSUBSCRIBE id=1 a"},
    {kDown3, "b0 02 0001", "UNSUBACK id=1"},
    {kDown5, "b0 05 0001 00 00 11", "UNSUBACK id=1 00 11"},
    {kUp3, "c0 00", "PINGREQ"},
    {kDown5, "d0 00", "PINGRESP"},
    {kUp3, "e0 00", "DISCONNECT"},
    {kUp5, "e0 00", "DISCONNECT"},
    {kUp5, "e0 01 04", "DISCONNECT disconnect with will message"},
    {kUp5, "e0 07 00 05 11 00000000", "DISCONNECT {11=0}"},
    {kDown5, "e0 07 9c 05 1c 0002 6833", "DISCONNECT use another server {1c='h3'}"},
    {kDown5, "f0 0a 18 08 15 0001 6d 16 0001 64", "AUTH continue authentication {15='m' 16='d'}"},
    {kDown5, "f0 00", "AUTH"},
};

// What a framer shows of a stream given in pieces of `piece` bytes.
Lines read(Bytes stream, Wire wire, std::size_t piece) {
  Buffer buffer(128);
  Framer framer{buffer};
  framer.reset(wire, 1000);
  Lines lines;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    Bytes input = stream.subspan(at, std::min(piece, stream.size() - at));
    for (;;) {
      const Frame frame = framer.peek(input);
      if (frame.kind == Frame::Kind::none) break;
      if (frame.kind == Frame::Kind::malformed) {
        lines.push_back("! " + std::string(info(frame.violation).what));
        return lines;
      }
      lines.push_back(testing::packet_text(frame.first, frame.bytes, wire));
      framer.consume(input);
    }
  }
  return lines;
}

TEST(Codec, ReadsEveryPacketWholeAndByteByByte) {
  for (const Example& example : kExamples) {
    const Buffer bytes = from_hex(example.hex);
    EXPECT_EQ(read(bytes, example.wire, bytes.size()), (Lines{example.text})) << example.hex;
    EXPECT_EQ(read(bytes, example.wire, 1), (Lines{example.text})) << example.hex;
  }
}

TEST(Codec, ReadsPacketsBackToBack) {
  for (const Wire wire : {kUp3, kDown3, kUp5, kDown5}) {
    Buffer stream;
    Lines expected;
    for (const Example& example : kExamples) {
      if (example.wire.version != wire.version || example.wire.flow != wire.flow) continue;
      const Buffer bytes = from_hex(example.hex);
      stream.insert(stream.end(), bytes.begin(), bytes.end());
      expected.push_back(example.text);
    }
    for (const std::size_t piece :
         {stream.size(), std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{50}}) {
      EXPECT_EQ(read(stream, wire, piece), expected) << piece;
    }
  }
}

TEST(Codec, TruncatedPacket_ShowsNothing) {
  for (const Example& example : kExamples) {
    Buffer bytes = from_hex(example.hex);
    bytes.pop_back();
    EXPECT_EQ(read(bytes, example.wire, 1), Lines{}) << example.hex;
  }
}

// A body cut short, or with a byte too many, is a violation: except where what was cut is optional or of free
// length.
TEST(Codec, WrongBodyLength_IsAViolationOrAnotherValidPacket) {
  for (const Example& example : kExamples) {
    const Buffer bytes = from_hex(example.hex);
    const Bytes body = Bytes{bytes}.subspan(2);
    for (std::size_t size = 0; size < body.size(); ++size) {
      EXPECT_NE(testing::packet_text(bytes[0], body.first(size), example.wire), example.text) << example.hex;
    }
    Buffer longer{body.begin(), body.end()};
    longer.push_back(0);
    const std::string text = testing::packet_text(bytes[0], longer, example.wire);
    const auto type = static_cast<PacketType>(bytes[0] >> 4);
    const bool free_length = type == PacketType::publish || type == PacketType::suback ||
                             (type == PacketType::unsuback && example.wire.v5());
    const bool optional_tail = example.wire.v5() && (body.size() == 2 || body.size() == 3 || body.size() < 2);
    EXPECT_TRUE(free_length || optional_tail || text.starts_with("! ")) << example.hex << " " << text;
  }
}

template<class Packet>
void expect_encoded_as(const Packet& packet, const Buffer& bytes, Wire wire) {
  Buffer written(bytes.size());
  EXPECT_EQ(encode(packet, wire, written), bytes.size());
  EXPECT_EQ(written, bytes);
  for (std::size_t room = 0; room < bytes.size(); ++room) {
    Buffer small(room);
    EXPECT_EQ(encode(packet, wire, small), 0u);
  }
}

template<class Packet>
void expect_written_back(const Buffer& bytes, Wire wire) {
  Packet packet;
  ASSERT_EQ(decode(bytes[0], Bytes{bytes}.subspan(2), wire, packet), Violation::none);
  if constexpr (requires { packet.filters; }) {
    std::vector<std::remove_cvref_t<decltype(packet.filters.items[0])>> items;
    auto rest = packet.filters;
    for (typename decltype(items)::value_type item; rest.next(wire, item);) items.push_back(item);
    packet.filters.items = items;
    expect_encoded_as(packet, bytes, wire);
  } else {
    expect_encoded_as(packet, bytes, wire);
  }
}

TEST(Codec, WritesEveryPacketBackToTheSameBytes) {
  for (const Example& example : kExamples) {
    SCOPED_TRACE(example.hex);
    const Buffer bytes = from_hex(example.hex);
    switch (static_cast<PacketType>(bytes[0] >> 4)) {
      case PacketType::connect:
        expect_written_back<Connect>(bytes, example.wire);
        break;
      case PacketType::connack:
        expect_written_back<Connack>(bytes, example.wire);
        break;
      case PacketType::publish:
        expect_written_back<Publish>(bytes, example.wire);
        break;
      case PacketType::puback:
        expect_written_back<Puback>(bytes, example.wire);
        break;
      case PacketType::pubrec:
        expect_written_back<Pubrec>(bytes, example.wire);
        break;
      case PacketType::pubrel:
        expect_written_back<Pubrel>(bytes, example.wire);
        break;
      case PacketType::pubcomp:
        expect_written_back<Pubcomp>(bytes, example.wire);
        break;
      case PacketType::subscribe:
        expect_written_back<Subscribe>(bytes, example.wire);
        break;
      case PacketType::suback:
        expect_written_back<Suback>(bytes, example.wire);
        break;
      case PacketType::unsubscribe:
        expect_written_back<Unsubscribe>(bytes, example.wire);
        break;
      case PacketType::unsuback:
        expect_written_back<Unsuback>(bytes, example.wire);
        break;
      case PacketType::pingreq:
        expect_written_back<Pingreq>(bytes, example.wire);
        break;
      case PacketType::pingresp:
        expect_written_back<Pingresp>(bytes, example.wire);
        break;
      case PacketType::disconnect:
        expect_written_back<Disconnect>(bytes, example.wire);
        break;
      case PacketType::auth:
        expect_written_back<Auth>(bytes, example.wire);
        break;
    }
  }
}

struct Malformed {
  Wire wire;
  const char* hex;
  Violation violation;
};

const Malformed kMalformed[] = {
    {kDown3, "20 ff ff ff ff 01", Violation::remaining_length},
    {kDown5, "d0 80 00", Violation::remaining_length},
    {kDown3, "21 02 00 00", Violation::fixed_header_flags},
    {kDown3, "60 02 0001", Violation::fixed_header_flags},
    {kUp3, "80 06 0001 0001 61 00", Violation::fixed_header_flags},
    {kDown3, "36 05 0001 61 0001", Violation::qos},
    {kDown3, "38 03 0001 61", Violation::dup_on_qos0},
    {kDown3, "32 05 0001 61 0000", Violation::packet_id_zero},
    {kDown3, "40 02 0000", Violation::packet_id_zero},
    {kDown3, "40 01 00", Violation::truncated},
    {kDown3, "40 03 0001 00", Violation::trailing_bytes},
    {kDown3, "30 05 0009 616263", Violation::truncated},
    {kDown3, "30 05 0003 61ff63", Violation::utf8},
    {kDown3, "30 05 0003 610063", Violation::utf8_null},
    {kDown3, "30 05 0003 eda080", Violation::utf8},
    {kDown3, "20 02 02 00", Violation::connack_flags},
    {kDown3, "20 02 01 05", Violation::connack_flags},
    {kDown3, "20 02 00 06", Violation::reason_code},
    {kDown5, "20 03 00 01 00", Violation::reason_code},
    {kDown5, "20 02 00 00", Violation::property_length},
    {kDown5, "20 05 00 00 02 2401", Violation::none},
    {kDown5, "20 05 00 00 02 2402", Violation::property_value},
    {kDown5, "20 06 00 00 03 21 0000", Violation::property_value},
    {kDown5, "20 08 00 00 05 27 00000000", Violation::property_value},
    {kDown5, "20 07 00 00 04 2401 2401", Violation::property_repeated},
    {kDown5, "20 05 00 00 02 0101", Violation::property_not_allowed},
    {kDown5, "20 05 00 00 02 7f01", Violation::property_unknown},
    {kDown5, "20 05 00 00 05 2401", Violation::property_length},
    {kDown5, "20 05 00 00 02 2100", Violation::property_length},
    {kDown5, "20 06 00 00 03 16 0000", Violation::authentication},
    {kDown5, "30 09 0001 61 05 08 0002 622b", Violation::response_topic},
    {kDown5, "30 06 0001 61 02 0b 00", Violation::property_value},
    {kUp5, "30 06 0001 61 02 0b 01", Violation::property_not_allowed},
    {kDown5, "40 03 0001 11", Violation::reason_code},
    {kDown5, "40 04 0001 00 05", Violation::property_length},
    {kDown5, "e0 01 04", Violation::reason_code},
    {kUp5, "e0 01 8b", Violation::reason_code},
    {kDown5, "f0 01 80", Violation::reason_code},
    {kDown3, "90 03 0001 03", Violation::reason_code},
    {kDown3, "90 02 0001", Violation::truncated},
    {kDown3, "b0 03 0001 00", Violation::trailing_bytes},
    {kDown3, "d0 01 00", Violation::trailing_bytes},
    {kUp3, "82 02 0001", Violation::no_filters},
    {kUp3, "82 06 0001 0001 61 03", Violation::subscription_options},
    {kUp3, "82 06 0001 0001 61 04", Violation::subscription_options},
    {kUp5, "82 07 0001 00 0001 61 30", Violation::subscription_options},
    {kUp5, "82 10 0001 00 000a 24736861 72652f67 2f61 04", Violation::subscription_options},
    {kUp3, "82 05 0001 0000 00", Violation::topic_filter},
    {kUp3, "82 08 0001 0003 612f23 00", Violation::none},
    {kUp3, "82 08 0001 0003 232f61 00", Violation::topic_filter},
    {kUp3, "82 07 0001 0002 612b 00", Violation::topic_filter},
    {kUp3, "a2 02 0001", Violation::no_filters},
    {kUp3, "10 0d 0004 4d515454 03 02 003c 0001 63", Violation::protocol_name},
    {kUp3, "10 0d 0004 4d515458 04 02 003c 0001 63", Violation::protocol_name},
    {kUp3, "10 0d 0004 4d515454 04 03 003c 0001 63", Violation::connect_flags},
    {kUp3, "10 0d 0004 4d515454 04 0a 003c 0001 63", Violation::connect_flags},
    {kUp3, "10 10 0004 4d515454 04 42 003c 0001 63 0001 70", Violation::connect_flags},
    {kUp3, "10 13 0004 4d515454 04 1e 003c 0001 63 0001 77 0001 78", Violation::connect_flags},
};

TEST(Codec, MalformedPackets_NameWhatIsWrong) {
  for (const Malformed& example : kMalformed) {
    const Buffer bytes = from_hex(example.hex);
    const Lines lines = read(bytes, example.wire, bytes.size());
    ASSERT_EQ(lines.size(), 1u) << example.hex;
    const std::string expected = "! " + std::string(info(example.violation).what);
    if (example.violation == Violation::none) {
      EXPECT_FALSE(lines[0].starts_with("!")) << example.hex << lines[0];
    } else {
      EXPECT_EQ(lines[0], expected) << example.hex;
    }
    EXPECT_EQ(read(bytes, example.wire, 1), lines) << example.hex;
  }
}

TEST(Codec, EveryViolation_HasWordsAndAClause) {
  for (int i = 1; i <= static_cast<int>(Violation::disconnect_from_server); ++i) {
    const ViolationInfo& row = info(static_cast<Violation>(i));
    EXPECT_FALSE(row.what.empty());
    EXPECT_FALSE(row.clause.empty());
    EXPECT_TRUE(is_failure(row.reason));
  }
}

TEST(Framer, LargerThanTheMaximum_IsAViolation) {
  Buffer buffer(128);
  for (const std::uint32_t maximum : {10u, 11u}) {
    Framer framer{buffer};
    framer.reset(kDown5, maximum);
    const Buffer bytes = from_hex("30 09 0001 61 00 0102030405");
    Bytes input{bytes};
    EXPECT_EQ(framer.peek(input).kind, maximum == 10 ? Frame::Kind::malformed : Frame::Kind::packet);
  }
}

TEST(Framer, LargePublish_IsShownInPiecesHoweverItIsCut) {
  Buffer buffer(128);
  const std::string payload(3000, 'p');
  for (const Wire wire : {kDown3, kDown5}) {
    const Publish packet{
        .qos = QoS::at_least_once, .topic = "large", .packet_id = 5, .payload = as_bytes(payload)};
    Buffer bytes(4000);
    bytes.resize(encode(packet, wire, bytes));
    for (std::size_t piece = 1; piece < bytes.size(); piece += 13) {
      Framer framer{buffer};
      framer.reset(wire, 10'000);
      std::size_t seen = 0;
      std::uint32_t missing = 1;
      for (std::size_t at = 0; at < bytes.size(); at += piece) {
        Bytes input = Bytes{bytes}.subspan(at, std::min(piece, bytes.size() - at));
        for (Frame frame = framer.peek(input); frame.kind != Frame::Kind::none; frame = framer.peek(input)) {
          ASSERT_EQ(frame.kind, seen == 0 ? Frame::Kind::head : Frame::Kind::body);
          seen += frame.bytes.size();
          missing = frame.missing;
          framer.consume(input);
        }
      }
      EXPECT_EQ(missing, 0u);
      EXPECT_EQ(seen, packet_size(body_size(packet, wire)) - 3);
    }
  }
}

TEST(Framer, HeadLargerThanTheBuffer_IsAViolationHoweverItIsCut) {
  const std::string topic(200, 't');
  Buffer bytes(1000);
  bytes.resize(encode(Publish{.topic = topic, .payload = as_bytes(topic)}, kDown3, bytes));
  EXPECT_EQ(read(bytes, kDown3, bytes.size()), (Lines{"! packet too large"}));
  EXPECT_EQ(read(bytes, kDown3, 1), (Lines{"! packet too large"}));
}

// A topic that is not UTF-8 either, and leaves no room for the packet identifier behind it.
TEST(Framer, HeadLargerThanItsPacket_IsTheSameViolationHoweverItIsCut) {
  Buffer bytes = from_hex("32 9601 0094");
  bytes.resize(3 + 150, 0xFF);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, bytes.size()}) {
    EXPECT_EQ(read(bytes, kDown3, piece), (Lines{"! field reaches beyond its packet"})) << piece;
  }
}

TEST(Framer, PeekWithoutConsume_ShowsTheSameAgain) {
  Buffer buffer(128);
  Framer framer{buffer};
  framer.reset(kDown3, 1000);
  const Buffer bytes = from_hex("40 02 0001 40 02 0002");
  Bytes first = Bytes{bytes}.first(3);
  EXPECT_EQ(framer.peek(first).kind, Frame::Kind::none);
  Bytes rest = Bytes{bytes}.subspan(3);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(framer.peek(rest).bytes.back(), 1);
  framer.consume(rest);
  EXPECT_EQ(framer.peek(rest).bytes.back(), 2);
}

}  // namespace
}  // namespace mqboard::mqtt
