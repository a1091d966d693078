// eval, exec, repl and interrupt over a channel.
#include <algorithm>
#include <array>
#include <utility>

#include "board/operation.hpp"
#include "board/output_pipe.hpp"
#include "board/services.hpp"
#include "board/text.hpp"

namespace mqboard::board {

using command::Field;
using command::FieldWriter;
using command::RecordKind;
using command::Request;
using command::Status;
using command::StatusCode;

namespace {

constexpr std::size_t kMaxSource = 1024 * 1024;

void append_python_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '\'';
  for (const char character : text) {
    const auto code = static_cast<unsigned char>(character);
    if (character == '\'' || character == '\\') {
      (out += '\\') += character;
    } else if (code < 0x20) {
      (((out += "\\x") += kDigits[code >> 4]) += kDigits[code & 15]);
    } else {
      out += character;
    }
  }
  out += '\'';
}

// The last line of a traceback says what happened.
std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text.substr(text.find_last_of('\n') + 1);
}

// One job of the interpreter, its output on its way into a reply.
class Job {
 public:
  Job(Services& services, Reply& reply)
      : services_(services), reply_(reply), pipe_(std::make_shared<OutputPipe>(16 * 1024, reply.wake())) {}
  // Code whose operator is gone must not run on unseen.
  ~Job() {
    pipe_->close();
    if (id != python::JobId::none && !pipe_->outcome()) services_.interpreter.interrupt(id);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  [[nodiscard]] const std::shared_ptr<OutputPipe>& pipe() const { return pipe_; }
  void interrupt() { services_.interpreter.interrupt(id); }

  // Moves output into the reply; the outcome once the job has ended and all output was moved.
  std::optional<python::Outcome> pump() {
    auto outcome = pipe_->outcome();
    std::array<std::uint8_t, 4096> buffer;
    while (reply_.room() > buffer.size()) {
      const std::size_t count = pipe_->read(buffer);
      if (count == 0) return outcome;
      reply_.record(RecordKind::output, Bytes(buffer).first(count));
    }
    return std::nullopt;
  }

  python::JobId id = python::JobId::none;

 private:
  Services& services_;
  Reply& reply_;
  std::shared_ptr<OutputPipe> pipe_;
};

// What an outcome means to the operator; its traceback and value go into the reply.
Status report_outcome(Reply& reply, const python::Outcome& outcome) {
  using Ended = python::Outcome::Status;
  switch (outcome.status) {
    case Ended::ok:
      if (outcome.expression) reply.record(RecordKind::result, outcome.text);
      return {};
    case Ended::exited:
      reply.fields(RecordKind::head, [&](FieldWriter& head) {
        head.number(Field::exit, static_cast<std::uint64_t>(outcome.exit_code & 0xff));
      });
      return outcome.exit_code == 0 ? Status{}
                                    : Status{StatusCode::exited, concat("exit status ", outcome.exit_code)};
    case Ended::error:
    case Ended::interrupted:
      reply.record(RecordKind::error, outcome.text);
      return {outcome.status == Ended::error ? StatusCode::exception : StatusCode::interrupted,
              last_line(outcome.text)};
    case Ended::crashed:
      return {StatusCode::crashed, outcome.text};
    case Ended::refused:
      return {StatusCode::busy, outcome.text};
  }
  return {StatusCode::internal, "unknown outcome"};
}

class Run final : public Operation {
 public:
  Run(const Request& request, Services& services, Reply& reply)
      : services_(services),
        reply_(reply),
        expression_(request.operation == command::Operation::eval),
        name_(request.fields.text(Field::name).value_or("<command>")),
        arguments_(arguments(request.fields)) {
    if (const auto source = request.fields.text(Field::source)) start(std::string(*source));
  }

  void piece(const command::RecordReader::Piece& piece) override {
    if (piece.kind == RecordKind::interrupt && job_) return job_->interrupt();
    if (piece.kind != RecordKind::source || job_) return;
    if (piece.payload.size() > kMaxSource - source_.size()) {
      return reply_.finish({StatusCode::too_large, concat("source longer than ", kMaxSource, " bytes")});
    }
    source_.append(as_text(piece.payload));
    if (piece.last) start(std::exchange(source_, {}));
  }

  void ended() override {
    if (!job_) reply_.finish({StatusCode::malformed, "no source"});
  }

  void pump() override {
    if (!job_) return;
    if (const auto outcome = job_->pump()) reply_.finish(report_outcome(reply_, *outcome));
  }

