#include "core/boot/sealed.hpp"

#include "core/base/crc32.hpp"

namespace mqboard::boot {
namespace {

constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kHeaderBytes = kSealBytes - kCrcBytes;

}  // namespace

Bytes seal(MutableBytes place, RecordFormat format, std::uint32_t sequence, Bytes payload) {
  if (payload.size() > 0xffff) return {};
  Writer writer(place);
  writer.u32(format.magic);
  writer.u16(format.version);
  writer.u16(static_cast<std::uint16_t>(payload.size()));
  writer.u32(sequence);
  writer.bytes(payload);
  writer.u32(crc32(writer.written()));
  return writer.written();
}

std::optional<Unsealed> unseal(Bytes place, RecordFormat format) {
  Reader reader(place);
  const std::uint32_t magic = reader.u32();
  const std::uint16_t version = reader.u16();
  const std::uint16_t length = reader.u16();
  Unsealed record{.sequence = reader.u32(), .payload = reader.take(length)};
  const std::uint32_t crc = reader.u32();
  if (reader.failed() || magic != format.magic || version != format.version) return {};
  if (crc != crc32(place.first(kHeaderBytes + length))) return {};
  return record;
}

Alternation alternate(const std::array<std::optional<Unsealed>, 2>& copies) {
  if (!copies[0] && !copies[1]) return {};
  const bool second = copies[1] && (!copies[0] || copies[1]->sequence > copies[0]->sequence);
  const std::size_t current = second ? 1 : 0;
  return {.current = current, .next = 1 - current, .next_sequence = copies[current]->sequence + 1};
}

}  // namespace mqboard::boot
