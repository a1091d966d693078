// machine.PWM and machine.ADC over a directory that looks like the kernel's.
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "board/devices.hpp"
#include "board/python_board_testing.hpp"

namespace mqboard::board {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::PythonBoard;

struct Levels : ::testing::Test {
  fs::path sysfs = make_directory();
  fs::path chip = sysfs / "class/pwm/pwmchip0", iio = sysfs / "bus/iio/devices/iio:device0";
  std::optional<PythonBoard> made;

  Levels() {
    for (const char* channel : {"pwm0", "pwm1"}) {
      for (const char* file : {"period", "duty_cycle", "enable"}) put(chip / channel / file, "0\n");
    }
    put(chip / "export", "");
    put(chip / "unexport", "");
    DevicesConfig devices;
    devices.pwm = {{"18", "pwmchip0/0"}, {"fan", "pwmchip0/1"}, {"far", "pwmchip7/0"}, {"odd", "pwmchip0/x"}};
    devices.adc = {{"0", "iio:device0/voltage0", 0},
                   {"1", "iio:device0/voltage1", 10},
                   {"2", "iio:device0/voltage2", 0},
                   {"9", "iio:device9/voltage0", 12}};
    made.emplace(nullptr, std::vector{make_analog_module(devices, sysfs)});
    made->boot();
    made->run("from machine import Pin, PWM, ADC");
  }
  ~Levels() override {
    made.reset();
    fs::remove_all(sysfs);
  }

