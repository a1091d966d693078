// Boards that speak v1 only. What goes wrong there, and is defended against here: a put writes in place, so a
// larger one goes to a temporary file which is verified and renamed; the board does not acknowledge pieces of
// a put, so small evals show how far it is.
#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/v1_request.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::cli {

namespace v1 = command::v1;
using Expect = V1Request::Collector::Expect;

namespace {

constexpr std::uint32_t kOriginalWindow = 32;  // pieces a board without acknowledgements may be behind
constexpr std::uint32_t kOurWindow = 256;

// Where the failure is the board's own text about `thing`.
Failure about(const Failure& failure, std::string_view thing) {
  return failure.message.empty() ? explain(failure.detail, thing) : failure;
}

class V1Board final : public Board {
 public:
  explicit V1Board(Session& session) : session_(session) {}

  asio::awaitable<Result<>> exec(std::string source, std::string, Sink output) override {
    return v1_eval(session_, v1_script::as_statements(source), std::move(output));
  }

  asio::awaitable<Result<>> interrupt() override {
    V1Request request(session_, "interrupt", "", Expect::output, {});
    if (auto sent = co_await request.send({.last = true}, {}); !sent) co_return sent;
    co_return explained(co_await request.finished(), "interrupt");
  }

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
        fields.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
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

  asio::awaitable<Result<>> get(std::string path, Sink into, Mover moved) override {
    std::uint64_t done = 0;
    V1Request request(session_, "get", path, Expect::output, [&](Bytes data) {
      done += data.size();
      moved(done, 0);
      return into(data);
    });
    if (auto sent = co_await request.send({.last = true}, {}); !sent) co_return sent;
    co_return explained(co_await request.finished(), path);
  }

  asio::awaitable<Result<>> put(std::string path, Bytes content, Mover moved) override {
    if (auto known = co_await session_.status_known(); !known) co_return known;
    if (session_.status().acknowledges_put) {
      co_return co_await transfer(path, path, content, {.window = kOurWindow}, std::move(moved));
    }
    if (!v1::PutSender::fits_original(content.size())) {
      co_return fail(ExitStatus::usage,
                     fmt::format("{}: a board that runs the Python mqboard takes at most 45 MB", path));
    }
    const v1::PutSender::Pacing pacing{.window = kOriginalWindow, .proof = v1::PutSender::Proof::barrier};
    if (content.size() <= v1::kRequestChunk * kOriginalWindow / 2) {  // its OK says that every piece arrived
      co_return co_await transfer(path, path, content, pacing, std::move(moved));
    }
    const std::string temporary = path + ".part";
    if (auto ok = co_await transfer(temporary, path, content, pacing, std::move(moved)); !ok) co_return ok;
    co_return without_output(co_await run(
        v1_script::replace_verified(temporary, path, command::to_hex(port::sha256(content))), path));
  }

 private:
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

  // Sends a file's content to `target`, reporting errors as of `path`.
  asio::awaitable<Result<>> transfer(std::string target, std::string path, Bytes content,
                                     v1::PutSender::Pacing pacing, Mover moved) {
    v1::PutSender sender(content.size(), pacing);
    V1Request request(session_, "put", target, Expect::acknowledgements, {});
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
    co_return explained(co_await request.finished(), path);
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

asio::awaitable<Result<std::unique_ptr<Board>>> open_board(Session& session) {
  const auto protocol = co_await session.protocol();
  if (!protocol) co_return std::unexpected(protocol.error());
  co_return v1_board(session);
}

}  // namespace mqboard::cli
