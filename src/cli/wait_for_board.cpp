#include "cli/wait_for_board.hpp"

#include <charconv>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

constexpr std::chrono::seconds kAskEvery{1};

asio::awaitable<std::optional<std::uint64_t>> uptime(Session& session, std::chrono::milliseconds limit) {
  std::string text;
  bool answered = false;
  const auto take = [&text](Bytes data) -> Result<> {
    text += as_text(data);
    return {};
  };
  const auto asked = co_await v1_eval_within(session, "__import__('time').ticks_ms()", take, limit);
  answered = asked.has_value();
  std::uint64_t value = 0;
  if (!answered || std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    co_return std::nullopt;
  co_return value;
}

}  // namespace

asio::awaitable<Result<BoardLife>> current_life(Session& session) {
  if (auto known = co_await session.status_known(); !known) co_return std::unexpected(known.error());
  BoardLife life{session.status().session, {}};
  if (life.session != 0) co_return life;
  life.uptime_ms = co_await uptime(session, session.settings().timeout);
  if (!life.uptime_ms) {
    co_return fail(ExitStatus::no_answer, fmt::format("no answer from board {}", session.settings().prefix));
  }
  co_return life;
}

asio::awaitable<Result<>> wait_for_next_life(Session& session, BoardLife before) {
  session.allow_offline();
  const auto end = std::chrono::steady_clock::now() + kRestartLimit;
  while (std::chrono::steady_clock::now() < end) {
    if (before.uptime_ms) {
      const auto now = co_await uptime(session, kAskEvery);
      if (now && *now < *before.uptime_ms) co_return Result<>{};
      if (now) before.uptime_ms = now;
    }
    const auto back = [&session, &before] {
      const BoardStatus& status = session.status();
      return status.present && status.online && status.session != 0 && status.session != before.session;
    };
    auto waited = co_await session.until_within(back, before.uptime_ms ? kAskEvery : kRestartLimit);
    if (!waited) co_return std::unexpected(waited.error());
    if (*waited) co_return Result<>{};
  }
  co_return fail(ExitStatus::no_answer, fmt::format("board {} did not come back within {} s",
                                                    session.settings().prefix, kRestartLimit.count()));
}

}  // namespace mqboard::cli
