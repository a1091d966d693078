#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

Result<std::string> local_text(const std::string& path) {
  const auto source = LocalSource::open(path);
  if (!source) return std::unexpected(source.error());
  return std::string(as_text(source->bytes()));
}

// Prints output as it comes; as JSON, collects it.
class OutputPrinter {
 public:
  explicit OutputPrinter(Console& console) : console_(console) {}

  [[nodiscard]] Sink sink() {
    return [this](Bytes data) -> Result<> {
      if (console_.json()) {
        collected_ += as_text(data);
      } else {
        console_.data(data);
        console_.flush();
        last_ = static_cast<char>(data.back());
      }
      return {};
    };
  }

  // With `whole_lines` the output's last line is ended if the board did not.
  void finish(std::string_view json_name, bool whole_lines) {
    if (console_.json()) return console_.record(json::object({{json_name, collected_}}));
    if (whole_lines && last_ != '\n') console_.data("\n");
    console_.end_line();
  }

 private:
  Console& console_;
  std::string collected_;
  char last_ = '\n';
};

}  // namespace

Done perform(Eval verb, Context context) {
  std::string source = std::move(verb.source);
  if (source == "-") {
    auto text = local_text("-");
    if (!text) co_return std::unexpected(text.error());
    source = std::move(*text);
  }
  OutputPrinter printer(context.console);
  auto done = co_await v1_eval(context.session, std::move(source), printer.sink());
  if (done || !context.console.json()) printer.finish("result", true);
  co_return done;
}

Done perform(Exec verb, Context context) {
  auto source = local_text(verb.file);
  if (!source) co_return std::unexpected(source.error());
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  OutputPrinter printer(context.console);
  const Sink error = [&context](Bytes data) -> Result<> {
    context.console.script_error(data);
    return {};
  };
  // Named, because GCC 12 destroys braced temporaries of a co_await expression twice.
  const Script script{std::move(*source), std::string(verb.file == "-" ? "<stdin>" : base_name(verb.file)),
                      std::move(verb.arguments)};
  const Streams streams{printer.sink(), error};
  auto done = co_await (*board)->exec(script, streams);
  if (done || !context.console.json()) printer.finish("output", false);
  if (!done) co_return std::unexpected(std::move(done.error()));
  if (*done != 0) co_return fail(static_cast<ExitStatus>(*done), "");
  co_return Result<>{};
}

Done perform(Interrupt, Context context) { return v1_interrupt(context.session); }

}  // namespace mqboard::cli
