// MQTT's topic filters.
#pragma once

#include <string_view>

namespace mqboard::cli {

// MQTT's topic matching [MQTT-4.7]: '+' is one level, '#' all that follow; wildcards at the front do not
// match topics that begin with '$'.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic);

}  // namespace mqboard::cli
