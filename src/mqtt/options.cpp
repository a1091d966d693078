#include <algorithm>
#include <charconv>

#include <mqboard/mqtt/options.hpp>

namespace mqboard::mqtt {
namespace {

struct SchemeName {
  std::string_view name;
  Scheme scheme;
};
constexpr SchemeName kSchemes[] = {{"mqtt", Scheme::tcp},
                                   {"tcp", Scheme::tcp},
                                   {"mqtts", Scheme::tls},
                                   {"tls", Scheme::tls},
                                   {"ssl", Scheme::tls},
                                   {"ws", Scheme::websocket},
                                   {"wss", Scheme::secure_websocket},
                                   {"unix", Scheme::unix_socket}};

std::unexpected<Error> bad_url(std::string_view url, std::string_view why) {
  return std::unexpected(Error(Errc::bad_url, std::string(url) + ": " + std::string(why)));
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) return {};
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

// The parts of scheme://[user[:password]@]authority[target].
struct UrlParts {
  Scheme scheme = Scheme::tcp;
  std::optional<std::string_view> user_info;
  std::string_view authority;  // host[:port]; for a Unix socket the path
  std::string_view target;
};

Result<UrlParts> split(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return bad_url(url, "no scheme such as mqtt://");
  UrlParts parts;
  bool known = false;
  for (const SchemeName& candidate : kSchemes) {
    if (candidate.name == url.substr(0, colon)) parts.scheme = candidate.scheme, known = true;
  }
  if (!known) return bad_url(url, "unknown scheme; use mqtt, mqtts, ws, wss or unix");
  std::string_view rest = url.substr(colon + 3);
  if (parts.scheme == Scheme::unix_socket) {
    parts.authority = rest;
    return parts;
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) parts.target = rest.substr(slash);
  rest = rest.substr(0, slash);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    parts.user_info = rest.substr(0, at);
    rest = rest.substr(at + 1);
  }
  parts.authority = rest;
  return parts;
}

Result<Endpoint> to_endpoint(std::string_view url, const UrlParts& parts) {
  Endpoint endpoint{.scheme = parts.scheme, .host = {}};
  if (parts.scheme == Scheme::unix_socket) {
    if (!parts.authority.starts_with('/')) return bad_url(url, "a Unix socket needs an absolute path");
    endpoint.host = parts.authority;
    return endpoint;
  }
  std::string_view port;
  std::string_view host = parts.authority;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos) return bad_url(url, "no ] after the IPv6 address");
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
    if (!port.empty() && port[0] != ':') return bad_url(url, "unexpected text after ]");
  } else if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty()) return bad_url(url, "no host");
  if (host.find(':') != std::string_view::npos && !parts.authority.starts_with('[')) {
    return bad_url(url, "an IPv6 address needs brackets");
  }
  if (!port.empty()) {
    const char* const end = port.data() + port.size();
    const auto parsed = std::from_chars(port.data() + 1, end, endpoint.port);
    if (parsed.ec != std::errc{} || parsed.ptr != end || endpoint.port == 0) return bad_url(url, "bad port");
  }
  endpoint.host = host;
  if (endpoint.websocket()) endpoint.target = parts.target;
  if (!endpoint.websocket() && parts.target.size() > 1) return bad_url(url, "unexpected path");
  const auto unfit = [](char c) { return c <= ' ' || c > '~' || c == '#'; };  // for a request line
  if (std::any_of(endpoint.target.begin(), endpoint.target.end(), unfit)) {
    return bad_url(url, "a path needs percent encoding");
  }
  return endpoint;
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url) {
  const Result<UrlParts> parts = split(url);
  if (!parts) return std::unexpected(parts.error());
  if (parts->user_info) return bad_url(url, "user and password do not belong into an endpoint");
  return to_endpoint(url, *parts);
}

std::uint16_t Endpoint::effective_port() const {
  if (port != 0) return port;
  switch (scheme) {
    case Scheme::tcp:
      return 1883;
    case Scheme::tls:
      return 8883;
    case Scheme::websocket:
      return 80;
    case Scheme::secure_websocket:
      return 443;
    case Scheme::unix_socket:
      return 0;
  }
  return 0;
}

std::string Endpoint::name() const {
  if (scheme == Scheme::unix_socket) return host;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(effective_port());
}

Result<void> Options::add_url(std::string_view url) {
  const Result<UrlParts> parts = split(url);
  if (!parts) return std::unexpected(parts.error());
  Result<Endpoint> endpoint = to_endpoint(url, *parts);
  if (!endpoint) return std::unexpected(std::move(endpoint.error()));
  if (parts->user_info) {
    const std::size_t colon = parts->user_info->find(':');
    user_name = percent_decoded(parts->user_info->substr(0, colon));
    if (!user_name) return bad_url(url, "bad percent encoding");
    if (colon != std::string_view::npos) {
      password = percent_decoded(parts->user_info->substr(colon + 1));
      if (!password) return bad_url(url, "bad percent encoding");
    }
  }
  endpoints.push_back(std::move(*endpoint));
  return {};
}

}  // namespace mqboard::mqtt
