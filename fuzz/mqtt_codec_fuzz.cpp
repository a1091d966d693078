// Fuzzes the MQTT packet codec. First byte: bit 0 version, bit 1 direction, bits 2-5 packet type, bits 6-7
// what to do; the rest is the input.
//   decode   whatever decodes is encoded again, decoded again and encoded again: both encodings must be alike
//   frames   a stream read whole and the same stream read in pieces must show the same packets
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "core/mqtt/decoder.hpp"
#include "core/mqtt/encoder.hpp"
#include "core/mqtt/framer.hpp"

namespace mqboard::mqtt {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The heap is most of what a run could cost: what needs memory keeps it from run to run.
struct Kept {
  std::vector<std::uint8_t> once, twice;
  std::string whole, bytewise, pieces;
};
Kept kept;

// A decoded filter list as items to encode from.
template<class Item>
std::span<const Item> items_of(FilterList<Item> list, Wire wire) {
  static std::vector<Item> items;
  items.clear();
  for (Item item; list.next(wire, item);) items.push_back(item);
  return items;
}

// A guard behind the packet shows a byte written too many, also without AddressSanitizer.
template<class Packet>
void encode_into(std::vector<std::uint8_t>& bytes, Packet packet, Wire wire) {
  if constexpr (requires { packet.filters; }) packet.filters.items = items_of(packet.filters, wire);
  const std::size_t body = body_size(packet, wire);
  require(body <= kMaxRemainingLength);
  constexpr std::uint8_t kGuard = 0xA5;
  bytes.assign(packet_size(body) + 1, kGuard);
  require(encode(packet, wire, MutableBytes{bytes}.first(bytes.size() - 1)) == bytes.size() - 1);
  require(bytes.back() == kGuard);
  bytes.pop_back();
}

template<class Packet>
void round_trip(std::uint8_t first, Bytes body, Wire wire) {
  Packet packet;
  if (decode(first, body, wire, packet) != Violation::none) return;
  if constexpr (Packet::type == PacketType::connect) wire.version = packet.version;
  encode_into(kept.once, packet, wire);
  const Varint length = read_varint(Bytes{kept.once}.subspan(1));
  const Bytes again = Bytes{kept.once}.subspan(1u + length.size);
  require(length.value == again.size());
  Packet second;
  require(decode(kept.once[0], again, wire, second) == Violation::none);
  encode_into(kept.twice, second, wire);
  require(kept.twice == kept.once);
}

void decode_any(std::uint8_t first, Bytes body, Wire wire) {
  switch (static_cast<PacketType>(first >> 4)) {
    case PacketType::connect:
      return round_trip<Connect>(first, body, wire);
    case PacketType::connack:
      return round_trip<Connack>(first, body, wire);
    case PacketType::publish:
      return round_trip<Publish>(first, body, wire);
    case PacketType::puback:
      return round_trip<Puback>(first, body, wire);
    case PacketType::pubrec:
      return round_trip<Pubrec>(first, body, wire);
    case PacketType::pubrel:
      return round_trip<Pubrel>(first, body, wire);
    case PacketType::pubcomp:
      return round_trip<Pubcomp>(first, body, wire);
    case PacketType::subscribe:
      return round_trip<Subscribe>(first, body, wire);
    case PacketType::suback:
      return round_trip<Suback>(first, body, wire);
    case PacketType::unsubscribe:
      return round_trip<Unsubscribe>(first, body, wire);
    case PacketType::unsuback:
      return round_trip<Unsuback>(first, body, wire);
    case PacketType::pingreq:
      return round_trip<Pingreq>(first, body, wire);
    case PacketType::pingresp:
      return round_trip<Pingresp>(first, body, wire);
    case PacketType::disconnect:
      return round_trip<Disconnect>(first, body, wire);
    case PacketType::auth:
      return round_trip<Auth>(first, body, wire);
  }
}

// Everything a framer shows, large messages put together again.
const std::string& read_stream(std::string& seen, Bytes stream, Wire wire, std::size_t piece) {
  std::uint8_t buffer[48];
  Framer framer{buffer};
  framer.reset(wire, 400);
  seen.clear();
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    Bytes input = stream.subspan(at, std::min(piece, stream.size() - at));
    for (;;) {
      const Frame frame = framer.peek(input);
      if (frame.kind == Frame::Kind::none) break;
      if (frame.kind == Frame::Kind::malformed) {
        return (seen += '!') += static_cast<char>(frame.violation);
      }
      if (frame.kind != Frame::Kind::body) (seen += '|') += static_cast<char>(frame.first);
      seen += as_text(frame.bytes);
      framer.consume(input);
    }
    require(input.empty());
  }
  return seen;
}

}  // namespace
}  // namespace mqboard::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mqboard::mqtt;
  if (size < 2) return 0;
  const unsigned choice = data[0];
  const mqboard::Bytes input{data + 1, size - 1};
  const Wire wire{(choice & 1) != 0 ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1,
                  (choice & 2) != 0 ? Flow::to_client : Flow::to_server};
  if ((choice & 0xC0) != 0) {
    decode_any(static_cast<std::uint8_t>((choice & 0x3C) << 2 | (input[0] & 0x0F)), input.subspan(1), wire);
    return 0;
  }
  const std::string& whole = read_stream(kept.whole, input, wire, input.size());
  require(read_stream(kept.bytewise, input, wire, 1) == whole);
  require(read_stream(kept.pieces, input, wire, 1 + (choice >> 2)) == whole);
  return 0;
}
