// Well-formed UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include "core/base/bytes.hpp"

namespace mqboard {

// Bytes in the well-formed sequence at the front of `text`, which must not be empty; 0 when there is none.
[[nodiscard]] std::size_t utf8_sequence(Bytes text);

[[nodiscard]] bool is_utf8(Bytes text);

// Length of the longest prefix of `text`, at most `limit`, that does not end inside a UTF-8 sequence.
[[nodiscard]] std::size_t utf8_prefix(Bytes text, std::size_t limit);

}  // namespace mqboard
