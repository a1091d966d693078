// Boards that speak v1 only. What goes wrong there, and is defended against here: a put writes in place, so a
// larger one goes to a temporary file which is verified and renamed; the board does not acknowledge pieces of
// a put, so small evals show how far it is.
#include <array>
#include <charconv>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/sha256_hex.hpp"
#include "cli/v1_request.hpp"

namespace mqboard::cli {

namespace v1 = command::v1;
using Expect = V1Request::Collector::Expect;

namespace {

constexpr std::uint32_t kOriginalWindow = 32;  // pieces a board without acknowledgements may be behind
// Up to here a transfer is not worth a hash computed on the board.
constexpr std::uint64_t kSmallFile = v1::kRequestChunk * kOriginalWindow / 2;
constexpr std::uint32_t kOriginalAhead = 16;  // pieces an original board may be behind its acknowledgements
constexpr std::uint32_t kOurWindow = 256;

// Where the failure is the board's own text about `thing`.
Failure about(const Failure& failure, std::string_view thing) {
  return failure.message.empty() ? explain(failure.detail, thing) : failure;
}

class V1Board final : public Board {
 public:
  explicit V1Board(Session& session) : session_(session) {}

  asio::awaitable<Result<int>> exec(Script script, Streams streams) override {
    std::string arguments = v1_script::quote(script.name);
    for (const std::string& argument : script.arguments) arguments += "," + v1_script::quote(argument);
    if (!script.arguments.empty()) {
      script.source = fmt::format("import sys;sys.argv[:]=[{}];{}", arguments, script.source);
    }
    auto done =
        co_await v1_eval(session_, v1_script::as_statements(script.source), std::move(streams.output));
    if (done) co_return 0;
    if (const auto status = v1_script::exit_status(done.error().detail)) co_return *status;
    co_return std::unexpected(std::move(done.error()));
  }

  asio::awaitable<Result<>> interrupt() override { return v1_interrupt(session_); }

  asio::awaitable<Result<std::vector<StatusField>>> info() override {
    const auto output = co_await run(v1_script::info(), "info");
    if (!output) co_return std::unexpected(output.error());
    std::vector<StatusField> fields;
    std::string_view rest = *output;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos) {
        const std::string value(line.substr(space + 1));
        const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
        fields.push_back({std::string(line.substr(0, space)), value, number ? value : ""});
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    co_return fields;
  }

  asio::awaitable<Result<std::vector<Entry>>> list(std::string path, ListOptions options) override {
    const auto output = co_await run(v1_script::list(path, options.recursive, options.sha), path);
    if (!output) co_return std::unexpected(output.error());
    co_return v1_script::parse_list(*output);
  }

  asio::awaitable<Result<Entry>> stat(std::string path, bool sha) override {
    const auto output = co_await run(v1_script::stat(path, sha), path);
    if (!output) co_return std::unexpected(output.error());
    auto entries = v1_script::parse_list(*output);
    if (!entries) co_return std::unexpected(entries.error());
    if (entries->size() != 1) co_return fail(ExitStatus::board_error, fmt::format("{}: no answer", path));
    co_return std::move(entries->front());
  }

  asio::awaitable<Result<>> make_directory(std::string path, bool parents) override {
    co_return without_output(co_await run(v1_script::make_directory(path, parents), path));
  }

  asio::awaitable<Result<>> remove(std::string path, bool recursive, bool force) override {
    co_return without_output(co_await run(v1_script::remove(path, recursive, force), path));
  }

  asio::awaitable<Result<>> remove_directory(std::string path) override {
    co_return without_output(co_await run(v1_script::remove_directory(path), path));
  }

  asio::awaitable<Result<>> rename(std::string from, std::string to) override {
    const std::string both = fmt::format("{} -> {}", from, to);
    co_return without_output(co_await run(v1_script::rename(from, to), both));
  }

  asio::awaitable<Result<>> touch(std::string path) override {
    co_return without_output(co_await run(v1_script::touch(path), path));
  }

