#include "cli/repl_peer.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "cli/v2_operation.hpp"

namespace mqboard::cli {

using command::RecordKind;

namespace {

// Several v1 requests, one after the other; each is evaluated in the board's global namespace.
class V1Repl final : public ReplPeer {
 public:
  V1Repl(Session& session, Streams streams) : session_(session), streams_(std::move(streams)) {}

  asio::awaitable<Result<bool>> execute(std::string source) override {
    std::string value;
    auto done = co_await v1_eval(session_, std::move(source), [&value](Bytes data) -> Result<> {
      value += as_text(data);
      return {};
    });
    if (done) {
      if (value != "None" && !value.empty()) {
        if (!value.ends_with('\n')) value += '\n';
        if (auto ok = streams_.output(as_bytes(value)); !ok) co_return std::unexpected(ok.error());
      }
      co_return true;
    }
    const Failure& failure = done.error();
    if (!failure.message.empty()) co_return std::unexpected(failure);
    if (auto ok = streams_.error(as_bytes(failure.detail)); !ok) co_return std::unexpected(ok.error());
    co_return false;
  }

  void interrupt() override { asio::co_spawn(session_.executor(), send_interrupt(session_), asio::detached); }

  asio::awaitable<Result<std::vector<std::string>>> complete(std::string name) override {
    const std::size_t dot = name.rfind('.');
    const std::string object = dot == std::string::npos ? "" : name.substr(0, dot);
    const std::string names =
        object.empty() ? "list(globals())+dir(__import__('builtins'))" : fmt::format("dir({})", object);
    std::string answer;
    auto done = co_await v1_eval(session_, fmt::format("for _n in {}:print(_n)\ndel _n", names),
                                 [&answer](Bytes data) -> Result<> {
                                   answer += as_text(data);
                                   return {};
                                 });
    if (!done && !done.error().message.empty()) co_return std::unexpected(done.error());
    co_return completions(answer, name);
  }

 private:
  static asio::awaitable<void> send_interrupt(Session& session) { co_await v1_interrupt(session); }

  Session& session_;
  Streams streams_;
};

class V2Repl final : public ReplPeer {
 public:
  V2Repl(Session& session, Streams streams)
      : session_(session),
        streams_(std::move(streams)),
        link_(session),
        operation_(link_, Head(command::Operation::repl),
                   [this](const Operation::Piece& piece) { return take(piece); }) {}

  asio::awaitable<Result<bool>> execute(std::string source) override {
    if (auto ok = co_await until_ready(); !ok) co_return std::unexpected(ok.error());
    ready_ = false;
    failed_ = false;
    value_.clear();
    operation_.send(RecordKind::source, as_bytes(source));
    if (auto ok = co_await until_ready(); !ok) co_return std::unexpected(ok.error());
    co_return !failed_;
  }

  void interrupt() override { operation_.send(RecordKind::interrupt, {}); }

  asio::awaitable<Result<std::vector<std::string>>> complete(std::string name) override {
    answer_.reset();
    completing_ = true;
    operation_.send(RecordKind::complete, as_bytes(name));
    auto done = co_await session_.until([this] { return answer_.has_value() || operation_.closed(); });
    completing_ = false;
    if (!done) co_return std::unexpected(done.error());
    co_return completions(answer_.value_or(""), name);
  }

 private:
  // Code may run for ever; the board's answers to our probes tell that it is there.
  asio::awaitable<Result<>> until_ready() {
    if (auto ok = co_await session_.until([this] { return ready_ || operation_.closed(); }); !ok)
      co_return ok;
    if (ready_) co_return Result<>{};
    co_return co_await operation_.finished("repl");
  }

  Result<> take(const Operation::Piece& piece) {
    switch (piece.kind) {
      case RecordKind::output:
        return streams_.output(piece.payload);
      case RecordKind::error:
        failed_ = true;
        return streams_.error(piece.payload);
      case RecordKind::ready:
        ready_ = true;
        return {};
      case RecordKind::result:
        return take_result(piece);
      default:
        return {};
    }
  }

  Result<> take_result(const Operation::Piece& piece) {
    value_ += as_text(piece.payload);
    if (!piece.last) return {};
    std::string text = std::exchange(value_, {});
    if (completing_) {
      answer_ = std::move(text);
      session_.notify();
      return {};
    }
    if (text.empty() || text == "None") return {};
    return streams_.output(as_bytes(text + "\n"));
  }

  Session& session_;
  Streams streams_;
  ChannelLink link_;
  bool ready_ = false;
  bool failed_ = false;
  bool completing_ = false;
  std::string value_;
  std::optional<std::string> answer_;
  Operation operation_;
};

}  // namespace

std::unique_ptr<ReplPeer> v1_repl(Session& session, Streams streams) {
  return std::make_unique<V1Repl>(session, std::move(streams));
}

std::unique_ptr<ReplPeer> v2_repl(Session& session, Streams streams) {
  return std::make_unique<V2Repl>(session, std::move(streams));
}

std::vector<std::string> completions(std::string_view answer, std::string_view name) {
  const std::string_view object = name.substr(0, name.rfind('.') + 1);
  std::vector<std::string> names;
  while (!answer.empty()) {
    const std::size_t end = std::min(answer.find('\n'), answer.size());
    std::string_view line = answer.substr(0, end);
    answer.remove_prefix(std::min(end + 1, answer.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool dotted = !object.empty() && line.starts_with(object);
    std::string full = dotted ? std::string(line) : std::string(object).append(line);
    if (!line.empty() && full.starts_with(name)) names.push_back(std::move(full));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace mqboard::cli
