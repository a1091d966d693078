// ota: firmware updates, from the image to what runs afterwards.
#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/slots_text.hpp"
#include "cli/transfer_bar.hpp"
#include "cli/verbs.hpp"
#include "cli/wait_for_board.hpp"

namespace mqboard::cli {

namespace {

std::string field(std::string_view json, std::string_view name) {
  for (StatusField& field : flatten(json)) {
    if (field.name == name) return std::move(field.value);
  }
  return {};
}

// The board tried the new firmware and went back to `before`, what ran until then: a failure that says why.
Result<> must_have_left(const std::string& before, std::string_view json) {
  const std::string runs = field(json, "running");
  if (before.empty() || runs != before) return {};
  const std::string tried = before == "a" ? "b" : "a";
  const std::string reason = field(json, fmt::format("{}.reason", tried));
  return fail(
      ExitStatus::board_error,
      fmt::format("the new firmware did not stay: slot {} is {}{}{}, the board runs {}", tried,
                  field(json, fmt::format("{}.state", tried)), reason.empty() ? "" : ": ", reason, runs));
}

Result<> print_status(const std::string& json, Console& console) {
  if (console.json()) {
    console.line(json);
    return {};
  }
  for (const std::string& line : slots_text(json)) console.line(line);
  return {};
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
  const auto before = co_await (*board)->update_status();  // a v1 board has none to tell
  auto life = co_await current_life(context.session);
  if (!life) co_return std::unexpected(life.error());
  context.session.allow_offline();
  context.console.note("installed; restarting the board");
  if (auto ok = co_await (*board)->reset(ResetMode::hard); !ok) co_return ok;
  if (auto ok = co_await wait_for_next_life(context.session, *life); !ok) co_return ok;
  auto restarted = co_await open_board(context.session);
  if (!restarted) co_return std::unexpected(restarted.error());
  auto runs = co_await (*restarted)->update_status();
  if (!runs) co_return std::unexpected(runs.error());
  if (auto ok = must_have_left(before ? field(*before, "running") : "", *runs); !ok) co_return ok;
  if (verb.confirm) {
    if (auto ok = co_await (*restarted)->confirm_update(); !ok) co_return ok;
    runs = co_await (*restarted)->update_status();
    if (!runs) co_return std::unexpected(runs.error());
  }
  co_return print_status(*runs, context.console);
}

Done perform(OtaStatus, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  const auto json = co_await (*board)->update_status();
  if (!json) co_return std::unexpected(json.error());
  co_return print_status(*json, context.console);
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
