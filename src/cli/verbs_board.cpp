#include <algorithm>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

void print_fields(Console& console, const std::vector<StatusField>& fields) {
  std::size_t width = 0;
  for (const StatusField& field : fields) width = std::max(width, field.name.size());
  for (const StatusField& field : fields) {
    const std::string line = fmt::format("{:<{}}  {}", field.name, width, field.value);
    console.line(console.output_is_terminal() ? printable(line) : line);
  }
}

}  // namespace

Done perform(Info, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto facts = co_await (*board)->info();
  if (!facts) co_return std::unexpected(facts.error());
  std::vector<StatusField> fields{{"board", context.settings.prefix},
                                  {"broker", context.settings.broker.name()}};
  if (context.session.status().present) {
    const auto announced = flatten(context.session.status().text);
    fields.insert(fields.end(), announced.begin(), announced.end());
  } else {
    fields.push_back({"status", "none announced"});
  }
  fields.insert(fields.end(), facts->begin(), facts->end());
  if (!context.console.json()) {
    print_fields(context.console, fields);
    co_return Result<>{};
  }
  std::vector<json::Field> members;
  for (const StatusField& field : fields) members.emplace_back(field.name, field.value);
  context.console.record(json::object(members));
  co_return Result<>{};
}

}  // namespace mqboard::cli
