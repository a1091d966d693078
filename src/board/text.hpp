// Putting text together without streams.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace mqboard::board {

inline void append(std::string& out, std::string_view part) { out += part; }
inline void append(std::string& out, char part) { out += part; }
template<class Number>
requires(std::integral<Number> && !std::same_as<Number, char> &&
         !std::same_as<Number, bool>) void append(std::string& out, Number part) {
  out += std::to_string(part);
}

// concat("board.toml:", 12, ": ", key)
template<class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

}  // namespace mqboard::board
