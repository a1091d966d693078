// SHA-256 as text.
#pragma once

#include <string>

#include "core/command/transfer.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::cli {

// 64 lower-case digits.
[[nodiscard]] inline std::string sha256_hex(Bytes data) {
  return std::string(command::to_hex(port::sha256(data)).view());
}

}  // namespace mqboard::cli
