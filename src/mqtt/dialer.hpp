// From a host name to a connected socket: resolves it and tries its addresses, a little staggered, until one
// answers (RFC 8305 "Happy Eyeballs", in the order the resolver prefers, families alternating).
#pragma once

#include <mqboard/mqtt/options.hpp>

#include "mqtt/attempt.hpp"
#include "mqtt/socket_transport.hpp"

namespace mqboard::mqtt {

// Errors: resolve_failed, connection_refused, unreachable, connect_timeout, cancelled. TCP_NODELAY is set.
asio::awaitable<Result<StreamSocket>> dial(Attempt& attempt, const Endpoint& endpoint);

}  // namespace mqboard::mqtt
