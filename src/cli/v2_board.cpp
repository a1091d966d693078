#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/v2_operation.hpp"
#include "cli/v2_transfer.hpp"

namespace mqboard::cli {

using command::Field;
using command::Fields;
using command::RecordKind;
using Op = command::Operation;

namespace {

std::string text_or(const Fields& fields, Field id, std::string_view otherwise = "") {
  return std::string(fields.text(id).value_or(otherwise));
}

Entry to_entry(const Fields& fields, std::string path) {
  Entry entry{std::move(path), fields.number(Field::kind).value_or(0) == 1,
              fields.number(Field::size).value_or(0), ""};
  if (const auto modified = fields.number(Field::modified_s))
    entry.modified_s = static_cast<std::int64_t>(*modified);
  if (const auto hash = command::hash_field(fields)) entry.sha256 = command::to_hex(*hash).view();
  return entry;
}

class V2Board final : public Board {
 public:
  explicit V2Board(Session& session) : session_(session), link_(session) {}

  asio::awaitable<Result<int>> exec(Script script, Streams streams) override {
    int status = 0;
    Operation operation(link_, exec_head(script), [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind == RecordKind::output) return streams.output(piece.payload);
      if (piece.kind == RecordKind::error) return streams.error(piece.payload);
      if (piece.kind == RecordKind::head) {
        status = static_cast<int>(Fields(piece.payload).number(Field::exit).value_or(1) & 0xff);
      }
      return {};
    });
    if (script.source.size() > command::kMaxSourceField)
      operation.send(RecordKind::source, as_bytes(script.source));
    operation.end();
    session_.on_interrupt([this, &operation] {
      session_.on_interrupt({});  // a second Ctrl-C leaves
      operation.cancel();
    });
    auto done = co_await operation.finished(script.name);
    session_.on_interrupt({});
    if (done) co_return 0;
    const command::StatusCode code = operation.closed() ? operation.status().code : command::StatusCode::ok;
    if (code == command::StatusCode::exited) co_return status;
    const bool told = code == command::StatusCode::exception || code == command::StatusCode::interrupted;
    if (told) done.error().message.clear();  // the traceback is on the error stream
    co_return std::unexpected(std::move(done.error()));
  }

  asio::awaitable<Result<>> interrupt() override { return simple(Head(Op::interrupt), "interrupt"); }

