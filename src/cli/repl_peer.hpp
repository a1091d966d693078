// The board's side of a repl session.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/board.hpp"

namespace mqboard::cli {

class ReplPeer {
 public:
  virtual ~ReplPeer() = default;

  // Executes a source, output going to the streams as it comes. Returns whether it ended without an
  // exception; the traceback went to the error stream. A Failure ends the session.
  virtual asio::awaitable<Result<bool>> execute(std::string source) = 0;
  // Raises KeyboardInterrupt in what executes.
  virtual void interrupt() = 0;
  // Full dotted names that begin with `name`.
  virtual asio::awaitable<Result<std::vector<std::string>>> complete(std::string name) = 0;
};

[[nodiscard]] std::unique_ptr<ReplPeer> v1_repl(Session& session, Streams streams);
[[nodiscard]] std::unique_ptr<ReplPeer> v2_repl(Session& session, Streams streams);

// Names from the board's answer, one a line, completed to dotted names and sorted.
[[nodiscard]] std::vector<std::string> completions(std::string_view answer, std::string_view name);

}  // namespace mqboard::cli
