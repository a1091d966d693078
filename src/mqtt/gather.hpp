// Copying the front of a list of pieces, for transports that stage their output.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

// Copies what fits and takes it off the list: `offset` counts the bytes already taken from the first piece.
// Returns how many were copied.
inline std::size_t gather(std::span<const Bytes>& pieces, std::size_t& offset, MutableBytes into) {
  std::size_t copied = 0;
  while (!pieces.empty() && copied < into.size()) {
    const Bytes rest = pieces.front().subspan(offset);
    const std::size_t count = std::min(rest.size(), into.size() - copied);
    if (count != 0) std::memcpy(into.data() + copied, rest.data(), count);
    copied += count;
    offset += count;
    if (count == rest.size()) pieces = pieces.subspan(1), offset = 0;
  }
  return copied;
}

}  // namespace mqboard::mqtt
