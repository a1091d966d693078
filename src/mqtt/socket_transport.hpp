// TCP and Unix stream sockets as a Transport.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "mqtt/transport.hpp"

namespace mqboard::mqtt {

namespace asio = boost::asio;

using StreamSocket = asio::generic::stream_protocol::socket;

// Takes over a connected socket.
std::unique_ptr<Transport> make_socket_transport(StreamSocket socket);

}  // namespace mqboard::mqtt
