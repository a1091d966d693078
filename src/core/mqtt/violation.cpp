#include "core/mqtt/violation.hpp"

#include <array>

namespace mqboard::mqtt {
namespace {

using enum ReasonCode;

// In the order of Violation.
constexpr ViolationInfo kTable[] = {
    {"no violation", "", success},
    {"variable byte integer malformed", "MQTT-1.5.5-1", malformed_packet},
    {"packet type unknown", "2.1.2", malformed_packet},
    {"fixed header flags malformed", "MQTT-2.1.3-1", malformed_packet},
    {"packet of the wrong direction", "2.1.2", protocol_error},
    {"field reaches beyond its packet", "4.13", malformed_packet},
    {"bytes behind the last field", "4.13", malformed_packet},
    {"text is not UTF-8", "MQTT-1.5.4-1", malformed_packet},
    {"text contains U+0000", "MQTT-1.5.4-2", malformed_packet},
    {"both QoS bits set", "MQTT-3.3.1-4", malformed_packet},
    {"DUP on QoS 0", "MQTT-3.3.1-2", malformed_packet},
    {"packet identifier is zero", "MQTT-2.2.1-3", protocol_error},
    {"topic name empty or with a wildcard", "MQTT-3.3.2-2", topic_name_invalid},
    {"topic filter malformed", "MQTT-4.7.1-1", topic_filter_invalid},
    {"no topic filter", "MQTT-3.8.3-2", protocol_error},
    {"subscription options malformed", "MQTT-3.8.3-5", malformed_packet},
    {"reason code not allowed here", "2.4", protocol_error},
    {"CONNACK flags malformed", "MQTT-3.2.2-6", protocol_error},
    {"CONNECT flags malformed", "MQTT-3.1.2-3", malformed_packet},
    {"protocol name or level unknown", "MQTT-3.1.2-1", unsupported_protocol_version},
    {"property unknown", "2.2.2.2", malformed_packet},
    {"property not allowed here", "2.2.2.2", protocol_error},
    {"property given twice", "2.2.2.2", protocol_error},
    {"property value out of range", "2.2.2.2", protocol_error},
    {"properties reach beyond their block", "2.2.2.1", malformed_packet},
    {"response topic with a wildcard", "MQTT-3.3.2-14", protocol_error},
    {"topic alias invalid", "MQTT-3.3.2-8", topic_alias_invalid},
    {"packet too large", "MQTT-3.1.2-24", packet_too_large},
    {"receive maximum exceeded", "MQTT-3.3.4-9", receive_maximum_exceeded},
    {"first packet is not CONNACK", "MQTT-3.2.0-1", protocol_error},
    {"second CONNACK", "MQTT-3.2.0-2", protocol_error},
    {"session present where there can be none", "MQTT-3.2.2-2", protocol_error},
    {"acknowledgement of the wrong kind", "4.3", protocol_error},
    {"number of reason codes differs from that of filters", "MQTT-3.9.3-1", protocol_error},
    {"authentication out of turn", "4.12", protocol_error},
    {"DISCONNECT from a 3.1.1 server", "3.14", protocol_error},
};
static_assert(std::size(kTable) == static_cast<std::size_t>(Violation::disconnect_from_server) + 1);

}  // namespace

const ViolationInfo& info(Violation violation) { return kTable[static_cast<std::size_t>(violation)]; }

}  // namespace mqboard::mqtt
