// repl: the conversation between the operator and the board's Python.
#include "cli/repl_input.hpp"

#include <unistd.h>

#include <fmt/core.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "cli/line_editor.hpp"
#include "cli/local_file.hpp"
#include "cli/repl_peer.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

constexpr std::chrono::seconds kCompletionLimit{2};

Streams console_streams(Console& console) {
  return {[&console](Bytes data) -> Result<> {
            console.data(data);
            console.flush();
            return {};
          },
          [&console](Bytes data) -> Result<> {
            console.script_error(data);
            return {};
          }};
}

// Runs the event loop, from within one of its handlers, until the board has answered: readline's completion
// cannot wait otherwise.
std::vector<std::string> complete_now(Session& session, ReplPeer& peer, std::string_view name) {
  auto& io = static_cast<asio::io_context&>(asio::query(session.executor(), asio::execution::context));
  std::optional<Result<std::vector<std::string>>> answer;
  asio::co_spawn(session.executor(), peer.complete(std::string(name)),
                 [&answer](const std::exception_ptr& exception, Result<std::vector<std::string>> names) {
                   if (!exception) answer = std::move(names);
                 });
  const auto end = std::chrono::steady_clock::now() + kCompletionLimit;
  while (!answer && !session.failure() && std::chrono::steady_clock::now() < end) io.run_one_until(end);
  while (!answer) io.run_one();  // the session's own limit ends it
  return answer->value_or(std::vector<std::string>{});
}

class Conversation {
 public:
  Conversation(Context context, ReplPeer& peer)
      : context_(context),
        peer_(peer),
        editor_(context.session, history_path(),
                [this](std::string_view name) { return complete_now(context_.session, peer_, name); }),
        leave_signal_(context.session.executor(), SIGQUIT) {
    await_leave_signal();
  }

  Done run() {
    context_.console.note(fmt::format("Python on {}. Ctrl-C interrupts, Ctrl-E is paste mode, Ctrl-] leaves.",
                                      context_.settings.prefix));
    ReplInput input;
    while (!left_) {
      auto line = co_await editor_.read(input.empty() ? ">>> " : "... ", input.indentation());
      if (!line) co_return std::unexpected(line.error());
      if (line->end == LineEditor::Line::End::left) break;
      if (line->end == LineEditor::Line::End::interrupted) {
        input.take();
        context_.console.line("KeyboardInterrupt");
        continue;
      }
      if (line->end == LineEditor::Line::End::finished) {
        if (input.empty()) break;
        input.take();
        continue;
      }
      if (line->paste_mode && input.empty()) {
        if (auto ok = co_await paste(); !ok) co_return ok;
        continue;
      }
      input.add(line->text);
      if (!input.complete()) continue;
      if (auto ok = co_await execute(input.take()); !ok) co_return ok;
    }
    co_return Result<>{};
  }

 private:
  Done paste() {
    context_.console.line("paste mode; Ctrl-C to cancel, Ctrl-D to finish");
    std::string source;
    while (true) {
      auto line = co_await editor_.read("=== ", "");
      if (!line) co_return std::unexpected(line.error());
      if (line->end == LineEditor::Line::End::entered) {
        source.append(line->text).append("\n");
        continue;
      }
      if (line->end == LineEditor::Line::End::left) left_ = true;
      if (line->end != LineEditor::Line::End::finished) co_return Result<>{};
      co_return co_await execute(std::move(source));
    }
  }

  Done execute(std::string source) {
    if (source.find_first_not_of(" \t\n") == std::string::npos) co_return Result<>{};
    editor_.remember(source);
    const LineEditor::Running running;
    context_.session.on_interrupt([this] { peer_.interrupt(); });
    context_.session.progress();
    auto done = co_await peer_.execute(std::move(source));
    context_.session.on_interrupt({});
    context_.console.end_line();
    context_.console.flush();
    if (left_) co_return Result<>{};
    if (!done) co_return std::unexpected(done.error());
    co_return Result<>{};
  }

  // Ctrl-] while code runs.
  void await_leave_signal() {
    leave_signal_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      left_ = true;
      context_.session.fail({ExitStatus::ok, ""});
    });
  }

  Context context_;
  ReplPeer& peer_;
  LineEditor editor_;
  asio::signal_set leave_signal_;
  bool left_ = false;
};

// What standard input holds, statement by statement; status 1 if one raised.
Done run_script(Context context, ReplPeer& peer, std::string text) {
  ReplInput input;
  bool raised = false;
  std::string_view rest = text;
  while (!rest.empty() || !input.empty()) {
    const bool at_end = rest.empty();
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    input.add(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!input.complete() && !at_end) continue;
    const std::string source = input.take();
    if (source.find_first_not_of(" \t\n") == std::string::npos) continue;
    context.session.on_interrupt([&peer] { peer.interrupt(); });
    const auto done = co_await peer.execute(source);
    context.session.on_interrupt({});
    if (!done) co_return std::unexpected(done.error());
    raised = raised || !*done;
  }
  if (raised) co_return fail(ExitStatus::board_error, "");
  co_return Result<>{};
}

}  // namespace

Done perform(Repl verb, Context context) {
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && context.console.output_is_terminal();
  std::string script;
  if (!terminal || verb.plain) {
    auto text = LocalSource::open("-");
    if (!text) co_return std::unexpected(text.error());
    script = as_text(text->bytes());
  }
  const auto protocol = co_await context.session.protocol();
  if (!protocol) co_return std::unexpected(protocol.error());
  Streams streams = console_streams(context.console);
  const auto peer = *protocol == Protocol::v2 ? v2_repl(context.session, std::move(streams))
                                              : v1_repl(context.session, std::move(streams));
  if (!terminal || verb.plain) co_return co_await run_script(context, *peer, std::move(script));
  Conversation conversation(context, *peer);
  co_return co_await conversation.run();
}

}  // namespace mqboard::cli