  asio::awaitable<Result<std::vector<Entry>>> list(std::string path, ListOptions options) override {
    std::vector<Entry> entries;
    Head head(Op::list);
    head.text(Field::path, path).flag(Field::recursive, options.recursive).flag(Field::hashes, options.sha);
    Operation operation(link_, head, [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind != RecordKind::entry) return {};
      const Fields fields(piece.payload);
      entries.push_back(to_entry(fields, join(path, text_or(fields, Field::name))));
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished(path);
    if (done) co_return entries;
    if (operation.status().code != command::StatusCode::not_a_directory)
      co_return std::unexpected(done.error());
    auto file = co_await stat(path, options.sha);
    if (!file) co_return std::unexpected(file.error());
    entries.assign(1, std::move(*file));
    co_return entries;
  }

  asio::awaitable<Result<Entry>> stat(std::string path, bool sha) override {
    Entry entry;
    Head head(Op::stat);
    head.text(Field::path, path).flag(Field::hashes, sha);
    Operation operation(link_, head, [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind == RecordKind::head) entry = to_entry(Fields(piece.payload), path);
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished(path);
    if (!done) co_return std::unexpected(done.error());
    co_return entry;
  }

  asio::awaitable<Result<>> make_directory(std::string path, bool parents) override {
    Head head(Op::make_dir);
    head.text(Field::path, path).flag(Field::parents, parents);
    return simple(std::move(head), std::move(path));
  }

  asio::awaitable<Result<>> remove(std::string path, bool recursive, bool force) override {
    Head head(Op::remove);
    head.text(Field::path, path).flag(Field::recursive, recursive).flag(Field::missing_ok, force);
    return simple(std::move(head), std::move(path));
  }

  asio::awaitable<Result<>> remove_directory(std::string path) override {
    Head head(Op::remove_dir);
    head.text(Field::path, path);
    return simple(std::move(head), std::move(path));
  }

  asio::awaitable<Result<>> rename(std::string from, std::string to) override {
    const auto target = co_await stat(to, false);
    if (target && target->directory) to = join(to, base_name(from));
    Head head(Op::rename);
    head.text(Field::path, from).text(Field::to, to);
    co_return co_await simple(std::move(head), from);
  }

  asio::awaitable<Result<>> touch(std::string path) override {
    Head head(Op::touch);
    head.text(Field::path, path);
    return simple(std::move(head), std::move(path));
  }

  asio::awaitable<Result<Space>> space() override {
    Space space;
    Operation operation(link_, Head(Op::space), [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind != RecordKind::head) return {};
      const Fields fields(piece.payload);
      space = {fields.number(Field::size).value_or(0), fields.number(Field::free).value_or(0)};
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished("df");
    if (!done) co_return std::unexpected(done.error());
    co_return space;
  }

  asio::awaitable<Result<>> get(std::string path, ContentSink& into, Mover moved) override {
    return v2_get(link_, std::move(path), into, std::move(moved));
  }

  asio::awaitable<Result<>> put(std::string path, Bytes content, Mover moved) override {
    const auto make_head = [path] { return std::move(Head(Op::put).text(Field::path, path)); };
    return v2_send(link_, make_head, path, content, std::move(moved));
  }

  asio::awaitable<Result<std::vector<StatusField>>> info() override {
    const auto json = co_await document(Head(Op::info), "info");
    if (!json) co_return std::unexpected(json.error());
    co_return flatten(*json);
  }

  asio::awaitable<Result<>> reset(ResetMode mode) override {
    Head head(Op::reset);
    head.number(Field::mode, static_cast<std::uint64_t>(mode));
    return simple(std::move(head), "reset");
  }

  asio::awaitable<Result<std::vector<LoggerLevel>>> log_levels() override {
    std::vector<LoggerLevel> levels;
    Operation operation(link_, Head(Op::log_level), [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind != RecordKind::entry) return {};
      const Fields fields(piece.payload);
      levels.push_back(
          {text_or(fields, Field::name), static_cast<unsigned>(fields.number(Field::level).value_or(0))});
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished("log-level");
    if (!done) co_return std::unexpected(done.error());
    co_return levels;
  }

  asio::awaitable<Result<>> set_log_level(LoggerLevel level) override {
    Head head(Op::log_level);
    head.text(Field::name, level.logger).number(Field::level, level.level);
    return simple(std::move(head), "log-level");
  }

  asio::awaitable<Result<>> follow_log(LogFilter filter, Sink line) override {
    Head head(Op::log_follow);
    if (filter.level != 0) head.number(Field::level, filter.level);
    if (!filter.logger.empty()) head.text(Field::name, filter.logger);
    head.flag(Field::since_boot, filter.since_boot);
    std::string text;
    Operation operation(link_, head, [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind != RecordKind::log) return {};
      if (piece.first) text.clear();
      text += as_text(piece.payload);
      return piece.last ? line(as_bytes(text)) : Result<>{};
    });
    operation.end();
    co_return co_await operation.finished("log");
  }

  asio::awaitable<Result<std::vector<CrashReport>>> crashes() override {
    std::vector<CrashReport> reports;
    Operation operation(link_, Head(Op::crash_list), [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind != RecordKind::entry) return {};
      const Fields fields(piece.payload);
      reports.push_back({text_or(fields, Field::name), fields.number(Field::size).value_or(0),
                         static_cast<std::int64_t>(fields.number(Field::modified_s).value_or(0)),
                         text_or(fields, Field::text)});
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished("crash ls");
    if (!done) co_return std::unexpected(done.error());
    co_return reports;
  }

  asio::awaitable<Result<>> crash(std::string name, Sink into) override {
    Head head(Op::crash_get);
    head.text(Field::name, name);
    Operation operation(link_, head, [&](const Operation::Piece& piece) -> Result<> {
      return piece.kind == RecordKind::body ? into(piece.payload) : Result<>{};
    });
    operation.end();
    co_return co_await operation.finished(name);
  }

  asio::awaitable<Result<>> remove_crash(std::string name) override {
    Head head(Op::crash_remove);
    if (name.empty()) {
      head.flag(Field::recursive);
    } else {
      head.text(Field::name, name);
    }
    return simple(std::move(head), name.empty() ? "crash reports" : name);
  }

  asio::awaitable<Result<>> install(Bytes image, Mover moved) override {
    const auto make_head = [] { return Head(Op::ota_install); };
    return v2_send(link_, make_head, "ota", image, std::move(moved));
  }

  asio::awaitable<Result<std::string>> update_status() override {
    return document(Head(Op::ota_status), "ota");
  }
  asio::awaitable<Result<>> confirm_update() override { return simple(Head(Op::ota_confirm), "ota"); }
  asio::awaitable<Result<>> roll_back() override { return simple(Head(Op::ota_rollback), "ota"); }

 private:
  static Head exec_head(const Script& script) {
    Head head(Op::exec);
    if (script.source.size() <= command::kMaxSourceField) head.text(Field::source, script.source);
    head.text(Field::name, script.name);
    for (const std::string& argument : script.arguments) head.text(Field::argument, argument);
    return head;
  }

  // An operation whose answer is its status.
  asio::awaitable<Result<>> simple(Head head, std::string thing) {
    Operation operation(link_, head, {});
    operation.end();
    co_return co_await operation.finished(std::move(thing));
  }

  // An operation whose answer is one result record.
  asio::awaitable<Result<std::string>> document(Head head, std::string thing) {
    std::string text;
    Operation operation(link_, head, [&](const Operation::Piece& piece) -> Result<> {
      if (piece.kind == RecordKind::result) text += as_text(piece.payload);
      return {};
    });
    operation.end();
    const auto done = co_await operation.finished(std::move(thing));
    if (!done) co_return std::unexpected(done.error());
    co_return text;
  }

  Session& session_;
  ChannelLink link_;
};

}  // namespace

std::unique_ptr<Board> v2_board(Session& session) { return std::make_unique<V2Board>(session); }

}  // namespace mqboard::cli
