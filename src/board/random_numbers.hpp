// Numbers nobody can guess, of the kernel.
#pragma once

#include <cstdint>
#include <string>

namespace mqboard::board {

[[nodiscard]] std::uint64_t random_number();  // not 0
[[nodiscard]] std::uint32_t make_epoch();     // of the v2 channels; not 0
[[nodiscard]] std::string make_secret();      // 32 hexadecimal digits

}  // namespace mqboard::board
