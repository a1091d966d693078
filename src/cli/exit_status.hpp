// How mqboard ends (docs/CLI.md, "Exit status") and the failure every layer of it returns.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace mqboard::cli {

// The numbers are the process's exit status: scripts depend on them.
enum class ExitStatus : int {
  ok = 0,
  board_error = 1,  // the board answered with an error: an exception, a missing file, a full flash
  usage = 2,        // the command line, the configuration, or a local file it names
  broker = 3,       // the broker cannot be reached, is not trusted, or does not let us in
  no_answer = 4,    // the board is offline or did not answer in time
  integrity = 5,    // what arrived is not what was sent
  interrupted = 130,
};

// Why a command ended early: one line for a person, naming the thing, and the status to end with.
struct Failure {
  ExitStatus status = ExitStatus::board_error;
  std::string message;
  std::string code = {};  // what kind of error the board reported, e.g. "not_found" (docs/WIRE.md); or empty
  std::string detail = {};  // a traceback or the like: several lines, shown when it is the point or with -v

  friend bool operator==(const Failure&, const Failure&) = default;
};

template<class Value = void>
using Result = std::expected<Value, Failure>;

inline std::unexpected<Failure> fail(ExitStatus status, std::string message) {
  return std::unexpected(Failure{status, std::move(message)});
}

}  // namespace mqboard::cli
