#include "board/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqboard::board {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ConfigReport parse(std::string board, std::string secrets = "") {
  ConfigSource source;
  source.board = std::move(board);
  source.secrets = std::move(secrets);
  source.directory = "/etc/board";
  return parse_config(source);
}

std::vector<std::string> texts(const ConfigReport& report) {
  std::vector<std::string> found;
  for (const auto& diagnostic : report.diagnostics) found.push_back(diagnostic.text);
  return found;
}

constexpr const char* kSmallest =
    "[board]\nkind = 'gateway'\nlocation = 'cellar'\n[mqtt]\nserver = 'mqtt://127.0.0.1'\n";

TEST(Config, SmallestConfigurationGetsTheDocumentedDefaults) {
  const auto report = parse(kSmallest);
  ASSERT_TRUE(report.config) << testing::PrintToString(texts(report));
  EXPECT_THAT(report.diagnostics, testing::IsEmpty());
  const Config& config = *report.config;
  EXPECT_EQ(config.prefix, "gateway/cellar");
  EXPECT_EQ(config.flash, "/etc/board/flash");
  EXPECT_EQ(config.state, "/etc/board/state");
  EXPECT_EQ(config.heap_bytes, 512u * 1024);
  EXPECT_EQ(config.safe_mode_after, 3u);
  EXPECT_EQ(config.logging.level, 20);
  EXPECT_FALSE(config.watchdog.enabled);
  EXPECT_THAT(config.mqtt.servers, ElementsAre("mqtt://127.0.0.1"));
}

TEST(Config, EveryKeyIsRead) {
  const auto report = parse(R"([board]
prefix = "site/7/board"
kind = "k"
modules = ["blinky", "pkg.part"]
flash = "/var/flash"
state = "s"
flash_size = "64MB"
heap = 131072
safe_mode_after = 5
[mqtt]
server = ["mqtts://a:1", "mqtt://b"]
cafile = "ca.pem"
cert = "/c.pem"
key = "k.pem"
user = "u"
password = "pw"
client_id = "me"
keepalive = "2min"
connect_timeout = 1.5
[logging]
level = "debug"
boot_size = "8KB"
loop_level = 30
levels = {mqtt = "ERROR", "a.b" = 10}
[watchdog]
timeout = 20
allok = "1min"
revert = false
[power]
wake_every = "1h"
stay_awake = 5
[pins]
chip = "gpiochip0"
pump = 17
act_led = "LED0"
[uart]
1 = "/dev/ttyUSB0"
[i2c]
0 = "/dev/i2c-1"
[spi]
display = "/dev/spidev0.0"
[pwm]
18 = "pwmchip0/1"
[adc]
0 = "iio:device0/voltage3"
1 = {channel = "iio:device0/voltage4", bits = 12}
[ota]
allow_unsigned = true
public_key = "key.pem"
)");
  ASSERT_TRUE(report.config) << testing::PrintToString(texts(report));
  EXPECT_THAT(report.diagnostics, testing::IsEmpty());
  const Config& config = *report.config;
  EXPECT_EQ(config.prefix, "site/7/board");
  EXPECT_THAT(config.modules, ElementsAre("blinky", "pkg.part"));
  EXPECT_EQ(config.flash, "/var/flash");
  EXPECT_EQ(config.flash_bytes, 64u << 20);
  EXPECT_EQ(config.heap_bytes, 131072u);
  EXPECT_EQ(config.mqtt.ca_file, "/etc/board/ca.pem");
  EXPECT_EQ(config.mqtt.certificate_file, "/c.pem");
  EXPECT_EQ(config.mqtt.keep_alive, std::chrono::seconds(120));
  EXPECT_EQ(config.mqtt.connect_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config.logging.level, 10);
  EXPECT_EQ(config.logging.loop_level, 30);
  EXPECT_THAT(config.logging.levels, testing::UnorderedElementsAre(std::pair<std::string, int>("mqtt", 40),
                                                                   std::pair<std::string, int>("a.b", 10)));
  EXPECT_TRUE(config.watchdog.enabled);
  EXPECT_EQ(config.watchdog.all_ok, std::chrono::seconds(60));
  EXPECT_FALSE(config.watchdog.revert);
  EXPECT_EQ(config.power.wake_every, std::chrono::hours(1));
  EXPECT_EQ(config.pins.chip, "gpiochip0");
  EXPECT_THAT(config.pins.lines,
              testing::UnorderedElementsAre(std::pair<std::string, std::string>("pump", "17"),
                                            std::pair<std::string, std::string>("act_led", "LED0")));
  EXPECT_EQ(config.ota.public_key, "/etc/board/key.pem");
  using Device = std::pair<std::string, std::string>;
  EXPECT_THAT(config.devices.uart, ElementsAre(Device("1", "/dev/ttyUSB0")));
  EXPECT_THAT(config.devices.i2c, ElementsAre(Device("0", "/dev/i2c-1")));
  EXPECT_THAT(config.devices.spi, ElementsAre(Device("display", "/dev/spidev0.0")));
  EXPECT_THAT(config.devices.pwm, ElementsAre(Device("18", "pwmchip0/1")));
  ASSERT_EQ(config.devices.adc.size(), 2u);
  EXPECT_EQ(config.devices.adc[0].channel, "iio:device0/voltage3");
  EXPECT_EQ(config.devices.adc[0].bits, 0u);
  EXPECT_EQ(config.devices.adc[1].channel, "iio:device0/voltage4");
  EXPECT_EQ(config.devices.adc[1].bits, 12u);
  EXPECT_THAT(config.module_tables, testing::IsEmpty());
}

