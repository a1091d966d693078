// The levels of Python's logging, which all of the board uses.
#pragma once

namespace mqboard::board {

inline constexpr int kInfo = 20;
inline constexpr int kWarning = 30;
inline constexpr int kError = 40;
inline constexpr int kCritical = 50;

}  // namespace mqboard::board
