// The command line of mqboard: what it says, or why it says nothing that can be done.
//
// The verbs are declared in verb_table.cpp, the settings in settings.cpp. CLI11 is known to command_line.cpp
// alone.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "cli/commands.hpp"
#include "cli/settings.hpp"

namespace mqboard::cli {

struct Invocation {
  Layer options;      // the global options given
  std::string board;  // -b: the profile to use; empty: not given
  std::variant<Command, LocalCommand> command;
};

// The command line is dealt with: --help and --version (status 0, text for stdout), or a mistake in it
// (status 2, a line for stderr).
struct EarlyEnd {
  int status = 0;
  std::string text;
};

// `arguments` as main() gets them: the program's name first. Called as mqview or mqsync, the program is
// `mqboard view` or `mqboard sync`.
[[nodiscard]] std::expected<Invocation, EarlyEnd> parse_command_line(std::span<const char* const> arguments);

}  // namespace mqboard::cli
