// Lines typed on a terminal, edited with GNU readline, as part of an event loop.
//
// readline has one state for the whole process: one LineEditor at a time. Everything happens on the session's
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.hpp"

namespace mqboard::cli {

class LineEditor {
 public:
  struct Line {
    enum class End {
      entered,
      interrupted,
      finished,
      left
    } end = End::entered;     // Enter, Ctrl-C, Ctrl-D, Ctrl-]
    bool paste_mode = false;  // Ctrl-E on an empty line
    std::string text;
  };
  // Called for Tab: the names that continue this one. May run the event loop.
  using Completer = std::function<std::vector<std::string>(std::string_view name)>;

  // History is read from the file, and saved to it (mode 0600) in the end; empty: none is kept.
  LineEditor(Session& session, std::string history_path, Completer completer);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Reads one line that begins with `initial`.
  asio::awaitable<Result<Line>> read(std::string prompt, std::string initial);
  void remember(std::string_view line);

  // While it lives, the terminal is not edited: Ctrl-C and Ctrl-] are signals, what is typed waits.
  class Running {
   public:
    Running();
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    struct Saved;
    std::unique_ptr<Saved> saved_;
  };

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// $XDG_STATE_HOME/mqboard/history; empty when neither it nor HOME is set.
[[nodiscard]] std::string history_path();

}  // namespace mqboard::cli
