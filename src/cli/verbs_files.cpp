#include <algorithm>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/facts.hpp"
#include "cli/local_file.hpp"
#include "cli/progress.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

json::Value to_json(const Entry& entry) {
  std::vector<json::Field> fields{{"path", entry.path}, {"type", entry.directory ? "directory" : "file"}};
  if (!entry.directory) fields.emplace_back("size", entry.size);
  if (entry.modified_s != 0) fields.emplace_back("modified", entry.modified_s);
  if (!entry.sha256.empty()) fields.emplace_back("sha256", entry.sha256);
  return json::object(fields);
}

std::string text_line(const Entry& entry, const Ls& verb, bool full_path) {
  std::string line;
  if (verb.sha) line += fmt::format("{:64}  ", entry.sha256);
  if (verb.details) {
    line += entry.directory ? fmt::format("{:>12}  ", "-") : fmt::format("{:>12}  ", entry.size);
    line += fmt::format("{:>19}  ", entry.modified_s == 0 ? "-" : date_text(entry.modified_s));
  }
  line += full_path ? std::string_view(entry.path) : base_name(entry.path);
  if (entry.directory) line += '/';
  return line;
}

void print(Console& console, const std::string& line) {
  console.line(console.output_is_terminal() ? printable(line) : line);
}

void sort_by_path(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
}

// What each of several paths has done to it, until one fails.
template<class Action>
Done for_each(Context context, std::vector<std::string> paths, Action action) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& path : paths) {
    if (auto ok = co_await action(**board, path); !ok) co_return ok;
  }
  co_return Result<>{};
}

// One level of a tree: entries directly below `directory`, whose lines begin with `indent`.
void print_level(Console& console, const std::vector<Entry>& entries, const std::string& directory,
                 const std::string& indent, bool sizes) {
  std::vector<const Entry*> here;
  for (const Entry& entry : entries) {
    const bool below = entry.path.size() > directory.size() && entry.path.starts_with(directory);
    if (below && entry.path.find('/', directory.size()) == std::string::npos) here.push_back(&entry);
  }
  for (const Entry* entry : here) {
    const bool last = entry == here.back();
    std::string line = fmt::format("{}{}", indent, last ? "`-- " : "|-- ");
    if (sizes && !entry->directory)
      line += fmt::format("[{:>8}]  ", human_bytes(static_cast<double>(entry->size)));
    line += entry->path.substr(directory.size());
    if (entry->directory) line += '/';
    print(console, line);
    if (entry->directory) {
      print_level(console, entries, entry->path + "/", fmt::format("{}{}", indent, last ? "    " : "|   "),
                  sizes);
    }
  }
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
    sort_by_path(*entries);
    for (const Entry& entry : *entries) {
      if (context.console.json()) {
        records.push_back(to_json(entry));
      } else {
        print(context.console, text_line(entry, verb, full_path));
      }
    }
  }
  if (context.console.json()) context.console.record(json::array(records));
  co_return Result<>{};
}

Done perform(Tree verb, Context context) {
  if (context.console.json()) {
    Ls list;
    list.paths = {verb.path};
    list.recursive = true;
    co_return co_await perform(std::move(list), context);
  }
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto entries = co_await (*board)->list(verb.path, {.recursive = true, .sha = false});
  if (!entries) co_return std::unexpected(entries.error());
  sort_by_path(*entries);
  print(context.console, verb.path);
  print_level(context.console, *entries, join(verb.path, ""), "", verb.sizes);
  co_return Result<>{};
}

Done perform(Mkdir verb, Context context) {
  const bool parents = verb.parents;
  return for_each(context, std::move(verb.directories), [parents](Board& board, const std::string& path) {
    return board.make_directory(path, parents);
  });
}

Done perform(Rm verb, Context context) {
  for (const std::string& path : verb.paths) {
    const bool root = path.find_first_not_of("/.") == std::string::npos;
    if (root)
      co_return fail(ExitStatus::usage,
                     fmt::format("rm: '{}' is the board's root; name what to remove", path));
  }
  const bool recursive = verb.recursive;
  const bool force = verb.force;
  co_return co_await for_each(context, std::move(verb.paths),
                              [recursive, force](Board& board, const std::string& path) {
                                return board.remove(path, recursive, force);
                              });
}

Done perform(Rmdir verb, Context context) {
  return for_each(context, std::move(verb.directories),
                  [](Board& board, const std::string& path) { return board.remove_directory(path); });
}

Done perform(Touch verb, Context context) {
  return for_each(context, std::move(verb.files),
                  [](Board& board, const std::string& path) { return board.touch(path); });
}

Done perform(Mv verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  co_return co_await (*board)->rename(verb.from, verb.to);
}

Done perform(Sha256Sum verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  std::vector<json::Value> records;
  for (const std::string& path : verb.files) {
    auto entry = co_await (*board)->stat(path, true);
    if (!entry) co_return std::unexpected(entry.error());
    if (entry->directory) {
      co_return std::unexpected(
          Failure{ExitStatus::board_error, fmt::format("{}: Is a directory", path), "is_a_directory"});
    }
    entry->path = path;
    if (context.console.json()) {
      records.push_back(to_json(*entry));
    } else {
      print(context.console, fmt::format("{}  {}", entry->sha256, path));
    }
  }
  if (context.console.json()) context.console.record(json::array(records));
  co_return Result<>{};
}

Done perform(Df, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  const auto space = co_await (*board)->space();
  if (!space) co_return std::unexpected(space.error());
  const std::uint64_t used = space->total_bytes - std::min(space->free_bytes, space->total_bytes);
  if (context.console.json()) {
    context.console.record(
        json::object({{"total", space->total_bytes}, {"used", used}, {"free", space->free_bytes}}));
    co_return Result<>{};
  }
  const double percent = space->total_bytes == 0
                             ? 0
                             : 100.0 * static_cast<double>(used) / static_cast<double>(space->total_bytes);
  context.console.line(fmt::format("{:>10} {:>10} {:>10} {:>5}", "size", "used", "free", "use"));
  context.console.line(fmt::format(
      "{:>10} {:>10} {:>10} {:>4.0f}%", human_bytes(static_cast<double>(space->total_bytes)),
      human_bytes(static_cast<double>(used)), human_bytes(static_cast<double>(space->free_bytes)), percent));
  co_return Result<>{};
}

}  // namespace mqboard::cli