  asio::awaitable<Result<Space>> space() override {
    const auto output = co_await run(v1_script::space(), "df");
    if (!output) co_return std::unexpected(output.error());
    Space space;
    const char* const end = output->data() + output->size();
    const auto total = std::from_chars(output->data(), end, space.total_bytes);
    if (total.ec == std::errc{} && total.ptr != end) std::from_chars(total.ptr + 1, end, space.free_bytes);
    co_return space;
  }

  asio::awaitable<Result<>> get(std::string path, ContentSink& into, Mover moved) override {
    if (into.size() != 0) {
      if (auto ok = into.restart(); !ok) co_return ok;
    }
    V1Request request(session_, "get", path, Expect::output, [&](Bytes data) {
      auto written = into.write(data);
      moved(into.size(), 0);
      return written;
    });
    if (auto sent = co_await request.send({.last = true}, {}); !sent) co_return sent;
    if (auto got = explained(co_await request.finished(), path); !got) co_return got;
    if (into.size() <= kSmallFile) co_return Result<>{};
    const auto there = co_await stat(path, true);
    if (!there) co_return std::unexpected(there.error());
    if (there->sha256 != command::to_hex(into.hash()).view())
      co_return fail(ExitStatus::integrity, fmt::format("{}: what arrived is not what the board has", path));
    co_return Result<>{};
  }

  asio::awaitable<Result<>> put(std::string path, Bytes content, Mover moved) override {
    if (auto known = co_await session_.status_known(); !known) co_return known;
    if (session_.status().acknowledges_put) {
      co_return co_await transfer("put", path, path, content, {.window = kOurWindow}, std::move(moved));
    }
    if (!v1::PutSender::fits_original(content.size())) {
      co_return fail(ExitStatus::usage,
                     fmt::format("{}: a board that runs the Python mqboard takes at most 45 MB", path));
    }
    const v1::PutSender::Pacing pacing{.window = kOriginalWindow, .proof = v1::PutSender::Proof::barrier};
    if (content.size() <= kSmallFile) {  // its OK says that every piece arrived
      co_return co_await transfer("put", path, path, content, pacing, std::move(moved));
    }
    const std::string temporary = path + ".part";
    if (auto ok = co_await transfer("put", temporary, path, content, pacing, std::move(moved)); !ok)
      co_return ok;
    co_return without_output(
        co_await run(v1_script::replace_verified(temporary, path, sha256_hex(content)), path));
  }

  asio::awaitable<Result<>> reset(ResetMode mode) override {
    constexpr std::array kNames{"soft", "hard", "safe", "normal"};
    const char* const name = kNames[static_cast<std::size_t>(mode)];
    co_return without_output(co_await run(v1_script::reset(name), "reset"));
  }

  asio::awaitable<Result<>> set_log_level(LoggerLevel level) override {
    co_return without_output(co_await run(v1_script::set_log_level(level.logger, level.level), level.logger));
  }

  asio::awaitable<Result<std::vector<LoggerLevel>>> log_levels() override {
    return not_supported<std::vector<LoggerLevel>>("log-level");
  }
  asio::awaitable<Result<>> follow_log(LogFilter, Sink) override {
    return not_supported<>("the log since boot");
  }
  asio::awaitable<Result<std::vector<CrashReport>>> crashes() override {
    return not_supported<std::vector<CrashReport>>("crash");
  }
  asio::awaitable<Result<>> crash(std::string, Sink) override { return not_supported<>("crash"); }
  asio::awaitable<Result<>> remove_crash(std::string) override { return not_supported<>("crash"); }

  asio::awaitable<Result<>> install(Bytes image, Mover moved) override {
    const std::string hash = sha256_hex(image);
    co_return co_await transfer("ota", hash, "ota", image, {.window = kOriginalAhead}, std::move(moved));
  }
  asio::awaitable<Result<std::string>> update_status() override {
    return not_supported<std::string>("ota status");
  }
  asio::awaitable<Result<>> confirm_update() override { return not_supported<>("ota confirm"); }
  asio::awaitable<Result<>> roll_back() override { return not_supported<>("ota rollback"); }

