// Which property may stand where, and what its value may be (5.0, section 2.2.2.2, table 2-4), as data.
#pragma once

#include <cstdint>

#include <mqboard/mqtt/properties.hpp>

#include "core/base/bytes.hpp"
#include "core/mqtt/packet.hpp"
#include "core/mqtt/violation.hpp"

namespace mqboard::mqtt {

// The packets (and the will) that own a property block. PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK
// all have the same two properties.
enum class PropertyHome : std::uint16_t {
  connect = 1 << 0,
  will = 1 << 1,
  connack = 1 << 2,
  publish_to_server = 1 << 3,
  publish_to_client = 1 << 4,
  acknowledgement = 1 << 5,
  subscribe = 1 << 6,
  unsubscribe = 1 << 7,
  disconnect_to_server = 1 << 8,
  disconnect_to_client = 1 << 9,
  auth = 1 << 10
};

// The home of the properties of a packet of this type; a packet without properties has none, 0.
[[nodiscard]] PropertyHome property_home(PacketType type, Flow flow);

// Checks a whole block, its length already taken off: identifiers known and allowed in `home`, single ones
// not repeated, values well-formed and in range.
[[nodiscard]] Violation check_properties(Bytes block, PropertyHome home);

}  // namespace mqboard::mqtt
