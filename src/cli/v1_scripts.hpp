// What a board that speaks v1 only is asked through eval, and how its answers are read.
//
// Each script is MicroPython for any port since 1.12, keeps its names to itself, and prints what parse_...()
// reads. Errors come back as tracebacks; explain() makes one line of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_status.hpp"

namespace mqboard::cli {

// A file or directory on a board.
struct Entry {
  std::string path;
  bool directory = false;
  std::uint64_t size = 0;
  std::string sha256;           // lower-case hex; empty: not asked for, or a directory
  std::int64_t modified_s = 0;  // since 1970 UTC; 0: not known

  friend bool operator==(const Entry&, const Entry&) = default;
};

namespace v1_script {

// Text as a Python string literal.
[[nodiscard]] std::string quote(std::string_view text);
// The value of a literal as MicroPython's repr() writes it; nothing when it is none.
[[nodiscard]] std::optional<std::string> unquote(std::string_view literal);

[[nodiscard]] std::string list(std::string_view path, bool recursive, bool sha);
[[nodiscard]] Result<std::vector<Entry>> parse_list(std::string_view output);

// One line as list() prints it.
[[nodiscard]] std::string stat(std::string_view path, bool sha);

[[nodiscard]] std::string make_directory(std::string_view path, bool parents);
[[nodiscard]] std::string remove(std::string_view path, bool recursive, bool force);
[[nodiscard]] std::string remove_directory(std::string_view path);
[[nodiscard]] std::string rename(std::string_view from, std::string_view to);

// Renames `temporary` to `path` if its content has this SHA-256; otherwise removes it and raises
// OSError('EILSEQ').
[[nodiscard]] std::string replace_verified(std::string_view temporary, std::string_view path,
                                           std::string_view sha256);
// What the board is: lines of "name value".
[[nodiscard]] std::string info();
[[nodiscard]] std::string touch(std::string_view path);
// Prints "total free".
[[nodiscard]] std::string space();
// After half a second, so that the answer gets out. `mode`: "soft", "hard", "safe", "normal".
[[nodiscard]] std::string reset(std::string_view mode);
[[nodiscard]] std::string set_log_level(std::string_view logger, unsigned level);

// What a traceback that ends in SystemExit means for whoever started the script.
[[nodiscard]] std::optional<int> exit_status(std::string_view error_text);

// Statements that eval cannot take for an expression.
[[nodiscard]] std::string as_statements(std::string_view source);

}  // namespace v1_script

// The one-line failure behind a board's error text (a traceback, or the text of an err reply) about `thing`.
// The text itself becomes the detail.
[[nodiscard]] Failure explain(std::string_view error_text, std::string_view thing);
}  // namespace mqboard::cli
