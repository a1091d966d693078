// What mqboard says about itself, all made from the verb table and the settings' key table.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/verb_table.hpp"

namespace mqboard::cli {

[[nodiscard]] std::string help_overview();
[[nodiscard]] std::string help_of(const VerbInfo& verb);

// mqboard(1), in man(7)'s language.
[[nodiscard]] std::string manual_page();
// For bash, zsh or fish; nothing for another shell.
[[nodiscard]] std::optional<std::string> completion_script(std::string_view shell);

}  // namespace mqboard::cli
