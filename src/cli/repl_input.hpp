// What was typed into the repl, line by line, until it is something to execute.
#pragma once

#include <string>
#include <string_view>

namespace mqboard::cli {

// Collects lines. A simple statement is complete at the end of its line; a compound one (if, def, @...) with
// an empty line, or at once when several lines came together (recalled or pasted); open brackets, open triple
// quotes and a backslash at the end of a line continue either.
class ReplInput {
 public:
  void add(std::string_view line);
  [[nodiscard]] bool empty() const { return source_.empty(); }
  [[nodiscard]] bool complete() const;
  // What the next line should begin with.
  [[nodiscard]] std::string indentation() const;
  // The lines so far; collecting begins anew.
  std::string take();

 private:
  [[nodiscard]] bool open() const;  // inside brackets or quotes, or after a backslash

  std::string source_;  // lines, each ended by a newline
  bool whole_ = false;  // several came together
};

// The dotted name that ends where `line` ends: "os.li" of "print(os.li". May be empty.
[[nodiscard]] std::string_view name_at_end(std::string_view line);

}  // namespace mqboard::cli