TEST(Config, DevicesThatAreNoneAreReportedWithTheirLine) {
  const auto report = parse(std::string(kSmallest) + R"([uart]
1 = "ttyUSB0"
2 = 5
[pwm]
fan = "pwmchip0"
led = "../x/1"
[adc]
0 = "iio:device0/a/b"
1 = {channel = "iio:device0/voltage1", bits = 40}
2 = {bits = 12}
)");
  EXPECT_FALSE(report.config);
  EXPECT_THAT(texts(report),
              ElementsAre(HasSubstr("uart.1: 'ttyUSB0' is not a serial port: write its path"),
                          HasSubstr("uart.2: not a serial port"), HasSubstr("pwm.fan: 'pwmchip0' is not"),
                          HasSubstr("pwm.led: '../x/1' is not an output"),
                          HasSubstr("adc.0: 'iio:device0/a/b' is not an input"),
                          HasSubstr("adc.1.bits: out of range: 1 to 32"), HasSubstr("adc.2: not an input")));
  EXPECT_THAT(texts(report).front(), testing::ContainsRegex("board.toml:[0-9]+: uart.1"));
}

TEST(Config, SecretsLieOverTheBoardsTableAndAreListedLongestFirst) {
  const auto report =
      parse(std::string(kSmallest) + "user = 'u'\n[blinky]\nperiod = 5\napi = {host = 'h'}\n",
            "[mqtt]\npassword = 'hunter2'\n[blinky]\napi = {token = 'very-secret-token'}\nperiod = 6\n");
  ASSERT_TRUE(report.config) << testing::PrintToString(texts(report));
  EXPECT_EQ(report.config->mqtt.password, "hunter2");
  EXPECT_THAT(report.config->secrets, ElementsAre("very-secret-token", "hunter2"));
  ASSERT_EQ(report.config->module_tables.size(), 1u);
  EXPECT_EQ(report.config->module_tables[0].json,
            R"({"api":{"host":"h","token":"very-secret-token"},"period":6})");
}

TEST(Config, ModuleTablesBecomeJson) {
  const auto report =
      parse(std::string("[blinky]\ntext='a\"b\\\\'\nreal=2.0\nneg=-7\nyes=true\nlist=[1,'x',[true]]\n"
                        "day=1979-05-27\nat=1979-05-27T07:32:00\n[blinky.deep.er]\nx=1e30\n") +
            kSmallest);
  ASSERT_TRUE(report.config) << testing::PrintToString(texts(report));
  EXPECT_EQ(
      report.config->module_tables[0].json,
      R"({"at":"1979-05-27T07:32:00","day":"1979-05-27","deep":{"er":{"x":1e+30}},"list":[1,"x",[true]],)"
      R"("neg":-7,"real":2.0,"text":"a\"b\\\\","yes":true})");
}

