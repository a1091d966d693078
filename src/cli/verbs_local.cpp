// Verbs that need no connection: saved boards, completion, the manual page.
#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>

#include "cli/command_docs.hpp"
#include "cli/profile.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

json::Value to_json(const Profiles::Board& board, bool is_default) {
  std::vector<json::Field> fields{{"name", board.name}, {"default", is_default}};
  for (const KeyInfo& row : key_table()) {
    const bool secret = row.key == Key::password;
    if (const auto& value = board.layer.get(row.key))
      fields.emplace_back(row.profile, secret ? "***" : *value);
  }
  return json::object(fields);
}

std::string address_of(const Profiles::Board& board) {
  return board.layer.get(board.layer.get(Key::topic) ? Key::topic : Key::prefix).value_or("");
}

Result<> save(const Result<>& change, const Profiles& profiles) { return change ? profiles.save() : change; }

}  // namespace

Result<> perform(BoardAdd verb, LocalContext context) {
  auto profiles = Profiles::load(profiles_path(std::getenv));
  if (!profiles) return std::unexpected(profiles.error());
  if (!context.options.get(Key::prefix) && !context.options.get(Key::topic)) {
    return fail(ExitStatus::usage,
                "board add: give the board's --prefix, and --server and the like as needed");
  }
  if (auto ok = profiles->put(verb.name, context.options); !ok) return ok;
  return save(verb.make_default ? profiles->set_default(verb.name) : Result<>{}, *profiles);
}

Result<> perform(BoardRemove verb, LocalContext) {
  auto profiles = Profiles::load(profiles_path(std::getenv));
  if (!profiles) return std::unexpected(profiles.error());
  return save(profiles->remove(verb.name), *profiles);
}

Result<> perform(BoardDefault verb, LocalContext) {
  auto profiles = Profiles::load(profiles_path(std::getenv));
  if (!profiles) return std::unexpected(profiles.error());
  return save(profiles->set_default(verb.name), *profiles);
}

Result<> perform(BoardList verb, LocalContext context) {
  auto profiles = Profiles::load(profiles_path(std::getenv));
  if (!profiles) return std::unexpected(profiles.error());
  std::vector<json::Value> records;
  std::size_t name_width = 0;
  std::size_t address_width = 0;
  for (const Profiles::Board& board : profiles->boards()) {
    name_width = std::max(name_width, board.name.size());
    address_width = std::max(address_width, address_of(board).size());
  }
  for (const Profiles::Board& board : profiles->boards()) {
    const bool is_default = board.name == profiles->default_name();
    const auto value = [&board](Key key) { return board.layer.get(key).value_or(""); };
    const std::string address = address_of(board);
    if (context.console.json()) {
      records.push_back(to_json(board, is_default));
    } else if (verb.names_only) {
      context.console.line(board.name);
    } else {
      const std::string server = value(Key::server);
      context.console.line(fmt::format("{} {:<{}}  {:<{}}  {}", is_default ? '*' : ' ', board.name,
                                       name_width, address, address_width,
                                       server.empty() ? "localhost" : server));
    }
  }
  if (profiles->boards().empty()) context.console.note("no board is saved; see `mqboard board add --help`");
  if (context.console.json()) context.console.record(json::array(records));
  return {};
}

Result<> perform(Completion verb, LocalContext context) {
  const auto script = completion_script(verb.shell);
  if (!script)
    return fail(ExitStatus::usage, fmt::format("completion: '{}' is none of bash, zsh, fish", verb.shell));
  context.console.data(*script);
  return {};
}

Result<> perform(ManPage, LocalContext context) {
  context.console.data(manual_page());
  return {};
}

}  // namespace mqboard::cli
