// Test support: packets and events as one-line text, so that a conversation reads as one.
#pragma once

#include <string>
#include <vector>

#include "core/mqtt/decoder.hpp"
#include "core/mqtt/session.hpp"

namespace mqboard::mqtt::testing {

using Lines = std::vector<std::string>;
using Buffer = std::vector<std::uint8_t>;

// "PUBLISH id=1 qos1 dup a/b 'payload'" and the like; long payloads as their size. Properties as {name=value
// ...} with their identifiers in hex. A packet that cannot be decoded reads "! what is wrong".
std::string packet_text(std::uint8_t first, Bytes body, Wire wire);

// Every whole packet at the front of `stream`, which loses them.
Lines take_packets(Buffer& stream, Wire wire);

std::string event_text(const Event& event);

}  // namespace mqboard::mqtt::testing
