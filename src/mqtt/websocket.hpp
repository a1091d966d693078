// WebSocket on top of another Transport: plain, or TLS for wss://.
//
// Beast parses the server's answer to the upgrade. Its websocket::stream is not used: it knows completions
// only, where a Transport says "would block", and would put an operation and a copy between every read and
// the session (see transport.hpp).
#pragma once

#include <mqboard/mqtt/options.hpp>

#include "mqtt/attempt.hpp"
#include "mqtt/transport.hpp"

namespace mqboard::mqtt {

// Asks the server to upgrade to WebSocket with subprotocol "mqtt" [MQTT-6.0.0-3] at the endpoint's target, or
// at "/mqtt". Errors: websocket_refused (the detail tells what the server said instead), connection_closed,
// connection_reset, connect_timeout, cancelled.
asio::awaitable<Result<std::unique_ptr<Transport>>> open_websocket(Attempt& attempt,
                                                                   std::unique_ptr<Transport> below,
                                                                   const Endpoint& endpoint);

// The stream after the upgrade; `early` is what the server sent behind its answer.
std::unique_ptr<Transport> make_websocket_transport(asio::any_io_executor executor,
                                                    std::unique_ptr<Transport> below,
                                                    std::vector<std::uint8_t> early);

}  // namespace mqboard::mqtt
