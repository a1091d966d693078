// Verbs that need no connection: saved boards, completion, the manual page.
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
  for (const Profiles::Board& board : profiles->boards()) {
    const bool is_default = board.name == profiles->default_name();
    const auto value = [&board](Key key) { return board.layer.get(key).value_or(""); };
    const std::string address = board.layer.get(Key::topic) ? value(Key::topic) : value(Key::prefix);
    if (context.console.json()) {
      records.push_back(to_json(board, is_default));
    } else if (verb.names_only) {
      context.console.line(board.name);
    } else {
      context.console.line(fmt::format("{} {:<16} {:<24} {}", is_default ? '*' : ' ', board.name, address,
                                       value(Key::server)));
    }
  }
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
