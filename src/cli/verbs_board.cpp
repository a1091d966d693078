#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/facts.hpp"
#include "cli/verbs.hpp"
#include "cli/wait_for_board.hpp"

namespace mqboard::cli {

namespace {

void print(Console& console, const std::string& line) {
  console.line(console.output_is_terminal() ? printable(line) : line);
}

void print_fields(Console& console, const std::vector<StatusField>& fields) {
  std::vector<StatusField> shown;
  std::size_t width = 0;
  for (const StatusField& field : fields) {
    auto text = readable(field, console.verbose());
    if (!text) continue;
    width = std::max(width, text->name.size());
    shown.push_back(std::move(*text));
  }
  for (const StatusField& field : shown) {
    print(console, fmt::format("{:<{}}  {}", field.name, width, field.value));
  }
}

json::Value to_json(const StatusField& field) {
  return field.json.empty() ? json::Value(field.value) : json::Value::raw(field.json);
}

std::string_view presence(const BoardStatus& status) {
  return status.online ? "online" : status.sleeping ? "asleep" : "offline";
}

// What there is to say beside it.
std::string remark(const BoardStatus& status) {
  if (status.online) return status.version;
  if (status.sleeping && status.wakes_at_s != 0) return "until " + date_text(status.wakes_at_s);
  return status.reason;
}

Result<unsigned> numeric_level(const std::string& text) {
  constexpr unsigned kNumbers[] = {10, 20, 30, 40, 50};
  if (text == "inherit" || text == "0") return 0U;
  const auto severity = parse_severity(text);
  if (!severity) {
    return fail(ExitStatus::usage,
                fmt::format("'{}' is no level: debug, info, warning, error, critical or inherit", text));
  }
  return kNumbers[static_cast<std::size_t>(*severity)];
}

std::string level_name(unsigned level) {
  if (level == 0) return "inherit";
  const auto severity = parse_severity(std::to_string(level));
  return severity ? std::string(name(*severity)) : std::to_string(level);
}

std::string no_such_report(const std::string& name) {
  return fmt::format("no crash report '{}'; see `mqboard crash ls`", name);
}

void print_boards(Console& console, const std::map<std::string, BoardStatus>& boards) {
  std::vector<json::Value> records;
  std::size_t width = 0;
  for (const auto& [prefix, status] : boards) width = std::max(width, prefix.size());
  for (const auto& [prefix, status] : boards) {
    if (console.json()) {
      records.push_back(
          json::object({{"board", prefix},
                        {"online", status.online},
                        {"status", status.valid ? json::Value::raw(status.text) : json::Value::null()}}));
      continue;
    }
    std::string line =
        fmt::format("{:<{}}  {:<7}  {}", prefix, width, presence(status), status.v2 ? "v2" : "v1");
    const std::string more = remark(status);
    if (!more.empty()) line.append("  ").append(more);
    print(console, line);
  }
  if (console.json()) console.record(json::array(records));
}

}  // namespace

Done perform(Info, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto facts = co_await (*board)->info();
  if (!facts) co_return std::unexpected(facts.error());
  std::vector<StatusField> fields{{"board", context.settings.prefix},
                                  {"broker", context.settings.broker.name()}};
  const BoardStatus& status = context.session.status();
  const auto announced =
      status.present ? flatten(status.text) : std::vector<StatusField>{{"status", "none announced"}};
  for (const std::vector<StatusField>& source : {announced, *facts}) {
    for (const StatusField& field : source) {
      const auto same =
          std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == field.name; });
      if (same == fields.end()) fields.push_back(field);
    }
  }
  if (!context.console.json()) {
    print_fields(context.console, fields);
    co_return Result<>{};
  }
  std::vector<json::Field> members;
  for (const StatusField& field : fields) members.emplace_back(field.name, to_json(field));
  context.console.record(json::object(members));
  co_return Result<>{};
}

Done perform(Reset verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  BoardLife before;
  if (verb.wait) {
    auto life = co_await current_life(context.session);
    if (!life) co_return std::unexpected(life.error());
    before = *life;
  }
  context.session.allow_offline();  // it may be gone before its answer is here
  if (auto ok = co_await (*board)->reset(verb.mode); !ok) co_return ok;
  if (!verb.wait) co_return Result<>{};
  context.console.status_line(fmt::format("waiting for {} to come back", context.settings.prefix));
  co_return co_await wait_for_next_life(context.session, before);
}