  static fs::path make_directory() {
    std::string name = ::testing::TempDir() + "mqb-sysfs-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    return name;
  }
  static void put(const fs::path& file, std::string_view text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  static std::string get(const fs::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  // "period duty_cycle enable"
  [[nodiscard]] std::string output(const char* channel) const {
    const fs::path files = chip / channel;
    return get(files / "period") + " " + get(files / "duty_cycle") + " " + get(files / "enable");
  }
  std::string run(std::string source) { return made->run(std::move(source)); }
};

TEST_F(Levels, PwmHasFrequencyAndDuty) {
  EXPECT_EQ(run("p = PWM(Pin(18), freq=1000, duty_u16=32768)\nprint(p)"),
            "PWM(18, freq=1000, duty_u16=32768)\n");
  EXPECT_EQ(output("pwm0"), "1000000 500008 1");
  EXPECT_EQ(run("p.freq(), p.duty_u16(), p.duty_ns()"), "(1000, 32768, 500008)");
  run("p.freq(2000)");  // the share stays
  EXPECT_EQ(output("pwm0"), "500000 250004 1");
  EXPECT_EQ(run("p.duty_ns(1500)\nprint(p.duty_ns(), p.duty_u16())"), "1500 196\n");
  run("p.freq(50)");  // the pulse stays
  EXPECT_EQ(output("pwm0"), "20000000 1500 1");
  EXPECT_EQ(run("p.duty_u16(65535); print(p.duty_ns())"), "20000000\n");
  EXPECT_EQ(output("pwm0"), "20000000 20000000 1");
  run("p.duty_u16(0)");
  EXPECT_EQ(output("pwm0"), "20000000 0 1");
}

TEST_F(Levels, PwmIsOffUntilItHasADuty_AndAfterwards) {
  run("p = PWM('fan')\np.freq(100)");
  EXPECT_EQ(output("pwm1"), "0\n 0\n 0\n");
  EXPECT_EQ(run("p.duty_u16(), p.duty_ns(), p.freq()"), "(0, 0, 100)");
  run("p.duty(512)");
  EXPECT_EQ(output("pwm1"), "10000000 5004807 1");
  EXPECT_EQ(run("[d for d in (0, 1, 2, 511, 513, 1022, 1023) if p.duty(d) or p.duty() != d]"), "[]");
  run("p.deinit()");
  EXPECT_EQ(get(chip / "pwm1/enable"), "0");
  EXPECT_THAT(run("p.duty_u16(1)"), HasSubstr("EBADF"));
  EXPECT_EQ(run("p.init(freq=1000, duty_ns=7)"), "None");
  EXPECT_EQ(output("pwm1"), "1000000 7 1");
}

TEST_F(Levels, PwmInverts) {
  run("p = PWM(18, freq=1000, duty_ns=1000, invert=True)");
  EXPECT_EQ(output("pwm0"), "1000000 999000 1");
  EXPECT_EQ(run("p.duty_ns()"), "1000");
}

// The kernel refuses a pulse that is longer than the period at any time.
TEST_F(Levels, PwmSetsTheShorterOfThePeriodsLast) {
  run("p = PWM(18, freq=1000, duty_ns=900000)");
  fs::remove(chip / "pwm0/period");
  fs::create_directory(chip / "pwm0/period");  // can't be written
  EXPECT_THAT(run("p.freq(100000); p.duty_ns(100)"), HasSubstr("Error"));
  EXPECT_THAT(run("p.init(freq=100000, duty_ns=100)"), HasSubstr("OSError"));
  EXPECT_EQ(get(chip / "pwm0/duty_cycle"), "100");
  EXPECT_THAT(run("p.init(freq=100, duty_ns=950000)"), HasSubstr("OSError"));
  EXPECT_EQ(get(chip / "pwm0/duty_cycle"), "100");
}

TEST_F(Levels, PwmOutputsStopWithTheInterpreter) {
  run("p = PWM(18, freq=1000, duty_u16=1)");
  const auto launcher = std::make_shared<testing::Result>();
  made->runtime.exec(launcher_source(), "launcher", launcher);
  launcher->wait();
  EXPECT_EQ(get(chip / "pwm0/enable"), "0");
  run("q = PWM('fan', freq=1000, duty_u16=1)");
  EXPECT_EQ(get(chip / "pwm1/enable"), "1");
  made.reset();
  EXPECT_EQ(get(chip / "pwm1/enable"), "0");
}

TEST_F(Levels, PwmChannelsAreExportedAndGivenBack) {
  fs::remove_all(chip / "pwm1");
  // The kernel makes the channel's files when its number is written; here nobody does.
  EXPECT_EQ(run("p = PWM('fan')"), "");
  EXPECT_EQ(get(chip / "export"), "1");
  EXPECT_THAT(run("p.duty_u16(5)"), HasSubstr("pwm1/period: No such file"));
  run("p.deinit()");
  EXPECT_EQ(get(chip / "unexport"), "1");
}

TEST_F(Levels, PwmThatCannotBe) {
  EXPECT_THAT(
      run("PWM(Pin(5))"),
      HasSubstr("ValueError: PWM(5) doesn't exist: board.toml says which device it is, e.g. [pwm] 5 = "));
  EXPECT_THAT(run("PWM('far')"), HasSubstr("ENODEV: "));
  EXPECT_THAT(run("PWM('odd')"), HasSubstr("ENODEV: "));
  EXPECT_EQ(run("PWM(18, freq=0)"), "ValueError: freq");
  EXPECT_THAT(run("PWM(18, freq=1000, duty_u16=65536)"), HasSubstr("ValueError: duty_u16"));
  EXPECT_THAT(run("PWM(18, freq=1000, duty_ns=1000001)"), HasSubstr("ValueError: duty_ns"));
  EXPECT_THAT(run("PWM(18, freq=1000, duty=1024)"), HasSubstr("ValueError: duty"));
}

TEST_F(Levels, AdcReadsInAllUnits) {
  put(iio / "in_voltage0_raw", "2048\n");
  put(iio / "in_voltage_scale", "0.805664062\n");
  put(iio / "scan_elements/in_voltage0_type", "le:u12/16>>4\n");
  EXPECT_EQ(run("a = ADC(Pin(0))\na.atten(ADC.ATTN_11DB)\nprint(a, a.read_u16(), a.read(), a.read_uv())"),
            "ADC(0) 32775 2048 1650000\n");
  put(iio / "in_voltage0_raw", "4095");
  EXPECT_EQ(run("a.read_u16(), a.read()"), "(65535, 4095)");
  EXPECT_EQ(run("a.width(ADC.WIDTH_10BIT); print(a.read())"), "1023\n");
  put(iio / "in_voltage0_raw", "-3");
  EXPECT_EQ(run("a.read_u16()"), "0");
  // A scale and an offset of its own, and bits by configuration.
  put(iio / "in_voltage1_raw", "1023");
  put(iio / "in_voltage1_scale", "2");
  put(iio / "in_voltage1_offset", "-23");
  EXPECT_EQ(run("b = ADC(1)\nprint(b.read_u16(), b.read_uv())"), "65535 2000000\n");
}

TEST_F(Levels, AdcWithASignUsesItsPositiveHalf) {
  put(iio / "in_voltage0_raw", "16384");
  put(iio / "scan_elements/in_voltage0_type", "be:s16/16>>0");
  EXPECT_EQ(run("ADC(0).read_u16()"), "32768");
}

TEST_F(Levels, AdcThatCannotBe) {
  EXPECT_THAT(run("ADC(36)"), HasSubstr("ValueError: ADC(36) doesn't exist: board.toml says"));
  EXPECT_THAT(run("ADC(9)"), HasSubstr("ENODEV: "));
  put(iio / "in_voltage2_raw", "5");
  EXPECT_THAT(run("ADC(2)"), HasSubstr("ValueError: the kernel does not say how many bits"));
  put(iio / "in_voltage1_raw", "5");
  EXPECT_THAT(run("ADC(1).read_uv()"), HasSubstr("in_voltage_scale: No such file"));
  put(iio / "in_voltage1_raw", "gone");
  EXPECT_THAT(run("ADC(1)"), HasSubstr("no number"));
}

}  // namespace
}  // namespace mqboard::board
