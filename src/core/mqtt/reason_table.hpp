// Which reason code may stand in which packet (5.0, section 2.4, table 2-6), and the return codes of 3.1.1.
#pragma once

#include <cstdint>

#include "core/mqtt/packet.hpp"

namespace mqboard::mqtt {

// Whether `code` may stand in a 5.0 packet of this type travelling in this direction.
[[nodiscard]] bool reason_allowed(std::uint8_t code, PacketType type, Flow flow);

// 3.1.1 CONNACK return codes 0..5 (table 3.1) and back. connack_return_code: a failure without a return code
// of its own becomes 3, server unavailable.
[[nodiscard]] std::uint8_t connack_return_code(ReasonCode code);
[[nodiscard]] std::optional<ReasonCode> from_connack_return_code(std::uint8_t code);

}  // namespace mqboard::mqtt
