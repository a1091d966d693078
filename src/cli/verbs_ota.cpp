// ota: firmware updates, from the image to what runs afterwards.
#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/transfer_bar.hpp"
#include "cli/verbs.hpp"
#include "cli/wait_for_board.hpp"

namespace mqboard::cli {

namespace {

Done print_status(Board& board, Console& console) {
  const auto json = co_await board.update_status();
  if (!json) co_return std::unexpected(json.error());
  if (console.json()) {
    console.line(*json);
    co_return Result<>{};
  }
  for (const StatusField& field : flatten(*json))
    console.line(fmt::format("{:<24} {}", field.name, field.value));
  co_return Result<>{};
}

}  // namespace

Done perform(OtaInstall verb, Context context) {
  auto image = LocalSource::open(verb.image);
  if (!image) co_return std::unexpected(image.error());
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  {
    TransferBar bar(context.console, verb.image);
    if (auto ok = co_await (*board)->install(image->bytes(), bar.mover()); !ok) co_return ok;
  }
  if (!verb.wait && !verb.confirm) {
    context.console.note("installed; `mqboard reset` starts it on trial");
    co_return Result<>{};
  }
  auto life = co_await current_life(context.session);
  if (!life) co_return std::unexpected(life.error());
  context.session.allow_offline();
  context.console.note("installed; restarting the board");
  if (auto ok = co_await (*board)->reset(ResetMode::hard); !ok) co_return ok;
  if (auto ok = co_await wait_for_next_life(context.session, *life); !ok) co_return ok;
  auto restarted = co_await open_board(context.session);
  if (!restarted) co_return std::unexpected(restarted.error());
  if (verb.confirm) {
    if (auto ok = co_await (*restarted)->confirm_update(); !ok) co_return ok;
  }
  co_return co_await print_status(**restarted, context.console);
}

Done perform(OtaStatus, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  co_return co_await print_status(**board, context.console);
}

Done perform(OtaConfirm, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  co_return co_await (*board)->confirm_update();
}

Done perform(OtaRollback, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  co_return co_await (*board)->roll_back();
}

}  // namespace mqboard::cli
