// What -s/--server takes: a host, host:port, [v6]:port, or a URL that also says transport and credentials.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <mqboard/mqtt/options.hpp>

#include "cli/exit_status.hpp"

namespace mqboard::cli {

struct ServerName {
  std::optional<mqtt::Scheme> scheme;  // only a URL says it
  std::string host;                    // or a Unix socket's path
  std::optional<std::uint16_t> port;
  std::string target;  // of a WebSocket URL
  std::optional<std::string> username;
  std::optional<std::string> password;

  friend bool operator==(const ServerName&, const ServerName&) = default;
};

// A bare IPv6 address (two colons or more, no brackets) is a host without port.
[[nodiscard]] Result<ServerName> parse_server(std::string_view text);

// 1 to 65535, digits only.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace mqboard::cli
