#include "python/digest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace mqboard::python {

namespace {

constexpr std::size_t kBlockBytes = 64;

struct State {
  std::uint32_t words[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::uint64_t length_bytes = 0;
  std::uint8_t block[kBlockBytes] = {};  // what does not fill a block yet
};

std::uint32_t word_at(const std::uint8_t* at, std::endian order) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return order == std::endian::native ? word : __builtin_bswap32(word);
}

void sha1_block(std::uint32_t* state, const std::uint8_t* block) {
  std::uint32_t w[80];
  for (std::size_t t = 0; t < 16; ++t) w[t] = word_at(block + 4 * t, std::endian::big);
  for (std::size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (std::size_t t = 0; t < 80; ++t) {
    const std::uint32_t f = t < 20   ? (b & c) | (~b & d)
                            : t < 40 ? b ^ c ^ d
                            : t < 60 ? (b & c) | (b & d) | (c & d)
                                     : b ^ c ^ d;
    constexpr std::uint32_t kRound[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    const std::uint32_t next = std::rotl(a, 5) + f + e + kRound[t / 20] + w[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

std::array<std::uint32_t, 64> sines() {
  std::array<std::uint32_t, 64> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] =
        static_cast<std::uint32_t>(std::floor(std::abs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
  }
  return table;
}

void md5_block(std::uint32_t* state, const std::uint8_t* block) {
  static const std::array<std::uint32_t, 64> kSine = sines();
  constexpr int kShift[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  constexpr std::size_t kFactor[] = {1, 5, 3, 7};
  constexpr std::size_t kOffset[] = {0, 1, 5, 0};
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t round = i / 16;
    const std::uint32_t f = round == 0   ? (b & c) | (~b & d)
                            : round == 1 ? (d & b) | (~d & c)
                            : round == 2 ? b ^ c ^ d
                                         : c ^ (b | ~d);
    const std::size_t index = (kFactor[round] * i + kOffset[round]) % 16;
    const std::uint32_t mixed = a + f + kSine[i] + word_at(block + 4 * index, std::endian::little);
    a = d;
    d = c;
    c = b;
    b += std::rotl(mixed, kShift[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

void add(DigestKind kind, State& state, Bytes data) {
  while (!data.empty()) {
    const std::size_t used = state.length_bytes % kBlockBytes;
    const std::size_t count = std::min(data.size(), kBlockBytes - used);
    std::memcpy(state.block + used, data.data(), count);
    state.length_bytes += count;
    data = data.subspan(count);
    if (used + count < kBlockBytes) return;
    if (kind == DigestKind::sha1) {
      sha1_block(state.words, state.block);
    } else {
      md5_block(state.words, state.block);
    }
  }
}

std::optional<State> load(Bytes bytes) {
  State state;
  if (bytes.empty()) return state;
  if (bytes.size() != sizeof state) return {};
  std::memcpy(&state, bytes.data(), sizeof state);
  return state;
}

}  // namespace

std::optional<ByteString> digest_update(DigestKind kind, Bytes bytes, Bytes data) {
  auto state = load(bytes);
  if (!state) return {};
  add(kind, *state, data);
  ByteString result(sizeof(State));
  std::memcpy(result.data(), &*state, sizeof(State));
  return result;
}

std::optional<ByteString> digest_finish(DigestKind kind, Bytes bytes) {
  auto state = load(bytes);
  if (!state) return {};
  const bool big = kind == DigestKind::sha1;
  const std::uint64_t bits = state->length_bytes * 8;
  constexpr std::uint8_t kPadding[kBlockBytes] = {0x80};
  const std::size_t used = state->length_bytes % kBlockBytes;
  add(kind, *state, Bytes(kPadding).first((used < 56 ? 56 : 120) - used));
  std::uint8_t length[8];
  for (std::size_t i = 0; i < 8; ++i) length[big ? 7 - i : i] = static_cast<std::uint8_t>(bits >> (8 * i));
  add(kind, *state, length);
  ByteString result(big ? 20 : 16);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<std::uint8_t>(state->words[i / 4] >> (8 * (big ? 3 - i % 4 : i % 4)));
  }
  return result;
}

}  // namespace mqboard::python
