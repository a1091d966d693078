#include "board/random_numbers.hpp"

#include <sys/random.h>

#include <string_view>

namespace mqboard::board {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  while (number == 0) static_cast<void>(::getrandom(&number, sizeof number, 0));
  return number;
}

std::uint32_t make_epoch() {
  const auto epoch = static_cast<std::uint32_t>(random_number());
  return epoch == 0 ? 1 : epoch;
}

std::string make_secret() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string secret;
  for (const std::uint64_t part : {random_number(), random_number()}) {
    for (unsigned shift = 0; shift < 64; shift += 4) secret += kDigits[(part >> shift) & 15];
  }
  return secret;
}

}  // namespace mqboard::board
