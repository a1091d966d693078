#include "cli/board.hpp"

namespace mqboard::cli {

asio::awaitable<Result<std::unique_ptr<Board>>> open_board(Session& session) {
  const auto protocol = co_await session.protocol();
  if (!protocol) co_return std::unexpected(protocol.error());
  co_return *protocol == Protocol::v2 ? v2_board(session) : v1_board(session);
}

}  // namespace mqboard::cli
