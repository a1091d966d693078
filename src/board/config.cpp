#include "board/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <mqboard/mqtt/options.hpp>

#include "board/config_section.hpp"
#include "board/text.hpp"
#include "core/command/topic.hpp"

namespace mqboard::board {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// A module may be a package's: "house.lights".
bool is_module_name(std::string_view text) {
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_identifier(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::filesystem::path resolve(const std::filesystem::path& directory, const std::string& path) {
  return path.empty() ? std::filesystem::path{} : directory / path;
}

void resolve_in_place(const std::filesystem::path& directory, std::string& path) {
  if (!path.empty()) path = (directory / path).string();
}

void read_board(Section section, Config& config, const std::filesystem::path& directory) {
  config.kind = "board";
  section.text("kind", config.kind);
  section.text("location", config.location);
  section.text("prefix", config.prefix);
  if (config.prefix.empty()) {
    if (config.location.empty())
      section.error("location", "missing: name the board's place, or set board.prefix");
    config.prefix = concat(config.kind, "/", config.location);
  }
  if (!config.location.empty() || section.find("prefix")) {
    if (!command::is_prefix(config.prefix)) {
      section.error(section.find("prefix") ? "prefix" : "location",
                    concat("not what a topic can begin with: no '#' or '+', no empty level, at most ",
                           command::kMaxPrefix, " bytes"),
                    config.prefix);
    }
  }
  section.texts("modules", config.modules);
  for (const auto& name : config.modules) {
    if (!is_module_name(name)) section.error("modules", "not the name of a Python module", name);
  }
  std::string flash = "flash", state = "state";
  section.text("flash", flash);
  section.text("state", state);
  if (flash.empty()) section.error("flash", "empty: name the directory that is the board's flash");
  config.flash = resolve(directory, flash);
  config.state = resolve(directory, state.empty() ? "state" : state);
  section.bytes("flash_size", config.flash_bytes, 64 * 1024, std::uint64_t{1} << 40);
  section.bytes("heap", config.heap_bytes, 128 * 1024, 256 * 1024 * 1024);
  section.integer("safe_mode_after", config.safe_mode_after, 0, 1000);
  section.finish();
}

void read_servers(Section& section, MqttConfig& mqtt, std::vector<std::string>& secrets) {
  section.texts("server", mqtt.servers);
  if (mqtt.servers.empty()) {
    section.error("server", "missing: give the broker's URL, e.g. \"mqtts://broker.example\"");
  }
  for (const auto& server : mqtt.servers) {
    mqtt::Options options;
    if (auto added = options.add_url(server); !added) {
      section.error("server", "not a broker's URL: write \"mqtts://HOST[:PORT]\" (or mqtt, wss, ws, unix)",
                    server);
    } else if (options.password && options.password->size() >= kShortestSecret) {
      secrets.push_back(*options.password);
    }
  }
}

void read_mqtt(Section section, MqttConfig& mqtt, const std::filesystem::path& directory,
               std::vector<std::string>& secrets) {
  read_servers(section, mqtt, secrets);
  section.text("cafile", mqtt.ca_file);
  section.text("capath", mqtt.ca_path);
  section.text("cert", mqtt.certificate_file);
  section.text("key", mqtt.key_file);
  section.text("key_password", mqtt.key_password);
  section.text("server_name", mqtt.server_name);
  section.boolean("insecure", mqtt.insecure);
  section.text("user", mqtt.user);
  section.text("password", mqtt.password);
  section.text("client_id", mqtt.client_id);
  section.duration("keepalive", mqtt.keep_alive, seconds{0}, seconds{65'535});
  section.duration("connect_timeout", mqtt.connect_timeout, milliseconds{100}, milliseconds{600'000});
  section.duration("response_time", mqtt.response_time, milliseconds{100}, milliseconds{600'000});
  section.duration("reconnect_max", mqtt.reconnect_max, milliseconds{100}, milliseconds{3'600'000});
  for (std::string* path : {&mqtt.ca_file, &mqtt.ca_path, &mqtt.certificate_file, &mqtt.key_file}) {
    resolve_in_place(directory, *path);
  }
  if (!mqtt.key_file.empty() && mqtt.certificate_file.empty())
    section.error("key", "given without mqtt.cert");
  if (mqtt.password && !mqtt.user) section.error("password", "given without mqtt.user");
  if (mqtt.password && mqtt.password->size() >= kShortestSecret) secrets.push_back(*mqtt.password);
  if (mqtt.key_password.size() >= kShortestSecret) secrets.push_back(mqtt.key_password);
  section.finish();
}

void read_logging(Section section, LoggingConfig& logging) {
  constexpr std::uint64_t kMost = 1024 * 1024;
  section.level("level", logging.level);
  section.bytes("boot_size", logging.boot_bytes, 1024, kMost);
  section.level("boot_level", logging.boot_level);
  section.bytes("loop_size", logging.loop_bytes, 1024, kMost);
  section.level("loop_level", logging.loop_level);
  Section levels = section.table("levels");
  std::vector<std::string> names;
  levels.each_key([&](std::string_view name) { names.emplace_back(name); });
  for (auto& name : names) {
    int level = logging.level;
    levels.level(name, level);
    logging.levels.emplace_back(std::move(name), level);
  }
  section.finish();
}

void read_watchdog(Section section, WatchdogConfig& watchdog) {
  watchdog.enabled = section.present();
  section.duration("timeout", watchdog.timeout, seconds{2}, seconds{hours{24}});
  section.duration("allok", watchdog.all_ok, seconds{1}, seconds{hours{24 * 7}});
  section.boolean("revert", watchdog.revert);
  section.finish();
}

void read_pins(Section section, PinsConfig& pins) {
  section.text("chip", pins.chip);
  std::vector<std::string> names;
  section.each_key([&](std::string_view name) { names.emplace_back(name); });
  for (const auto& name : names) {
    if (name == "chip") continue;
    const Found found = section.find(name);
    const auto* number = found.node->as_integer();
    const auto* line = found.node->as_string();
    if (line != nullptr) {
      pins.lines.emplace_back(name, line->get());
    } else if (number != nullptr && number->get() >= 0) {
      pins.lines.emplace_back(name, std::to_string(number->get()));
    } else {
      section.error(name, "must be the number or the name of a line of the chip");
    }
  }
  if (!pins.lines.empty() && pins.chip.empty())
    section.error("chip", "missing: name the chip, e.g. \"gpiochip0\"");
  section.finish();
}

// Every key of the table and its text, where `is_device` accepts it.
template<class Check>
void read_devices(Section section, DeviceNames& devices, const Check& is_device, std::string_view what) {
  std::vector<std::string> names;
  section.each_key([&](std::string_view name) { names.emplace_back(name); });
  for (const auto& name : names) {
    const auto* text = section.find(name).node->as_string();
    const std::string device = text == nullptr ? std::string() : text->get();
    if (!is_device(device)) section.error(name, what, device);
    devices.emplace_back(name, device);
  }
}

bool is_device_file(std::string_view path) { return path.starts_with('/'); }

// "pwmchip0/1": a directory and what is in it.
bool is_channel(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != 0 && slash != std::string_view::npos && slash + 1 < text.size() &&
         text.find('/', slash + 1) == std::string_view::npos && !text.starts_with('.');
}

void read_analog_inputs(Section section, std::vector<DevicesConfig::AnalogInput>& inputs) {
  constexpr std::string_view kWhat = "not an input: write e.g. \"iio:device0/voltage1\"";
  std::vector<std::string> names;
  section.each_key([&](std::string_view name) { names.emplace_back(name); });
  for (const auto& name : names) {
    DevicesConfig::AnalogInput input{.name = name, .channel = {}};
    const toml::node& node = *section.find(name).node;
    if (node.is_table()) {
      Section table = section.table(name);
      table.text("channel", input.channel);
      table.integer("bits", input.bits, 1, 32);
      table.finish();
    } else if (const auto* text = node.as_string()) {
      input.channel = text->get();
    }
    if (!is_channel(input.channel)) section.error(name, kWhat, input.channel);
    inputs.push_back(std::move(input));
  }
}

void read_all_devices(Section& root, DevicesConfig& devices) {
  read_devices(root.table("uart"), devices.uart, is_device_file,
               "not a serial port: write its path, e.g. \"/dev/ttyUSB0\"");
  read_devices(root.table("i2c"), devices.i2c, is_device_file,
               "not an I2C bus: write its path, e.g. \"/dev/i2c-1\"");
  read_devices(root.table("spi"), devices.spi, is_device_file,
               "not an SPI device: write its path, e.g. \"/dev/spidev0.0\"");
  read_devices(root.table("pwm"), devices.pwm, is_channel,
               "not an output: write chip and channel, e.g. \"pwmchip0/1\"");
  read_analog_inputs(root.table("adc"), devices.adc);
}

void read_rest(Section& root, Config& config, const std::filesystem::path& directory) {
  Section power = root.table("power");
  power.duration("wake_every", config.power.wake_every, seconds{0}, seconds{hours{24}});
  power.duration("stay_awake", config.power.stay_awake, seconds{1}, seconds{hours{24}});
  power.finish();
  read_pins(root.table("pins"), config.pins);
  read_all_devices(root, config.devices);
  Section ota = root.table("ota");
  ota.boolean("allow_unsigned", config.ota.allow_unsigned);
  ota.text("public_key", config.ota.public_key);
  resolve_in_place(directory, config.ota.public_key);
  ota.finish();
}

// All other tables are those of modules.
constexpr std::string_view kOwnTables[] = {"board", "mqtt", "logging", "watchdog", "power", "ota",
                                           "pins",  "uart", "i2c",     "spi",      "pwm",   "adc"};

const toml::table* subtable(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  return node ? node->as_table() : nullptr;
}

// The tables that are not the board's own belong to modules.
void read_modules(Section& root, Reporter& reporter, const toml::table& board, const toml::table& secrets,
                  Config& config) {
  std::vector<std::string> names;
  for (const toml::table* table : {&board, &secrets}) {
    for (const auto& [key, value] : *table) {
      if (std::ranges::find(names, key.str()) == names.end() && value.is_table())
        names.emplace_back(key.str());
    }
  }
  for (auto& name : names) {
    if (std::ranges::find(kOwnTables, name) != std::end(kOwnTables)) continue;
    const Found found = root.find(name);
    if (std::ranges::find(config.modules, name) == config.modules.end()) {
      reporter.warning(found, name, "no module of this name in board.modules");
    }
    std::string json = to_json(reporter, name, subtable(board, name), subtable(secrets, name));
    config.module_tables.push_back({std::move(name), std::move(json)});
  }
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  constexpr std::size_t kMost = 1024 * 1024;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  char block[4096];
  ssize_t count = 0;
  while (text.size() < kMost && (count = ::read(fd, block, sizeof block)) > 0) {
    text.append(block, static_cast<std::size_t>(count));
  }
  const int error = errno;
  ::close(fd);
  if (count < 0 || text.size() >= kMost) {
    errno = count < 0 ? error : EFBIG;
    return std::nullopt;
  }
  return text;
}

}  // namespace

ConfigReport parse_config(const ConfigSource& source) {
  Reporter reporter(source);
  const toml::parse_result board = toml::parse(source.board, source.board_name);
  const toml::parse_result secrets = toml::parse(source.secrets, source.secrets_name);
  if (!board) reporter.parse_failure(board.error(), false);
  if (!secrets) reporter.parse_failure(secrets.error(), true);
  if (reporter.failed()) return {std::nullopt, reporter.take()};

  Config config;
  collect_strings(secrets.table(), config.secrets);
  Section root(reporter, "", &board.table(), &secrets.table());
  read_board(root.table("board"), config, source.directory);
  read_mqtt(root.table("mqtt"), config.mqtt, source.directory, config.secrets);
  read_logging(root.table("logging"), config.logging);
  read_watchdog(root.table("watchdog"), config.watchdog);
  read_rest(root, config, source.directory);
  read_modules(root, reporter, board.table(), secrets.table(), config);
  root.finish();
  // Longest first, so that redacting one cannot leave the rest of another.
  std::ranges::sort(config.secrets, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  config.secrets.erase(std::unique(config.secrets.begin(), config.secrets.end()), config.secrets.end());
  if (reporter.failed()) return {std::nullopt, reporter.take()};
  return {std::move(config), reporter.take()};
}

LoadedSource read_config_files(const std::filesystem::path& file) {
  LoadedSource loaded;
  const auto fail = [&](const std::filesystem::path& path, int error) {
    loaded.diagnostics.push_back(
        {Diagnostic::Kind::error, concat(path.string(), ": ", std::strerror(error))});
    return loaded;
  };
  ConfigSource source;
  auto board = read_file(file);
  if (!board) return fail(file, errno);
  source.board = std::move(*board);
  source.directory = file.parent_path();
  source.board_name = file.string();
  const std::filesystem::path secrets = source.directory / "secrets.toml";
  source.secrets_name = secrets.string();
  struct ::stat info {};
  if (auto text = read_file(secrets)) {
    source.secrets = std::move(*text);
    if (::stat(secrets.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
      loaded.diagnostics.push_back(
          {Diagnostic::Kind::warning, concat(source.secrets_name, ": others can read it: chmod 600")});
    }
  } else if (errno != ENOENT) {
    return fail(secrets, errno);
  }
  loaded.source = std::move(source);
  return loaded;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string unit(text.substr(static_cast<std::size_t>(end - text.data())));
  std::erase(unit, ' ');
  std::ranges::transform(unit, unit.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view kPrefixes = "kmgt";
  unsigned shift = 0;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = kPrefixes.find(unit.front());
    if (power == std::string_view::npos) return std::nullopt;
    const std::string_view rest = std::string_view(unit).substr(1);
    if (!rest.empty() && rest != "b" && rest != "ib") return std::nullopt;
    shift = static_cast<unsigned>(power + 1) * 10;
  }
  if (number > (~std::uint64_t{0} >> shift)) return std::nullopt;
  return number << shift;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number > 1'000'000'000) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit == "ms") return milliseconds{number};
  if (unit == "s") return milliseconds{number * 1000};
  if (unit == "min" || unit == "m") return milliseconds{number * 60'000};
  if (unit == "h") return milliseconds{number * 3'600'000};
  return std::nullopt;
}

std::optional<int> parse_level(std::string_view text) {
  constexpr std::pair<std::string_view, int> kLevels[] = {
      {"DEBUG", 10}, {"INFO", 20}, {"WARNING", 30}, {"ERROR", 40}, {"CRITICAL", 50}};
  for (const auto& [name, level] : kLevels) {
    if (std::ranges::equal(name, text,
                           [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 32 : b); })) {
      return level;
    }
  }
  return std::nullopt;
}

}  // namespace mqboard::board
