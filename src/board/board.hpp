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
#include "board/services.hpp"
#include "core/log/record.hpp"

namespace mqboard::port {
class BootClient;
}

namespace mqboard::board {

class StateStore;

class Board {
 public:
  struct Options {
    Config config;
    std::string unique_id;                   // 12 hexadecimal digits, the same for ever
    std::shared_ptr<port::BootClient> boot;  // why it starts, RTC memory, slots, watchdog
    std::shared_ptr<StateStore> state;       // may be null: nothing is remembered
    std::vector<Diagnostic> notes;           // for the log, as soon as there is one
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

  // mqboot is about to kill the board for not patting the watchdog: notes what Python is doing, with its
  // traceback, for the crash report. From the I/O thread.
  void explain_starving();

 private:
  class Impl;
  explicit Board(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mqboard::board
