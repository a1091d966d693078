// The configuration of one board: board.toml, with secrets.toml beside it laid over it.
//
// Every mistake is reported with file, line and key and what to write instead; a configuration with errors is
// not used at all. Unknown keys are warnings: they are typing mistakes more often than not. What secrets.toml
// contains is never shown: messages name keys, not values, and Config::secrets lists what a log must not
// show. The keys and their defaults in words: docs/BOARD.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mqboard::board {

struct MqttConfig {
  std::vector<std::string> servers;  // URLs, tried in this order
  std::string ca_file, ca_path, certificate_file, key_file, key_password, server_name;
  bool insecure = false;
  std::optional<std::string> user, password;
  std::string client_id;  // empty: derived from the board's unique id
  std::chrono::seconds keep_alive{60};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds response_time{10'000};
  std::chrono::milliseconds reconnect_max{30'000};
};

// Levels are those of Python's logging: 10 DEBUG, 20 INFO, 30 WARNING, 40 ERROR, 50 CRITICAL.
struct LoggingConfig {
  int level = 20;                      // of loggers not in `levels`
  std::size_t boot_bytes = 16 * 1024;  // kept until the first connection
  int boot_level = 10;
  std::size_t loop_bytes = 16 * 1024;  // kept while the broker is away
  int loop_level = 10;
  std::vector<std::pair<std::string, int>> levels;
};

struct WatchdogConfig {
  bool enabled = false;  // a [watchdog] table turns it on
  std::chrono::seconds timeout{300};
  std::chrono::seconds all_ok{300};  // manageable for so long: confirm the image, leave safe mode
  bool revert = true;                // leave safe mode by a reset after all_ok
};

struct PowerConfig {
  std::chrono::seconds wake_every{0};  // 0: always awake
  std::chrono::seconds stay_awake{10};
};

// Without a chip the pins are simulated.
struct PinsConfig {
  std::string chip;                                        // "gpiochip0"
  std::vector<std::pair<std::string, std::string>> lines;  // pin, and the number or name of its line
};

// What Python calls a device, and the device.
using DeviceNames = std::vector<std::pair<std::string, std::string>>;

// Devices of the machine that Python may use.
struct DevicesConfig {
  struct AnalogInput {
    std::string name;
    std::string channel;  // "iio:device0/voltage1"
    unsigned bits = 0;    // of the converter; 0: the kernel says it
  };

  DeviceNames uart;  // "/dev/ttyUSB0"
  DeviceNames i2c;   // "/dev/i2c-1"
  DeviceNames spi;   // "/dev/spidev0.0"
  DeviceNames pwm;   // "pwmchip0/1": chip and channel
  std::vector<AnalogInput> adc;
};

struct OtaConfig {
  bool allow_unsigned = false;  // accept images without a signature
  std::string public_key;       // file with the Ed25519 public key, PEM
};

// A module's own table, for start(mqtt, config).
struct ModuleConfig {
  std::string name;
  std::string json;
};

struct Config {
  std::string kind, location, prefix;
  std::vector<std::string> modules;
  std::filesystem::path flash, state;  // absolute, or relative to the working directory
  std::uint64_t flash_bytes = 0;       // 0: as large as the disk
  std::size_t heap_bytes = 512 * 1024;
  unsigned safe_mode_after = 3;  // failed boots in a row; 0: never
  MqttConfig mqtt;
  LoggingConfig logging;
  WatchdogConfig watchdog;
  PowerConfig power;
  PinsConfig pins;
  DevicesConfig devices;
  OtaConfig ota;
  std::vector<ModuleConfig> module_tables;
  std::vector<std::string> secrets;  // values no log line may show
};

struct Diagnostic {
  enum class Kind : std::uint8_t { warning, error } kind = Kind::error;
  std::string text;  // "board.toml:3: mqtt.server: 'foo' is not a URL: write mqtts://HOST[:PORT]"
};

// The two texts and the names they are reported under. `directory`: what relative paths in them mean.
struct ConfigSource {
  std::string board, secrets;
  std::string board_name = "board.toml", secrets_name = "secrets.toml";
  std::filesystem::path directory;
};

struct ConfigReport {
  std::optional<Config> config;  // set when there is no error among the diagnostics
  std::vector<Diagnostic> diagnostics;
};

ConfigReport parse_config(const ConfigSource& source);

// Reads `file` and the secrets.toml beside it (which may be missing). A diagnostic when `file` cannot be
// read.
struct LoadedSource {
  std::optional<ConfigSource> source;
  std::vector<Diagnostic> diagnostics;
};
LoadedSource read_config_files(const std::filesystem::path& file);

// A number of bytes: "512KB", "64MB", "1GB" (powers of 1024; KiB, k and the like mean the same), or plain.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
// A duration: "500ms", "30s", "5min", "2h".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "DEBUG" ... "CRITICAL", in any case.
std::optional<int> parse_level(std::string_view text);

}  // namespace mqboard::board