 private:
  template<class Value = void>
  asio::awaitable<Result<Value>> not_supported(std::string what) {
    co_return fail(ExitStatus::board_error, fmt::format("{}: needs a board that runs mqboardd; {} speaks v1",
                                                        what, session_.settings().prefix));
  }

  static Result<> explained(Result<> result, std::string_view thing) {
    if (!result) return std::unexpected(about(result.error(), thing));
    return result;
  }

  static Result<> without_output(const Result<std::string>& output) {
    if (!output) return std::unexpected(output.error());
    return {};
  }

  // Evaluates a script about `thing` and returns what it printed.
  asio::awaitable<Result<std::string>> run(std::string source, std::string thing) {
    std::string output;
    const auto ran = co_await v1_eval(session_, std::move(source), [&output](Bytes data) -> Result<> {
      output += as_text(data);
      return {};
    });
    if (!ran) co_return std::unexpected(about(ran.error(), thing));
    co_return output;
  }

  // Sends content with put or ota to `target`, reporting errors as of `thing`.
  asio::awaitable<Result<>> transfer(std::string command, std::string target, std::string thing,
                                     Bytes content, v1::PutSender::Pacing pacing, Mover moved) {
    v1::PutSender sender(content.size(), pacing);
    V1Request request(session_, command, target, Expect::acknowledgements, {});
    request.on_acknowledged([&sender](std::uint16_t sequence) { sender.acknowledged(sequence); });
    std::optional<V1Request> barrier;
    while (!request.ended()) {
      while (const auto slice = sender.next()) {
        const Bytes data = content.subspan(static_cast<std::size_t>(slice->offset), slice->bytes);
        if (auto sent = co_await request.send(slice->header, data); !sent) co_return sent;
        if (request.ended()) break;
      }
      if (sender.wants_barrier()) {
        barrier.emplace(session_, "eval", "", Expect::output, Sink{});
        if (auto sent = co_await barrier->send({.last = true}, as_bytes("0")); !sent) co_return sent;
        sender.barrier_sent();
      }
      const std::uint64_t proven = sender.bytes_proven();
      moved(proven, content.size());
      auto moving = co_await session_.until([&] {
        return request.ended() || (barrier && barrier->ended()) || sender.bytes_proven() != proven;
      });
      if (!moving) co_return moving;
      if (barrier && barrier->ended()) {
        sender.barrier_passed();
        barrier.reset();
      }
    }
    co_return explained(co_await request.finished(), thing);
  }

  Session& session_;
};

}  // namespace

std::unique_ptr<Board> v1_board(Session& session) { return std::make_unique<V1Board>(session); }

asio::awaitable<Result<>> v1_eval(Session& session, std::string source, Sink output) {
  V1Request request(session, "eval", "", Expect::output, std::move(output));
  if (auto sent = co_await request.send({.last = true}, as_bytes(source)); !sent) co_return sent;
  co_return co_await request.finished();
}

asio::awaitable<Result<>> v1_eval_within(Session& session, std::string source, Sink output,
                                         std::chrono::milliseconds limit) {
  V1Request request(session, "eval", "", Expect::output, std::move(output));
  if (auto sent = co_await request.send({.last = true}, as_bytes(source)); !sent) co_return sent;
  const auto ended = co_await session.until_within([&request] { return request.ended(); }, limit);
  if (!ended) co_return std::unexpected(ended.error());
  if (!*ended)
    co_return fail(ExitStatus::no_answer, fmt::format("no answer from board {}", session.settings().prefix));
  co_return co_await request.finished();
}

asio::awaitable<Result<>> v1_interrupt(Session& session) {
  V1Request request(session, "interrupt", "", Expect::output, {});
  if (auto sent = co_await request.send({.last = true}, {}); !sent) co_return sent;
  auto done = co_await request.finished();
  if (!done) co_return std::unexpected(about(done.error(), "interrupt"));
  co_return done;
}

}  // namespace mqboard::cli