  void cancel(Reply& reply) override {
    if (!job_) return reply.finish({StatusCode::cancelled, ""});
    job_->interrupt();
  }

 private:
  // A statement that sets sys.argv; empty when there is nothing to set.
  static std::string arguments(const command::Fields& fields) {
    if (!fields.find(Field::argument)) return {};
    std::string list;
    append_python_string(list, fields.text(Field::name).value_or(""));
    for (std::size_t i = 0; const auto argument = fields.find(Field::argument, i); ++i) {
      append_python_string(list += ',', as_text(*argument));
    }
    return concat("import sys\nsys.argv[:] = [", list, "]\n");
  }

  void start(std::string source) {
    // Python's jobs run in the order they are posted.
    if (!arguments_.empty()) services_.interpreter.exec(arguments_, "<arguments>", nullptr);
    job_.emplace(services_, reply_);
    job_->id = expression_ ? services_.interpreter.eval(std::move(source), job_->pipe())
                           : services_.interpreter.exec(std::move(source), name_, job_->pipe());
  }

  Services& services_;
  Reply& reply_;
  const bool expression_;
  const std::string name_;
  const std::string arguments_;
  std::string source_;
  std::optional<Job> job_;
};

// One source after the other; each is answered before `ready` asks for the next.
class Repl final : public Operation {
 public:
  Repl(Services& services, Reply& reply) : services_(services), reply_(reply) { ready(); }

  void piece(const command::RecordReader::Piece& piece) override {
    switch (piece.kind) {
      case RecordKind::interrupt:
        if (job_) job_->interrupt();
        break;
      case RecordKind::source:
      case RecordKind::complete:
        collect(piece);
        break;
      default:
        break;  // input: the interpreter has none
    }
  }

  void ended() override {
    ending_ = true;
    if (!job_) reply_.finish();
  }

  void pump() override {
    if (!job_) return;
    const auto outcome = completing_ ? pump_completion() : job_->pump();
    if (!outcome) return;
    if (completing_) {
      reply_.record(RecordKind::result, std::exchange(candidates_, {}));
    } else {
      const Status status = report_outcome(reply_, *outcome);
      if (!status.ok() && status.code != StatusCode::exception && status.code != StatusCode::interrupted) {
        reply_.record(RecordKind::error, concat(status.text.view(), "\n"));
      }
    }
    job_.reset();
    if (ending_) return reply_.finish();
    if (!completing_) ready();
  }

 private:
  void ready() {
    reply_.fields(RecordKind::ready, [](FieldWriter&) {});
  }

  void collect(const command::RecordReader::Piece& piece) {
    if (job_) return reply_.finish({StatusCode::malformed, "source before the interpreter was ready"});
    if (piece.payload.size() > kMaxSource - source_.size()) {
      return reply_.finish({StatusCode::too_large, concat("source longer than ", kMaxSource, " bytes")});
    }
    source_.append(as_text(piece.payload));
    if (!piece.last) return;
    completing_ = piece.kind == RecordKind::complete;
    job_.emplace(services_, reply_);
    auto& python = services_.interpreter;
    std::string source = std::exchange(source_, {});
    job_->id = completing_ ? python.complete(std::move(source), job_->pipe())
                           : python.eval(std::move(source), job_->pipe());
  }

  std::optional<python::Outcome> pump_completion() {
    auto outcome = job_->pipe()->outcome();
    std::array<std::uint8_t, 1024> buffer;
    while (const std::size_t count = job_->pipe()->read(buffer)) {
      if (candidates_.size() < 16 * 1024) candidates_.append(as_text(Bytes(buffer).first(count)));
    }
    return outcome;
  }

  Services& services_;
  Reply& reply_;
  std::string source_, candidates_;
  std::optional<Job> job_;
  bool completing_ = false;
  bool ending_ = false;
};

class Interrupted final : public Operation {};

}  // namespace

std::unique_ptr<Operation> make_python_operation(const Request& request, Services& services, Reply& reply) {
  using Kind = command::Operation;
  switch (request.operation) {
    case Kind::eval:
    case Kind::exec:
      return std::make_unique<Run>(request, services, reply);
    case Kind::repl:
      return std::make_unique<Repl>(services, reply);
    case Kind::interrupt:
      services.report(30, "interrupt by an operator");
      services.interpreter.interrupt();
      reply.finish();
      return std::make_unique<Interrupted>();
    default:
      return nullptr;
  }
}

}  // namespace mqboard::board
