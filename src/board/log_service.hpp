// The board's one log: C++ services, Python's logging, print() and stderr, in one stream to `<prefix>/log`.
// What is kept, and for how long: core/log/log_buffer.hpp. Nothing goes out while the board is offline.
//
// Threads: log(), level_of() and set_level() from any thread; the rest on the I/O thread.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "board/config.hpp"
#include "board/outbox.hpp"
#include "core/log/log_buffer.hpp"

namespace mqboard::board {

class LogService final : public MessageSource {
 public:
  struct Environment {
    std::string topic;
    std::function<Millis()> since_boot;
    std::function<std::optional<log::WallClock>()> wall_clock;
    // Tells the I/O thread that there is something to send; called from any thread.
    std::function<void()> wake;
    // Receives every record's line as well, for a terminal; may be empty. Called under the log's lock.
    std::function<void(log::Level, std::string_view line)> echo;
  };

  // Borrows `memory`, at least memory_bytes(config), and `secrets`. What is in the memory is forgotten.
  LogService(Environment environment, const LoggingConfig& config, const std::vector<std::string>& secrets,
             MutableBytes memory);
  static std::size_t memory_bytes(const LoggingConfig& config);

  // Logs each line of `text` as one record, levels as Python's. Never fails: what has no room is counted.
  void log(int level, std::string_view logger, std::string_view text);

  // The same for a logger that applies levels of its own: Python's.
  void log_decided(int level, std::string_view logger, std::string_view text);
  // How much of `text` may be logged apart from what follows it: secrets stay in one piece.
  [[nodiscard]] std::size_t separable(std::string_view text) const;
  // `text` with secrets blackened, for reports that go beside the log.
  [[nodiscard]] std::string redacted(std::string_view text) const;

  // What is set for this logger; 0: nothing. "" is the level of all that are not named.
  [[nodiscard]] int level_of(std::string_view logger) const;
  // 0 takes it back, "" to INFO. False: too many names.
  bool set_level(std::string_view logger, int level);
  [[nodiscard]] std::vector<std::pair<std::string, int>> levels() const;  // "" first

  // The connection is there: what waits may go out, through the outbox that calls next().
  void connected();
  void disconnected() { online_ = false; }
  std::optional<Outgoing> next() override;

  // The first record after `sequence` that is at least as severe as `level`, of `logger` unless it is "".
  struct Line {
    std::uint32_t sequence = 0;
    std::string text;
  };
  [[nodiscard]] std::optional<Line> after(std::uint32_t sequence, int level = 0,
                                          std::string_view logger = "") const;
  [[nodiscard]] std::uint32_t last_sequence() const;
  [[nodiscard]] std::uint32_t lost() const;  // records that had no room
  // The last lines, at most `bytes` in all, for a crash report.
  [[nodiscard]] std::string tail(std::size_t bytes) const;

  // Calls `wake` for every record from now on, on the logging thread; `wake` must only hand over.
  using Follower = std::uint64_t;
  Follower follow(std::function<void()> wake);
  void unfollow(Follower follower);

 private:
  void store(int level, std::string_view logger, std::string_view text, bool decided);
  [[nodiscard]] std::string line(const log::Record& record) const;
  std::uint32_t take();

  // While lines go missing without end, how often that is said.
  static constexpr Millis kTellEvery{1000};

  const Environment env_;
  mutable std::mutex mutex_;  // guards what follows
  mutable log::LogBuffer buffer_;
  bool asleep_ = true;  // the outbox was told that there is nothing
  std::vector<std::pair<Follower, std::function<void()>>> followers_;
  Follower last_follower_ = 0;
  std::string lent_line_;
  std::optional<std::uint32_t> lent_;
  // The record to lend next, once it was said how many before it are missing.
  std::optional<Line> held_;
  Millis held_since_boot_{};
  std::uint32_t last_taken_ = 0;
  std::uint32_t missing_ = 0;
  Millis told_at_{};
  bool online_ = false;  // I/O thread
};

}  // namespace mqboard::board
