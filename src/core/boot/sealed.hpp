// Records that know whether they are whole, kept as two copies written in turn.
//
// Layout of a sealed record, big endian; what follows it in its place is ignored:
//
//    0  u32  magic
//    4  u16  version of the payload's layout
//    6  u16  payload length
//    8  u32  sequence number: of two whole copies the one with the greater number counts
//   12       payload
//    …  u32  CRC-32 of everything before
//
// A writer always overwrites the copy that does not count, so that a cut in the middle of a write leaves the
// other one. The sequence number does not wrap in a lifetime: 2^32 writes.
#pragma once

#include <array>
#include <optional>

#include "core/base/bytes.hpp"

namespace mqboard::boot {

struct RecordFormat {
  std::uint32_t magic = 0;
  std::uint16_t version = 0;
};

inline constexpr std::size_t kSealBytes = 16;

struct Unsealed {
  std::uint32_t sequence = 0;
  Bytes payload{};  // borrowed from the place it was read from
};

// Writes the sealed record to the front of `place` and returns it; empty when it does not fit.
[[nodiscard]] Bytes seal(MutableBytes place, RecordFormat format, std::uint32_t sequence, Bytes payload);

// Nothing when `place` does not begin with a whole record of this format.
[[nodiscard]] std::optional<Unsealed> unseal(Bytes place, RecordFormat format);

// Which of two copies counts, and where the next record goes with which number.
struct Alternation {
  std::optional<std::size_t> current;
  std::size_t next = 0;
  std::uint32_t next_sequence = 1;
};
[[nodiscard]] Alternation alternate(const std::array<std::optional<Unsealed>, 2>& copies);

}  // namespace mqboard::boot
