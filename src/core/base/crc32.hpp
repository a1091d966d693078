// CRC-32 (ISO-HDLC, as in zlib and PNG): detects torn and stale records in durable state. Not a security
// measure.
#pragma once

#include "core/base/bytes.hpp"

namespace mqboard {

// The checksum of `data` appended to what `previous` covers; start with 0.
[[nodiscard]] std::uint32_t crc32(Bytes data, std::uint32_t previous = 0);

}  // namespace mqboard
