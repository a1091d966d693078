// The result type of core: a value or one of a room's own error codes. No exceptions, no allocation.
#pragma once

#include <expected>

namespace mqboard {

template<class Value, class Error>
using Result = std::expected<Value, Error>;

template<class Error>
using Failure = std::unexpected<Error>;

}  // namespace mqboard
