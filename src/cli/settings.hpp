// The global settings of mqboard: which there are, where they come from, and what they amount to.
//
// Each setting has a key, an option, an environment variable and a name in a board's profile, all in one
// table. A Layer holds what one source says about the keys, as text. resolve() lays the layers over each
// other, command line above environment above profile above default, and turns the text into values, naming
// the source of a value that makes no sense.
//
// A profile's broker, certificates and credentials belong together: as soon as the command line or the
// environment names another server, the profile's are not used, so that a password never travels to a broker
// it was not given for.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <mqboard/mqtt/options.hpp>

#include "cli/exit_status.hpp"

namespace mqboard::cli {

enum class Key : std::uint8_t {
  server,
  port,
  tls,
  cafile,
  capath,
  cert,
  key,
  insecure,
  username,
  password,
  password_file,
  prefix,
  topic,
  timeout,
  protocol,
  verbose,
  quiet,
  output,
  color,
};
inline constexpr std::size_t kKeys = 19;

// One row of the table: what --help, the environment, profiles and docs/CLI.md say about a setting.
struct KeyInfo {
  Key key;
  std::string_view option;       // as CLI11 takes it: "-s,--server"
  std::string_view argument;     // placeholder in the help; empty: a switch
  std::string_view environment;  // MQBOARD_...
  std::string_view profile;      // name in boards.toml; empty: not kept there
  std::string_view help;
};
[[nodiscard]] std::span<const KeyInfo, kKeys> key_table();
[[nodiscard]] const KeyInfo& info(Key key);

// What one source says. Switches are "true" or "false", --verbose is a count.
class Layer {
 public:
  Layer() = default;
  explicit Layer(std::string source) : source_(std::move(source)) {}

  void set(Key key, std::string value) { values_[index(key)] = std::move(value); }
  void clear(Key key) { values_[index(key)].reset(); }
  [[nodiscard]] const std::optional<std::string>& get(Key key) const { return values_[index(key)]; }
  // How an error names the origin of a value: "--port", "MQBOARD_PORT", "port in profile 'kitchen'".
  [[nodiscard]] std::string origin(Key key) const;

  enum class Kind : std::uint8_t { command_line, environment, profile };
  Kind kind = Kind::command_line;

 private:
  static std::size_t index(Key key) { return static_cast<std::size_t>(key); }

  std::string source_;  // a profile's name
  std::array<std::optional<std::string>, kKeys> values_;
};

using Lookup = std::function<const char*(const char*)>;  // getenv, or a test's
[[nodiscard]] Layer environment_layer(const Lookup& environment);

enum class Output : std::uint8_t { text, json };
enum class Color : std::uint8_t { automatic, always, never };
enum class Protocol : std::uint8_t { automatic, v1, v2 };

struct Settings {
  mqtt::Endpoint broker;
  mqtt::TlsOptions tls;
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::string prefix;     // the board's address; empty: none given
  std::string log_topic;  // the filter `view` watches; empty: none given
  std::chrono::milliseconds timeout{10'000};
  Protocol protocol = Protocol::automatic;
  int verbosity = 0;  // -1 quiet, 0, 1, 2 ...
  Output output = Output::text;
  Color color = Color::automatic;
};

// Layers in descending rank. Reads the password file and checks that certificate files are there.
[[nodiscard]] Result<Settings> resolve(std::span<const Layer> layers);

// Checks one value as resolve() would, for `board add`.
[[nodiscard]] Result<> check(const Layer& layer);

}  // namespace mqboard::cli
