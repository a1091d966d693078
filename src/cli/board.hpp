// A board as the verbs use it, whatever protocol it speaks.
//
// Paths are the board's: '/' is its flash root, a relative path is resolved by the board from there. Failures
// name the path. Every operation waits at most the session's idle time for the board to move.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "cli/exit_status.hpp"
#include "cli/session.hpp"
#include "cli/v1_scripts.hpp"
#include "core/base/bytes.hpp"

namespace mqboard::cli {

struct ListOptions {
  bool recursive = false;
  bool sha = false;
};

// Takes output or content as it arrives.
using Sink = std::function<Result<>(Bytes)>;
// Told how many bytes are through, and, as soon as that is known, of how many (0: not known).
using Mover = std::function<void(std::uint64_t done, std::uint64_t total)>;

class Board {
 public:
  virtual ~Board() = default;

  // Runs statements; what they print goes to `output`, live as far as the protocol can. An exception is a
  // Failure with an empty message, its traceback as the detail.
  virtual asio::awaitable<Result<>> exec(std::string source, std::string name, Sink output) = 0;
  virtual asio::awaitable<Result<>> interrupt() = 0;
  // Facts about the board beyond its status, in order.
  virtual asio::awaitable<Result<std::vector<StatusField>>> info() = 0;

  // What a directory holds, or the one entry of a file; in the order of the board's file system.
  virtual asio::awaitable<Result<std::vector<Entry>>> list(std::string path, ListOptions options) = 0;
  virtual asio::awaitable<Result<>> make_directory(std::string path, bool parents) = 0;
  virtual asio::awaitable<Result<>> remove(std::string path, bool recursive, bool force) = 0;
  virtual asio::awaitable<Result<>> remove_directory(std::string path) = 0;
  virtual asio::awaitable<Result<>> rename(std::string from, std::string to) = 0;

  // Hands the file's content to `into`, in order. Success means that it is complete, and as far as the
  // protocol can tell, undamaged.
  virtual asio::awaitable<Result<>> get(std::string path, Sink into, Mover moved) = 0;
  // Replaces or creates the file. `content` is borrowed until the awaitable completes.
  virtual asio::awaitable<Result<>> put(std::string path, Bytes content, Mover moved) = 0;
};

// A board that is spoken to with v1 requests: whatever v1 has no command for is done through eval.
[[nodiscard]] std::unique_ptr<Board> v1_board(Session& session);

// Evaluates over v1, which every board understands, so that the request leaves with the very first packets.
// The result's repr or the output goes to `output`; an exception is a Failure as for exec.
asio::awaitable<Result<>> v1_eval(Session& session, std::string source, Sink output);

// The board in the protocol that is right for it.
asio::awaitable<Result<std::unique_ptr<Board>>> open_board(Session& session);

}  // namespace mqboard::cli
