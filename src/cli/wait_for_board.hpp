// Waiting until a board that was told to restart is back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "cli/board.hpp"

namespace mqboard::cli {

// Identifies one life of the board: what its status announces, or else, on boards without, its uptime.
struct BoardLife {
  std::uint64_t session = 0;
  std::optional<std::uint64_t> uptime_ms;
};

inline constexpr std::chrono::seconds kRestartLimit{120};

[[nodiscard]] asio::awaitable<Result<BoardLife>> current_life(Session& session);
// Completes when another life than `before` answers; fails after kRestartLimit.
[[nodiscard]] asio::awaitable<Result<>> wait_for_next_life(Session& session, BoardLife before);

}  // namespace mqboard::cli
