// Network sockets for Python: the host module `_socket` behind socket and asyncio's streams in ROM.
//
// Sockets never block: a call that would answers None, and `wait` hands out an awaitable for when it is worth
// trying again. TCP and UDP over IPv4 and IPv6, TLS on TCP, nothing else. Python reaches what the host
// reaches, as an application on any board reaches its network.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <mqboard/mqtt/options.hpp>

#include "python/host_module.hpp"

namespace mqboard::board {

inline constexpr std::size_t kMaxSockets = 32;  // open at once; then EMFILE
inline constexpr std::size_t kMaxReceive = 64 * 1024;

// `executor`: where waiting and name resolution happen; it outlives the module's use. Sockets are closed with
// the module, and by `_socket.close_all()` when a fresh interpreter starts. `certificate_time`: as of
// mqtt::TlsOptions, asked on the Python thread.
[[nodiscard]] python::HostModule make_socket_module(
    boost::asio::any_io_executor executor, std::function<mqtt::CertificateTime()> certificate_time = {});

}  // namespace mqboard::board
