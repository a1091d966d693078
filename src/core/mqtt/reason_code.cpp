#include <mqboard/mqtt/reason_code.hpp>

#include <algorithm>
#include <array>
#include <iterator>

#include "core/mqtt/reason_table.hpp"

namespace mqboard::mqtt {
namespace {

// Packets that carry reason codes, as bits. DISCONNECT counts twice: its codes depend on the direction.
constexpr unsigned kConnack = 1, kPuback = 2, kPubrec = 4, kPubrel = 8, kPubcomp = 16, kSuback = 32,
                   kUnsuback = 64, kToServer = 128, kToClient = 256, kAuth = 512;
constexpr unsigned kPublishAck = kPuback | kPubrec;
constexpr unsigned kFilterAck = kSuback | kUnsuback;
constexpr unsigned kAnyDisconnect = kToServer | kToClient;

struct Row {
  std::uint8_t code;
  std::uint16_t packets;
  const char* name;
};

constexpr Row kRows[] = {
    {0x00, 0x3FF, "success"},
    {0x01, kSuback, "granted QoS 1"},
    {0x02, kSuback, "granted QoS 2"},
    {0x04, kToServer, "disconnect with will message"},
    {0x10, kPublishAck, "no matching subscribers"},
    {0x11, kUnsuback, "no subscription existed"},
    {0x18, kAuth, "continue authentication"},
    {0x19, kAuth, "re-authenticate"},
    {0x80, kConnack | kPublishAck | kFilterAck | kAnyDisconnect, "unspecified error"},
    {0x81, kConnack | kAnyDisconnect, "malformed packet"},
    {0x82, kConnack | kAnyDisconnect, "protocol error"},
    {0x83, kConnack | kPublishAck | kFilterAck | kAnyDisconnect, "implementation specific error"},
    {0x84, kConnack, "unsupported protocol version"},
    {0x85, kConnack, "client identifier not valid"},
    {0x86, kConnack, "bad user name or password"},
    {0x87, kConnack | kPublishAck | kFilterAck | kToClient, "not authorized"},
    {0x88, kConnack, "server unavailable"},
    {0x89, kConnack | kToClient, "server busy"},
    {0x8A, kConnack, "banned"},
    {0x8B, kToClient, "server shutting down"},
    {0x8C, kConnack | kToClient, "bad authentication method"},
    {0x8D, kToClient, "keep alive timeout"},
    {0x8E, kToClient, "session taken over"},
    {0x8F, kFilterAck | kToClient, "topic filter invalid"},
    {0x90, kConnack | kPublishAck | kAnyDisconnect, "topic name invalid"},
    {0x91, kPublishAck | kFilterAck, "packet identifier in use"},
    {0x92, kPubrel | kPubcomp, "packet identifier not found"},
    {0x93, kAnyDisconnect, "receive maximum exceeded"},
    {0x94, kAnyDisconnect, "topic alias invalid"},
    {0x95, kConnack | kAnyDisconnect, "packet too large"},
    {0x96, kAnyDisconnect, "message rate too high"},
    {0x97, kConnack | kPublishAck | kSuback | kAnyDisconnect, "quota exceeded"},
    {0x98, kAnyDisconnect, "administrative action"},
    {0x99, kConnack | kPublishAck | kAnyDisconnect, "payload format invalid"},
    {0x9A, kConnack | kToClient, "retain not supported"},
    {0x9B, kConnack | kToClient, "QoS not supported"},
    {0x9C, kConnack | kToClient, "use another server"},
    {0x9D, kConnack | kToClient, "server moved"},
    {0x9E, kSuback | kToClient, "shared subscriptions not supported"},
    {0x9F, kConnack | kToClient, "connection rate exceeded"},
    {0xA0, kToClient, "maximum connect time"},
    {0xA1, kSuback | kToClient, "subscription identifiers not supported"},
    {0xA2, kSuback | kToClient, "wildcard subscriptions not supported"},
};

const Row* row_of(std::uint8_t code) {
  const Row* row =
      std::lower_bound(std::begin(kRows), std::end(kRows), code,
                       [](const Row& candidate, std::uint8_t key) { return candidate.code < key; });
  return row != std::end(kRows) && row->code == code ? row : nullptr;
}

constexpr std::uint16_t kPacketBits[16] = {0,       0, kConnack,  0, kPuback, kPubrec,   kPubrel, kPubcomp, 0,
                                           kSuback, 0, kUnsuback, 0, 0,       kToServer, kAuth};

unsigned packet_bit(PacketType type, Flow flow) {
  if (type == PacketType::disconnect && flow == Flow::to_client) return kToClient;
  return kPacketBits[static_cast<std::size_t>(type)];
}

constexpr std::array kReturnCodes = {ReasonCode::success,
                                     ReasonCode::unsupported_protocol_version,
                                     ReasonCode::client_identifier_not_valid,
                                     ReasonCode::server_unavailable,
                                     ReasonCode::bad_user_name_or_password,
                                     ReasonCode::not_authorized};

}  // namespace

std::string_view describe(ReasonCode code) {
  const Row* row = row_of(static_cast<std::uint8_t>(code));
  return row != nullptr ? row->name : "unknown reason";
}

bool reason_allowed(std::uint8_t code, PacketType type, Flow flow) {
  const Row* row = row_of(code);
  return row != nullptr && (row->packets & packet_bit(type, flow)) != 0;
}

std::uint8_t connack_return_code(ReasonCode code) {
  for (std::size_t i = 0; i < kReturnCodes.size(); ++i) {
    if (kReturnCodes[i] == code) return static_cast<std::uint8_t>(i);
  }
  return 3;
}

std::optional<ReasonCode> from_connack_return_code(std::uint8_t code) {
  if (code >= kReturnCodes.size()) return std::nullopt;
  return kReturnCodes[code];
}

}  // namespace mqboard::mqtt
