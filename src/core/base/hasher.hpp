// SHA-256 as core sees it; implemented outside core.
#pragma once

#include <array>

#include "core/base/bytes.hpp"

namespace mqboard {

using Sha256 = std::array<std::uint8_t, 32>;

// reset() before each use; digest() ends it. Not thread-safe.
class Hasher {
 public:
  virtual void reset() = 0;
  virtual void update(Bytes data) = 0;
  virtual Sha256 digest() = 0;

 protected:
  ~Hasher() = default;
};

}  // namespace mqboard
