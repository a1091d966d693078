#include <algorithm>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

json::Value to_json(const Entry& entry) {
  std::vector<json::Field> fields{{"path", entry.path}, {"type", entry.directory ? "directory" : "file"}};
  if (!entry.directory) fields.emplace_back("size", entry.size);
  if (!entry.sha256.empty()) fields.emplace_back("sha256", entry.sha256);
  return json::object(fields);
}

std::string text_line(const Entry& entry, const Ls& verb, bool full_path) {
  std::string line;
  if (verb.sha) line += fmt::format("{:64}  ", entry.sha256);
  if (verb.details)
    line += entry.directory ? fmt::format("{:>12}  ", "-") : fmt::format("{:>12}  ", entry.size);
  line += full_path ? std::string_view(entry.path) : base_name(entry.path);
  if (entry.directory) line += '/';
  return line;
}

}  // namespace

Done perform(Ls verb, Context context) {
  if (verb.paths.empty()) verb.paths = {"/"};
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  std::vector<json::Value> records;
  const bool full_path = verb.recursive || verb.paths.size() > 1;
  for (const std::string& path : verb.paths) {
    auto entries = co_await (*board)->list(path, {.recursive = verb.recursive, .sha = verb.sha});
    if (!entries) co_return std::unexpected(entries.error());
    std::sort(entries->begin(), entries->end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    for (const Entry& entry : *entries) {
      if (context.console.json()) {
        records.push_back(to_json(entry));
      } else {
        const std::string line = text_line(entry, verb, full_path);
        context.console.line(context.console.output_is_terminal() ? printable(line) : line);
      }
    }
  }
  if (context.console.json()) context.console.record(json::array(records));
  co_return Result<>{};
}

Done perform(Mkdir verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& path : verb.directories) {
    if (auto ok = co_await (*board)->make_directory(path, verb.parents); !ok) co_return ok;
  }
  co_return Result<>{};
}

Done perform(Rm verb, Context context) {
  for (const std::string& path : verb.paths) {
    const bool root = path.find_first_not_of("/.") == std::string::npos;
    if (root)
      co_return fail(ExitStatus::usage,
                     fmt::format("rm: '{}' is the board's root; name what to remove", path));
  }
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& path : verb.paths) {
    if (auto ok = co_await (*board)->remove(path, verb.recursive, verb.force); !ok) co_return ok;
  }
  co_return Result<>{};
}

Done perform(Rmdir verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& path : verb.directories) {
    if (auto ok = co_await (*board)->remove_directory(path); !ok) co_return ok;
  }
  co_return Result<>{};
}

Done perform(Mv verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  co_return co_await (*board)->rename(verb.from, verb.to);
}

}  // namespace mqboard::cli
