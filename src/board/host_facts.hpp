// What the board and its Python may ask about the host: its network, its processor, memory, the time an NTP
// server tells.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "board/python_api.hpp"

namespace mqboard::board {

// The interface of the default route, else the first that is up with an address, loopback left out.
NetworkFacts network_facts();

std::uint64_t cpu_hz();

// What this process has in memory.
std::size_t resident_bytes();

// Asks `server` (name or address, port 123, or "host:port") once, by SNTP (RFC 4330), and answers the
// microseconds to add to `now_us` as it runs. Takes at most two seconds. Fails with an errno.
boost::asio::awaitable<std::expected<std::int64_t, int>> query_ntp(std::string server,
                                                                   std::function<std::int64_t()> utc_us);

}  // namespace mqboard::board