TEST(Config, MistakesAreReportedWithLineKeyAndRemedy) {
  const auto report = parse(R"([board]
location = "cellar"
heap = "big"
modules = [1]
[mqtt]
server = "127.0.0.1:1883"
keepalive = "soon"
[logging]
level = "LOUD"
)");
  EXPECT_FALSE(report.config);
  EXPECT_THAT(
      texts(report),
      testing::UnorderedElementsAre(
          HasSubstr("board.toml:3: board.heap: not a size: write bytes, or \"512KB\""),
          HasSubstr("board.toml:4: board.modules: must be a list of strings"),
          HasSubstr(
              "board.toml:6: mqtt.server: '127.0.0.1:1883' is not a broker's URL: write \"mqtts://HOST"),
          HasSubstr("board.toml:7: mqtt.keepalive: not a duration"),
          HasSubstr("board.toml:9: logging.level: not a level: one of \"DEBUG\"")));
}

TEST(Config, SyntaxErrorNamesLineAndColumn) {
  const auto report = parse("[board]\nkind = \n");
  EXPECT_FALSE(report.config);
  ASSERT_EQ(report.diagnostics.size(), 1u);
  EXPECT_THAT(report.diagnostics[0].text, testing::StartsWith("board.toml:2:"));
}

TEST(Config, DiagnosticsOfSecretsNeverShowTheirContent) {
  for (const char* secrets :
       {"[mqtt]\npassword = hunter2\n", "[mqtt]\nkeepalive = 'hunter2'\n", "[mqtt]\nserver='hunter2'",
        "hunter2\n", "[mqtt]\nfoo = 'hunter2'\n", "[board]\nmodules=['hunter-2', 'hunter2']\n"}) {
    const auto report = parse(kSmallest, secrets);
    EXPECT_FALSE(report.diagnostics.empty()) << secrets;
    for (const auto& text : texts(report)) {
      EXPECT_THAT(text, HasSubstr("secrets.toml"));
      EXPECT_THAT(text, Not(HasSubstr("hunter"))) << secrets;
    }
  }
}

TEST(Config, UnknownKeysAreWarningsThatDoNotStopTheBoard) {
  const auto report = parse(std::string(kSmallest) + "kepalive = 3\n[nosuchmodule]\nx = 1\n");
  ASSERT_TRUE(report.config);
  EXPECT_THAT(texts(report), Contains(HasSubstr("board.toml:6: mqtt.kepalive: unknown key")));
  EXPECT_THAT(texts(report), Contains(HasSubstr("board.toml:7: nosuchmodule: no module of this name")));
}

TEST(Config, MissingTablesAreErrors) {
  const auto report = parse("");
  EXPECT_FALSE(report.config);
  EXPECT_THAT(texts(report), Contains(HasSubstr("board.location: missing")));
  EXPECT_THAT(texts(report), Contains(HasSubstr("mqtt.server: missing")));
}

TEST(Config, PrefixThatCannotBeATopicIsRefused) {
  for (const char* prefix : {"a/#", "+/b", "/a", "a//b", "a/"}) {
    const auto report = parse(std::string("[board]\nprefix='") + prefix + "'\n[mqtt]\nserver='mqtt://h'\n");
    EXPECT_FALSE(report.config) << prefix;
  }
}

TEST(Config, PasswordInTheUrlIsASecretToo) {
  const auto report = parse("[board]\nlocation='x'\n[mqtt]\nserver='mqtt://u:p%40ssword@h'\n");
  ASSERT_TRUE(report.config);
  EXPECT_THAT(report.config->secrets, ElementsAre("p@ssword"));
}

TEST(Config, SizesAndDurations) {
  EXPECT_EQ(parse_bytes("512KB"), 512u * 1024);
  EXPECT_EQ(parse_bytes("64 MiB"), 64u << 20);
  EXPECT_EQ(parse_bytes("7"), 7u);
  EXPECT_EQ(parse_bytes("1g"), 1u << 30);
  for (const char* bad : {"", "k", "1x", "1kk", "-1", "99999999999999999999", "18446744073709551615k"}) {
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
  }
  using std::chrono::milliseconds;
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2 h"), milliseconds(7'200'000));
  for (const char* bad : {"", "5", "5 parsecs", "-1s", "9999999999999s"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  EXPECT_EQ(parse_level("Warning"), 30);
  EXPECT_EQ(parse_level("warn"), std::nullopt);
}

}  // namespace
}  // namespace mqboard::board
