// One board: a connection to a broker, an interpreter with its flash, and the services between them.
//
// Threads: a Board lives on its executor, whose context is run by one thread; several boards may share it.
// The interpreter has a thread of its own, so nothing an application does stops the services.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "board/config.hpp"
#include "core/boot/reset.hpp"
#include "core/log/record.hpp"

namespace mqboard::board {

class StateStore;

// What is known of this start.
struct BootInfo {
  std::string unique_id;  // 12 hexadecimal digits, the same for ever
  std::string slot = "none", slot_state = "none";
  std::uint32_t boot_count = 1;
  boot::ResetCause reset_cause = boot::ResetCause::power_on;
  bool safe_mode = false;
};

// Memory that survives a reset, not power-on. Threads: any.
class RtcMemory {
 public:
  virtual ~RtcMemory() = default;
  [[nodiscard]] virtual std::vector<std::uint8_t> read() const = 0;
  virtual void write(Bytes data) = 0;  // at most 2048 bytes
};

// How a run of the board ended, and how it wants to be started again.
struct Ending {
  boot::ResetRequest request = boot::ResetRequest::none;  // none: it was stopped
  boot::ResetOrigin origin = boot::ResetOrigin::operator_;
  boot::ModeRequest mode = boot::ModeRequest::none;
  std::chrono::milliseconds sleep{0};
};

class Board {
 public:
  struct Options {
    Config config;
    BootInfo boot;
    std::shared_ptr<RtcMemory> rtc;
    std::shared_ptr<StateStore> state;  // for log levels; may be null
    std::vector<Diagnostic> notes;      // for the log, as soon as there is one
    // Receives every log line as well; called from several threads, one at a time. May be empty.
    std::function<void(log::Level, std::string_view line)> echo;
    // The board has connected for the first time since its start.
    std::function<void()> first_connected;
  };

  // Fails with one line naming the thing: the flash directory, the certificate file.
  static std::expected<std::unique_ptr<Board>, std::string> make(boost::asio::any_io_executor executor,
                                                                 Options options);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // Runs until it is stopped or wants a reset; announces that it goes offline. Call once.
  boost::asio::awaitable<Ending> run();

  // Ends run(). From the I/O thread.
  void stop();

 private:
  class Impl;
  explicit Board(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mqboard::board
