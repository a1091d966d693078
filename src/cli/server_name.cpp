#include "cli/server_name.hpp"

#include <charconv>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

Result<ServerName> parse_url(std::string_view text) {
  mqtt::Options options;
  if (auto added = options.add_url(text); !added) return fail(ExitStatus::usage, added.error().message());
  mqtt::Endpoint& endpoint = options.endpoints.front();
  ServerName server{endpoint.scheme,
                    std::move(endpoint.host),
                    std::nullopt,
                    std::move(endpoint.target),
                    std::move(options.user_name),
                    std::move(options.password)};
  if (endpoint.port != 0) server.port = endpoint.port;
  return server;
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

Result<ServerName> parse_server(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return parse_url(text);
  ServerName server;
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos)
      return fail(ExitStatus::usage, fmt::format("'{}': ']' is missing", text));
    const std::string_view rest = host.substr(close + 1);
    host = host.substr(1, close - 1);
    has_port = !rest.empty();
    if (has_port && rest.front() != ':')
      return fail(ExitStatus::usage, fmt::format("'{}' is no server", text));
    if (has_port) port = rest.substr(1);
  } else if (const std::size_t colon = host.find(':');
             colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) {
    has_port = true;
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (host.empty() || host.find_first_of("/@ \t") != std::string_view::npos) {
    return fail(ExitStatus::usage, fmt::format("'{}' is no host, host:port or URL", text));
  }
  if (has_port) {
    server.port = parse_port(port);
    if (!server.port) return fail(ExitStatus::usage, fmt::format("'{}' is no port (1 to 65535)", port));
  }
  server.host = host;
  return server;
}

}  // namespace mqboard::cli
