// Every control packet of MQTT 3.1.1 and 5.0 as a plain value (chapter 3 of both). Text, bytes and property
// views are borrowed: from the input after decoding, from the caller before encoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/reason_code.hpp>
#include <mqboard/mqtt/types.hpp>

#include "core/base/bytes.hpp"
#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {

enum class PacketType : std::uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth
};

enum class Flow : std::uint8_t { to_server, to_client };

// What a packet's form depends on besides its type.
struct Wire {
  ProtocolVersion version = ProtocolVersion::v3_1_1;
  Flow flow = Flow::to_server;

  [[nodiscard]] bool v5() const { return version == ProtocolVersion::v5; }
};

inline constexpr std::uint32_t kMaxRemainingLength = 268'435'455;  // section 2.2.3 (5.0: 2.1.4)

struct Connect {
  static constexpr PacketType type = PacketType::connect;
  ProtocolVersion version = ProtocolVersion::v3_1_1;
  bool clean_start = true;
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id{};
  std::optional<WillView> will{};
  std::optional<std::string_view> user_name{};
  std::optional<Bytes> password{};
  PropertyView properties{};
  PropertyView own_properties{};  // encoding only: written before `properties`
};

struct Connack {
  static constexpr PacketType type = PacketType::connack;
  bool session_present = false;
  ReasonCode reason = ReasonCode::success;
  PropertyView properties{};
};

struct Publish {
  static constexpr PacketType type = PacketType::publish;
  bool dup = false;
  QoS qos = QoS::at_most_once;
  bool retain = false;
  std::string_view topic{};
  std::uint16_t packet_id = 0;  // 0 with QoS 0
  Bytes payload{};
  PropertyView properties{};
  PropertyView own_properties{};  // encoding only: written before `properties`
};

// PUBACK, PUBREC, PUBREL and PUBCOMP differ in their type alone.
struct Acknowledgement {
  std::uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  PropertyView properties{};
};
template<PacketType kType>
struct AcknowledgementOf : Acknowledgement {
  using Form = Acknowledgement;
  static constexpr PacketType type = kType;
};
using Puback = AcknowledgementOf<PacketType::puback>;
using Pubrec = AcknowledgementOf<PacketType::pubrec>;
using Pubrel = AcknowledgementOf<PacketType::pubrel>;
using Pubcomp = AcknowledgementOf<PacketType::pubcomp>;

// The list of filters at the end of SUBSCRIBE and UNSUBSCRIBE: `items` before encoding, `encoded` after
// decoding, when next() walks it.
template<class Item>
struct FilterList {
  std::span<const Item> items{};
  Bytes encoded{};

  // Takes the next decoded item; false at the end.
  bool next(Wire wire, Item& item);
};

struct Subscribe {
  static constexpr PacketType type = PacketType::subscribe;
  std::uint16_t packet_id = 0;
  PropertyView properties{};
  FilterList<Subscription> filters{};
};

struct Unsubscribe {
  static constexpr PacketType type = PacketType::unsubscribe;
  std::uint16_t packet_id = 0;
  PropertyView properties{};
  FilterList<std::string_view> filters{};
};

// SUBACK and UNSUBACK; the latter has no reason codes on 3.1.1.
struct FilterAcknowledgement {
  std::uint16_t packet_id = 0;
  PropertyView properties{};
  Bytes reason_codes{};
};
template<PacketType kType>
struct FilterAcknowledgementOf : FilterAcknowledgement {
  using Form = FilterAcknowledgement;
  static constexpr PacketType type = kType;
};
using Suback = FilterAcknowledgementOf<PacketType::suback>;
using Unsuback = FilterAcknowledgementOf<PacketType::unsuback>;

struct Pingreq {
  static constexpr PacketType type = PacketType::pingreq;
};

struct Pingresp {
  static constexpr PacketType type = PacketType::pingresp;
};

// DISCONNECT and AUTH.
struct ReasonOnly {
  ReasonCode reason = ReasonCode::success;
  PropertyView properties{};
};
template<PacketType kType>
struct ReasonOnlyOf : ReasonOnly {
  using Form = ReasonOnly;
  static constexpr PacketType type = kType;
};
using Disconnect = ReasonOnlyOf<PacketType::disconnect>;
using Auth = ReasonOnlyOf<PacketType::auth>;

}  // namespace mqboard::mqtt
