// A board as the verbs use it, whatever protocol it speaks.
//
// Paths are the board's: '/' is its flash root, a relative path is resolved by the board from there. Failures
// name the path. Every operation waits at most the session's idle time for the board to move. What a protocol
// has no way to do fails with "not supported".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "cli/exit_status.hpp"
#include "cli/session.hpp"
#include "cli/v1_scripts.hpp"
#include "core/base/bytes.hpp"
#include "core/base/hasher.hpp"

namespace mqboard::cli {

struct ListOptions {
  bool recursive = false;
  bool sha = false;
};

// Takes output as it comes. A failure ends the operation.
using Sink = std::function<Result<>(Bytes)>;
// Told how many bytes are through, and, as soon as that is known, of how many (0: not known).
using Mover = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct Script {
  std::string source;
  std::string name;
  std::vector<std::string> arguments;
};

struct Streams {
  Sink output;
  Sink error;
};

// Where a file's content goes; may hold its beginning already.
class ContentSink {
 public:
  // What is there from an earlier attempt or connection, and its hash.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual Sha256 hash() const = 0;
  // Drops what is there: the content on the board is another.
  virtual Result<> restart() = 0;
  virtual Result<> write(Bytes data) = 0;

 protected:
  ~ContentSink() = default;
};

struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

struct LoggerLevel {
  std::string logger;
  unsigned level = 0;
};

struct CrashReport {
  std::string name;
  std::uint64_t size = 0;
  std::int64_t time_s = 0;
  std::string text;
};

struct LogFilter {
  unsigned level = 0;  // this and above
  std::string logger;  // this and those below it; empty: all
  bool since_boot = false;
};

enum class ResetMode : std::uint8_t { soft, hard, safe, normal };

class Board {
 public:
  virtual ~Board() = default;

  // Runs statements; output goes to the streams, live as far as the protocol can. Returns the script's exit
  // status. An exception is a Failure with an empty message; its traceback went to the error stream, or is
  // the detail.
  virtual asio::awaitable<Result<int>> exec(Script script, Streams streams) = 0;
  virtual asio::awaitable<Result<>> interrupt() = 0;

  // What a directory holds, or the one entry of a file; in the order of the board's file system.
  virtual asio::awaitable<Result<std::vector<Entry>>> list(std::string path, ListOptions options) = 0;
  virtual asio::awaitable<Result<Entry>> stat(std::string path, bool sha) = 0;
  virtual asio::awaitable<Result<>> make_directory(std::string path, bool parents) = 0;
  virtual asio::awaitable<Result<>> remove(std::string path, bool recursive, bool force) = 0;
  virtual asio::awaitable<Result<>> remove_directory(std::string path) = 0;
  virtual asio::awaitable<Result<>> rename(std::string from, std::string to) = 0;
  virtual asio::awaitable<Result<>> touch(std::string path) = 0;
  virtual asio::awaitable<Result<Space>> space() = 0;

  // Brings the file's content into `into`. Success means that it is complete and, as far as the protocol can
  // tell, undamaged.
  virtual asio::awaitable<Result<>> get(std::string path, ContentSink& into, Mover moved) = 0;
  // Replaces or creates the file. `content` is borrowed until the awaitable completes.
  virtual asio::awaitable<Result<>> put(std::string path, Bytes content, Mover moved) = 0;

  // Facts about the board beyond its status, in order.
  virtual asio::awaitable<Result<std::vector<StatusField>>> info() = 0;
  virtual asio::awaitable<Result<>> reset(ResetMode mode) = 0;
  virtual asio::awaitable<Result<std::vector<LoggerLevel>>> log_levels() = 0;
  virtual asio::awaitable<Result<>> set_log_level(LoggerLevel level) = 0;
  virtual asio::awaitable<Result<>> follow_log(LogFilter filter, Sink line) = 0;
  virtual asio::awaitable<Result<std::vector<CrashReport>>> crashes() = 0;
  virtual asio::awaitable<Result<>> crash(std::string name, Sink into) = 0;
  virtual asio::awaitable<Result<>> remove_crash(std::string name) = 0;  // empty: all

  virtual asio::awaitable<Result<>> install(Bytes image, Mover moved) = 0;
  // JSON.
  virtual asio::awaitable<Result<std::string>> update_status() = 0;
  virtual asio::awaitable<Result<>> confirm_update() = 0;
  virtual asio::awaitable<Result<>> roll_back() = 0;
};

// A board that is spoken to with v1 requests: whatever v1 has no command for is done through eval.
[[nodiscard]] std::unique_ptr<Board> v1_board(Session& session);
// A board that announced the channel protocol.
[[nodiscard]] std::unique_ptr<Board> v2_board(Session& session);

// Evaluates over v1, which every board understands, so that the request leaves with the very first packets.
// The result's repr or the output goes to `output`; an exception is a Failure as for exec.
asio::awaitable<Result<>> v1_eval(Session& session, std::string source, Sink output);
// The same, giving up after `limit` whatever the session's idle time is.
asio::awaitable<Result<>> v1_eval_within(Session& session, std::string source, Sink output,
                                         std::chrono::milliseconds limit);
// The same for interrupt.
asio::awaitable<Result<>> v1_interrupt(Session& session);

// The board in the protocol that is right for it.
asio::awaitable<Result<std::unique_ptr<Board>>> open_board(Session& session);

}  // namespace mqboard::cli
