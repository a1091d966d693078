// MQTT's text: UTF-8 without U+0000 (3.1.1 section 1.5.3, 5.0 section 1.5.4).
#pragma once

#include "core/base/bytes.hpp"
#include "core/mqtt/violation.hpp"

namespace mqboard::mqtt {

// none, utf8 or utf8_null. Length is not looked at.
[[nodiscard]] Violation check_text(Bytes text);

}  // namespace mqboard::mqtt
