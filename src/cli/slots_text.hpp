// What `ota status` shows a person of the JSON a board answers (docs/WIRE.md, "ota status").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mqboard::cli {

// Lines: what runs, each slot with its state, and why a bad one is. What the JSON does not say is left out;
// what it says beyond that is shown as it is named.
[[nodiscard]] std::vector<std::string> slots_text(std::string_view json);

}  // namespace mqboard::cli
