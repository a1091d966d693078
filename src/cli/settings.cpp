#include "cli/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include <fmt/core.h>

#include "cli/server_name.hpp"
#include "core/command/topic.hpp"

namespace mqboard::cli {

namespace {

constexpr std::array<KeyInfo, kKeys> kTable{{
    {Key::server, "-s,--server", "SERVER", "MQBOARD_SERVER", "server",
     "broker: HOST, HOST:PORT, or a URL mqtt:// mqtts:// ws:// wss:// unix:// (default: localhost)"},
    {Key::port, "-p,--port", "PORT", "MQBOARD_PORT", "port", "broker's port (default: 1883, with TLS 8883)"},
    {Key::tls, "--tls,!--no-tls", "", "MQBOARD_TLS", "tls",
     "encrypt; implied by mqtts:// and by --cafile and its like"},
    {Key::cafile, "--cafile", "FILE", "MQBOARD_CAFILE", "cafile",
     "trust the certificate authorities in this PEM file instead of the system's"},
    {Key::capath, "--capath", "DIR", "MQBOARD_CAPATH", "capath",
     "trust those in this directory (made by c_rehash)"},
    {Key::cert, "--cert", "FILE", "MQBOARD_CERT", "cert", "identify with this client certificate (PEM)"},
    {Key::key, "--key", "FILE", "MQBOARD_KEY", "key", "its private key (default: in the certificate's file)"},
    {Key::insecure, "--insecure,!--no-insecure", "", "MQBOARD_INSECURE", "insecure",
     "accept any certificate of the broker: for experiments only"},
    {Key::username, "-u,--username", "NAME", "MQBOARD_USERNAME", "username", "user name at the broker"},
    {Key::password, "-P,--password", "PASSWORD", "MQBOARD_PASSWORD", "password",
     "its password; other users of this machine can see the command line: prefer a file or a profile"},
    {Key::password_file, "--password-file", "FILE", "MQBOARD_PASSWORD_FILE", "password_file",
     "read the password from the first line of this file"},
    {Key::prefix, "--prefix", "PREFIX", "MQBOARD_PREFIX", "prefix",
     "the board's topic prefix, e.g. esp32/kitchen: its address"},
    {Key::topic, "-t,--topic", "TOPIC", "MQBOARD_TOPIC", "topic",
     "the same, wins over --prefix; a trailing /mqb or /log is dropped"},
    {Key::timeout, "-T,--timeout", "SECONDS", "MQBOARD_TIMEOUT", "timeout",
     "give up when nothing moves for so long (default: 10); progress starts it anew"},
    {Key::protocol, "--protocol", "auto|v1|v2", "MQBOARD_PROTOCOL", "protocol",
     "what to speak with the board (default: auto, as its status says)"},
    {Key::verbose, "-v,--verbose", "", "MQBOARD_VERBOSE", "", "say more on stderr; twice: every message"},
    {Key::quiet, "-q,--quiet", "", "MQBOARD_QUIET", "", "say nothing on stderr but errors"},
    {Key::output, "-o,--output", "text|json", "MQBOARD_OUTPUT", "output", "form of results (default: text)"},
    {Key::color, "--color", "auto|always|never", "MQBOARD_COLOR", "",
     "colours (default: auto, on a terminal unless NO_COLOR is set)"},
}};

constexpr std::array kBoundToServer{Key::port,     Key::tls,          Key::cafile,   Key::capath,
                                    Key::cert,     Key::key,          Key::insecure, Key::username,
                                    Key::password, Key::password_file};

struct Found {
  const std::string* value = nullptr;
  const Layer* layer = nullptr;
  explicit operator bool() const { return value != nullptr; }
  [[nodiscard]] Failure complain(Key key, std::string_view why) const {
    return {ExitStatus::usage, fmt::format("{}: {}", layer->origin(key), why)};
  }
};

Found find(std::span<const Layer> layers, Key key) {
  for (const Layer& layer : layers) {
    if (const auto& value = layer.get(key)) return {&*value, &layer};
  }
  return {};
}

std::optional<bool> parse_switch(std::string_view text) {
  for (const std::string_view yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "no", "off"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

Result<std::optional<bool>> switch_value(std::span<const Layer> layers, Key key) {
  const Found found = find(layers, key);
  if (!found) return std::nullopt;
  const auto value = parse_switch(*found.value);
  if (!value)
    return std::unexpected(found.complain(key, fmt::format("'{}' is neither true nor false", *found.value)));
  return value;
}

template<class Value>
struct Choice {
  std::string_view name;
  Value value;
};

template<class Value, std::size_t N>
Result<Value> choose(std::span<const Layer> layers, Key key, const Choice<Value> (&choices)[N]) {
  const Found found = find(layers, key);
  if (!found) return choices[0].value;
  for (const auto& choice : choices) {
    if (choice.name == *found.value) return choice.value;
  }
  return std::unexpected(
      found.complain(key, fmt::format("'{}' is not one of {}", *found.value, info(key).argument)));
}

Result<std::chrono::milliseconds> parse_timeout(const Found& found) {
  double seconds = 0;
  const std::string& text = *found.value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || !(seconds >= 0.001 && seconds <= 1e6)) {
    return std::unexpected(found.complain(Key::timeout, fmt::format("'{}' is no number of seconds", text)));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Result<std::string> read_password(const Found& found) {
  std::ifstream file(*found.value);
  std::string line;
  if (!file || (!std::getline(file, line) && !file.eof())) {
    return std::unexpected(found.complain(Key::password_file, fmt::format("cannot read {}", *found.value)));
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// The profile's connection does not outlive a server named by somebody else (see the header).
std::vector<Layer> without_foreign_credentials(std::span<const Layer> layers) {
  std::vector<Layer> kept(layers.begin(), layers.end());
  const Found server = find(layers, Key::server);
  const Found user = find(layers, Key::username);
  for (Layer& layer : kept) {
    if (layer.kind != Layer::Kind::profile) continue;
    const auto other = [&layer](const Found& chosen, Key key) {
      return chosen && layer.get(key) && chosen.layer->kind != Layer::Kind::profile &&
             *layer.get(key) != *chosen.value;
    };
    const bool other_server = other(server, Key::server);
    if (other(user, Key::username)) layer.clear(Key::password), layer.clear(Key::password_file);
    if (other_server) {
      for (const Key key : kBoundToServer) layer.clear(key);
    }
  }
  return kept;
}

// What the URL of the winning server implies ranks with the layer that named it.
Result<> resolve_server(std::vector<Layer>& layers, Settings& settings) {
  ServerName server;
  server.host = "localhost";
  if (const Found found = find(layers, Key::server)) {
    auto parsed = parse_server(*found.value);
    if (!parsed) return std::unexpected(found.complain(Key::server, parsed.error().message));
    server = std::move(*parsed);
    auto& layer = layers[static_cast<std::size_t>(found.layer - layers.data())];
    const auto imply = [&layer](Key key, std::optional<std::string> value) {
      if (value && !layer.get(key)) layer.set(key, std::move(*value));
    };
    if (server.scheme) {
      const bool secure =
          *server.scheme == mqtt::Scheme::tls || *server.scheme == mqtt::Scheme::secure_websocket;
      const auto scheme_port = mqtt::Endpoint{.scheme = *server.scheme, .host = {}}.effective_port();
      imply(Key::tls, secure ? "true" : "false");
      if (!server.port && scheme_port != 0) server.port = scheme_port;
    }
    if (server.port) imply(Key::port, fmt::format("{}", *server.port));
    imply(Key::username, server.username);
    imply(Key::password, server.password);
  }
  settings.broker.scheme = server.scheme.value_or(mqtt::Scheme::tcp);
  settings.broker.host = server.host;
  settings.broker.target = server.target;
  if (const Found found = find(layers, Key::port)) {
    const auto port = parse_port(*found.value);
    if (!port) {
      return std::unexpected(
          found.complain(Key::port, fmt::format("'{}' is no port (1 to 65535)", *found.value)));
    }
    settings.broker.port = *port;
  }
  return {};
}

Result<> readable(const Found& found, Key key, std::string& into) {
  if (!found) return {};
  if (::access(found.value->c_str(), R_OK) != 0) {
    return std::unexpected(found.complain(key, fmt::format("cannot read {}", *found.value)));
  }
  into = *found.value;
  return {};
}

Result<> resolve_tls(std::span<const Layer> layers, Settings& settings) {
  auto tls = switch_value(layers, Key::tls);
  if (!tls) return std::unexpected(tls.error());
  auto insecure = switch_value(layers, Key::insecure);
  if (!insecure) return std::unexpected(insecure.error());
  const bool implied = find(layers, Key::cafile) || find(layers, Key::capath) || find(layers, Key::cert) ||
                       insecure->value_or(false);
  using mqtt::Scheme;
  if (settings.broker.scheme == Scheme::unix_socket || !tls->value_or(implied)) {
    if (settings.broker.scheme == Scheme::tls) settings.broker.scheme = Scheme::tcp;
    if (settings.broker.scheme == Scheme::secure_websocket) settings.broker.scheme = Scheme::websocket;
    return {};
  }
  const bool websocket =
      settings.broker.scheme == Scheme::websocket || settings.broker.scheme == Scheme::secure_websocket;
  settings.broker.scheme = websocket ? Scheme::secure_websocket : Scheme::tls;
  settings.tls.verify = !insecure->value_or(false);
  struct File {
    Key key;
    std::string& into;
  };
  for (const File& file :
       {File{Key::cafile, settings.tls.ca_file}, File{Key::capath, settings.tls.ca_path},
        File{Key::cert, settings.tls.certificate_file}, File{Key::key, settings.tls.key_file}}) {
    if (auto ok = readable(find(layers, file.key), file.key, file.into); !ok) return ok;
  }
  if (!settings.tls.key_file.empty() && settings.tls.certificate_file.empty()) {
    return fail(ExitStatus::usage, "a key without its certificate: give --cert too");
  }
  return {};
}

Result<> resolve_credentials(std::span<const Layer> layers, Settings& settings) {
  if (const Found user = find(layers, Key::username)) settings.username = *user.value;
  for (const Layer& layer : layers) {
    if (const auto& password = layer.get(Key::password)) {
      settings.password = *password;
      return {};
    }
    if (const auto& path = layer.get(Key::password_file)) {
      auto password = read_password({&*path, &layer});
      if (!password) return std::unexpected(password.error());
      settings.password = std::move(*password);
      return {};
    }
  }
  return {};
}

void drop_suffix(std::string& text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
}

// Of the highest layer that says either, --topic before --prefix.
Result<> resolve_address(std::span<const Layer> layers, Settings& settings) {
  for (const Layer& layer : layers) {
    const Key key = layer.get(Key::topic) ? Key::topic : Key::prefix;
    if (!layer.get(key)) continue;
    std::string address = *layer.get(key);
    while (address.ends_with('/')) address.pop_back();
    if (key == Key::topic) drop_suffix(address, "/mqb");
    const bool everything_below = address.ends_with('#');
    if (key == Key::topic) drop_suffix(address, "/log");
    settings.log_topic = everything_below ? address : address + "/log";
    if (address.find_first_of("+#") != std::string::npos) return {};  // good for `view` and `discover` only
    if (!command::is_prefix(address)) {
      return fail(ExitStatus::usage,
                  fmt::format("{}: '{}' is no topic prefix", layer.origin(key), *layer.get(key)));
    }
    settings.prefix = std::move(address);
    return {};
  }
  return {};
}

Result<> resolve_behaviour(std::span<const Layer> layers, Settings& settings) {
  if (const Found found = find(layers, Key::timeout)) {
    auto timeout = parse_timeout(found);
    if (!timeout) return std::unexpected(timeout.error());
    settings.timeout = *timeout;
  }
  const auto protocol = choose<Protocol>(
      layers, Key::protocol, {{"auto", Protocol::automatic}, {"v1", Protocol::v1}, {"v2", Protocol::v2}});
  if (!protocol) return std::unexpected(protocol.error());
  settings.protocol = *protocol;
  const auto output = choose<Output>(layers, Key::output, {{"text", Output::text}, {"json", Output::json}});
  if (!output) return std::unexpected(output.error());
  settings.output = *output;
  const auto color = choose<Color>(
      layers, Key::color, {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}});
  if (!color) return std::unexpected(color.error());
  settings.color = *color;
  auto quiet = switch_value(layers, Key::quiet);
  if (!quiet) return std::unexpected(quiet.error());
  if (const Found found = find(layers, Key::verbose)) {
    const std::string& text = *found.value;
    const auto as_switch = parse_switch(text);
    int count = as_switch && *as_switch ? 1 : 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    settings.verbosity = std::clamp(count, 0, 2);
  }
  if (quiet->value_or(false)) settings.verbosity = -1;
  return {};
}

}  // namespace

std::span<const KeyInfo, kKeys> key_table() { return kTable; }

const KeyInfo& info(Key key) {
  return *std::find_if(kTable.begin(), kTable.end(), [key](const KeyInfo& row) { return row.key == key; });
}

std::string Layer::origin(Key key) const {
  const KeyInfo& row = info(key);
  switch (kind) {
    case Kind::environment:
      return std::string(row.environment);
    case Kind::profile:
      return fmt::format("{} in profile '{}'", row.profile, source_);
    case Kind::command_line:
      break;
  }
  std::string_view option = row.option;
  option = option.substr(option.find("--"));
  return std::string(option.substr(0, option.find(',')));
}

Layer environment_layer(const Lookup& environment) {
  Layer layer;
  layer.kind = Layer::Kind::environment;
  for (const KeyInfo& row : kTable) {
    const char* value = environment(std::string(row.environment).c_str());
    if (value != nullptr && *value != '\0') layer.set(row.key, value);
  }
  return layer;
}

Result<Settings> resolve(std::span<const Layer> given) {
  std::vector<Layer> layers = without_foreign_credentials(given);
  Settings settings;
  // Server first: what its URL implies is laid into the layers.
  if (auto ok = resolve_server(layers, settings); !ok) return std::unexpected(ok.error());
  for (const auto step : {resolve_tls, resolve_credentials, resolve_address, resolve_behaviour}) {
    if (auto ok = step(layers, settings); !ok) return std::unexpected(ok.error());
  }
  return settings;
}

Result<> check(const Layer& layer) {
  auto settings = resolve({&layer, 1});
  if (!settings) return std::unexpected(settings.error());
  return {};
}

}  // namespace mqboard::cli