Done perform(LogLevel verb, Context context) {
  unsigned level = 0;
  if (!verb.level.empty()) {
    const auto number = numeric_level(verb.level);
    if (!number) co_return std::unexpected(number.error());
    level = *number;
  }
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  if (!verb.level.empty()) {
    const LoggerLevel wanted{verb.logger, level};
    co_return co_await (*board)->set_log_level(wanted);
  }
  auto levels = co_await (*board)->log_levels();
  if (!levels) co_return std::unexpected(levels.error());
  if (!verb.logger.empty()) {
    std::erase_if(*levels, [&verb](const LoggerLevel& row) { return row.logger != verb.logger; });
    if (levels->empty()) levels->push_back({verb.logger, 0});  // it has none of its own
  }
  std::vector<json::Value> records;
  for (const LoggerLevel& row : *levels) {
    if (context.console.json()) {
      records.push_back(json::object({{"name", row.logger}, {"level", level_name(row.level)}}));
    } else {
      print(context.console,
            fmt::format("{:<8} {}", level_name(row.level), row.logger.empty() ? "(root)" : row.logger));
    }
  }
  if (context.console.json()) context.console.record(json::array(records));
  co_return Result<>{};
}

Done perform(CrashList, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto reports = co_await (*board)->crashes();
  if (!reports) co_return std::unexpected(reports.error());
  std::vector<json::Value> records;
  for (const CrashReport& report : *reports) {
    if (context.console.json()) {
      records.push_back(json::object(
          {{"name", report.name}, {"size", report.size}, {"time", report.time_s}, {"cause", report.text}}));
    } else {
      print(context.console,
            fmt::format("{:<19}  {:>8}  {}  {}", report.time_s == 0 ? "-" : date_text(report.time_s),
                        report.size, report.name, report.text));
    }
  }
  if (context.console.json()) context.console.record(json::array(records));
  co_return Result<>{};
}

Done perform(CrashGet verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto done = co_await (*board)->crash(verb.name, [&context](Bytes data) -> Result<> {
    context.console.data(data);
    return {};
  });
  context.console.end_line();
  if (!done && done.error().code == "not_found") done.error().message = no_such_report(verb.name);
  co_return done;
}

Done perform(CrashRemove verb, Context context) {
  if (verb.all != verb.names.empty())
    co_return fail(ExitStatus::usage, "crash rm: name reports, or give --all");
  if (verb.all) verb.names = {""};
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& report : verb.names) {
    auto ok = co_await (*board)->remove_crash(report);
    if (!ok && ok.error().code == "not_found") ok.error().message = no_such_report(report);
    if (!ok) co_return ok;
  }
  co_return Result<>{};
}

// A status is retained, so all boards that ever announced themselves are told right after the subscription.
Done perform(Discover verb, Context context) {
  std::map<std::string, BoardStatus> boards;
  std::vector<std::unique_ptr<Session::Subscription>> subscriptions;
  const auto seen = [&boards](const mqtt::MessageView& message) {
    const auto prefix = command::prefix_of_status_topic(message.topic);
    if (prefix && !message.payload.empty()) boards[std::string(*prefix)] = parse_status(message.text());
  };
  for (const char* filter : {"+/mqb/status", "+/+/mqb/status", "+/+/+/mqb/status", "+/+/+/+/mqb/status"}) {
    subscriptions.push_back(
        std::make_unique<Session::Subscription>(context.session, filter, mqtt::QoS::at_least_once, seen));
  }
  if (auto ok = co_await context.session.until([&context] { return context.session.subscribed(); }); !ok)
    co_return ok;
  const auto wait = std::chrono::milliseconds(static_cast<std::int64_t>(verb.wait_s * 1000));
  if (auto ok = co_await context.session.until_within([] { return false; }, wait); !ok) {
    co_return std::unexpected(ok.error());
  }
  print_boards(context.console, boards);
  if (boards.empty()) {
    context.console.note(fmt::format("no board announces itself at {}", context.settings.broker.name()));
  }
  co_return Result<>{};
}

}  // namespace mqboard::cli
