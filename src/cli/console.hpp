// Standard output for data, standard error for talk. Nothing else in this room writes to either.
#pragma once

#include <cstdint>
#include <string_view>

#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/settings.hpp"
#include "core/base/bytes.hpp"

namespace mqboard::cli {

enum class Style : std::uint8_t { plain, faint, green, yellow, red, magenta, bold };

class Console {
 public:
  // Before the settings are known: text, colours by terminal.
  Console();

  void configure(const Settings& settings);
  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool verbose() const { return verbosity_ > 0; }
  [[nodiscard]] bool tracing() const { return verbosity_ > 1; }
  [[nodiscard]] bool quiet() const { return verbosity_ < 0; }
  [[nodiscard]] bool output_is_terminal() const { return output_is_terminal_; }
  [[nodiscard]] bool talk_is_terminal() const { return talk_is_terminal_; }

  // Data.
  void data(Bytes bytes);
  void data(std::string_view text) { data(as_bytes(text)); }
  void line(std::string_view text, Style style = Style::plain);
  void record(const json::Value& value) { line(value.text); }
  // Ends the output so far with a newline if it is text on a terminal that does not end with one.
  void end_line();
  // Everything written is on its way; a failure (full disk) is reported by finish().
  void flush();

  // Talk: note() on a terminal unless quiet, detail() with -v, trace() with -vv, error() always.
  void note(std::string_view text);
  void detail(std::string_view text);
  void trace(std::string_view text);
  void error(const Failure& failure);

  // What a script wrote to its standard error.
  void script_error(Bytes bytes);

  // One line on a terminal's stderr that the next call replaces; "" removes it. Data and talk remove it too.
  void status_line(std::string_view text);
  [[nodiscard]] unsigned columns() const;

  [[nodiscard]] Result<> finish();

 private:
  void talk(std::string_view text, Style style = Style::plain);

  bool json_ = false;
  int verbosity_ = 0;
  bool output_is_terminal_;
  bool talk_is_terminal_;
  bool color_output_;
  bool color_talk_;
  bool status_shown_ = false;
  char last_ = '\n';
};

// `text` fit for a terminal: control characters but newline and tab become "\x1b" and the like, so that what
// a board says cannot take over the operator's terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace mqboard::cli
