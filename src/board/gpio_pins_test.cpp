#include "board/gpio_pins.hpp"

#include <dlfcn.h>

#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

namespace mqboard::board {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Gpio : ::testing::Test {
  boost::asio::io_context io;
  std::vector<std::string> changes;
  void* library = ::dlopen(MQB_FAKE_GPIOD, RTLD_NOW | RTLD_LOCAL);
  PinsConfig config{.chip = "fakechip", .lines = {{"pump", "PUMP"}, {"fail_led", "5"}}};
  std::unique_ptr<GpioPins> pins = open();

  ~Gpio() override {
    pins.reset();
    io.restart();
    io.run();
    ::dlclose(library);
  }

  std::unique_ptr<GpioPins> open() {
    auto changed = [this](std::string_view pin, bool level) {
      changes.push_back(std::string(pin) + (level ? " up" : " down"));
    };
    auto opened = std::make_unique<GpioPins>(config, io.get_executor(), changed, MQB_FAKE_GPIOD);
    EXPECT_EQ(opened->trouble(), "");
    return opened;
  }
  template<class... Arguments>
  int fake(const char* name, Arguments... arguments) {
    return reinterpret_cast<int (*)(Arguments...)>(::dlsym(library, name))(arguments...);
  }
  void drive(unsigned line, int level) {
    reinterpret_cast<void (*)(unsigned, int)>(::dlsym(library, "fake_gpiod_drive"))(line, level);
    io.restart();
    io.poll();
  }
  void set_up(std::string_view pin, PinMode mode, PinPull pull = PinPull::none) {
    const PinSetup setup{.mode = mode, .pull = pull, .level = {}};
    EXPECT_TRUE(pins->configure(pin, setup));
  }
};

TEST_F(Gpio, OutputsDriveTheirLine) {
  set_up("3", PinMode::out);
  EXPECT_EQ(fake("fake_gpiod_is_output", 3U), 1);
  EXPECT_TRUE(pins->write("3", true));
  EXPECT_TRUE(pins->read("3").value());
  EXPECT_TRUE(pins->write("3", false));
  EXPECT_FALSE(pins->read("3").value());
}

TEST_F(Gpio, InputsReadTheirLine_WithTheirPull) {
  set_up("3", PinMode::in, PinPull::up);
  EXPECT_EQ(fake("fake_gpiod_flags", 3U), 1 << 5);
  drive(3, 1);
  EXPECT_TRUE(pins->read("3").value());
  set_up("3", PinMode::open_drain);
  EXPECT_EQ(fake("fake_gpiod_flags", 3U) & 1, 1);
}

TEST_F(Gpio, ALevelWrittenToAnInput_IsThatOfTheOutputItBecomes) {
  set_up("3", PinMode::in);
  EXPECT_TRUE(pins->write("3", true));
  set_up("3", PinMode::out);
  EXPECT_TRUE(pins->read("3").value());
}

TEST_F(Gpio, EdgesThatAreWatchedAreReported) {
  set_up("3", PinMode::in);
  drive(3, 1);
  EXPECT_TRUE(pins->watch("3", PinEdges::falling));
  drive(3, 0);
  drive(3, 1);
  drive(3, 0);
  EXPECT_THAT(changes, ElementsAre("3 down", "3 down"));
  EXPECT_TRUE(pins->watch("3", PinEdges::none));
  drive(3, 1);
  EXPECT_EQ(changes.size(), 2U);
}

TEST_F(Gpio, NamesAreThoseOfTheConfigurationAndOfTheChip) {
  set_up("pump", PinMode::out);
  EXPECT_EQ(fake("fake_gpiod_is_output", 2U), 1);
  const auto nowhere = pins->read("lamp");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().type, python::Exception::Type::value_error);
  EXPECT_FALSE(pins->read("8"));
}

TEST_F(Gpio, LedsWithoutALineStayInMemory) {
  set_up("act_led", PinMode::out);
  EXPECT_TRUE(pins->write("act_led", true));
  EXPECT_TRUE(pins->read("act_led").value());
  set_up("fail_led", PinMode::out);
  EXPECT_EQ(fake("fake_gpiod_is_output", 5U), 1);
}

TEST_F(Gpio, LinesAreGivenBackAtTheEnd) {
  set_up("3", PinMode::in);
  EXPECT_TRUE(pins->watch("3", PinEdges::both));
  pins.reset();
  EXPECT_EQ(fake("fake_gpiod_is_requested", 3U), 0);
  drive(3, 1);
  EXPECT_THAT(changes, IsEmpty());
}

// Requested, it would no longer be what a bus's driver made of it.
TEST_F(Gpio, ALineThatIsOnlyNamedIsLeftAlone) {
  EXPECT_TRUE(pins->look_up("3"));
  EXPECT_FALSE(pins->look_up("lamp"));
  EXPECT_EQ(fake("fake_gpiod_is_requested", 3U), 0);
  EXPECT_FALSE(pins->read("3").value());
  EXPECT_EQ(fake("fake_gpiod_is_requested", 3U), 1);
}

TEST_F(Gpio, ALineInUseElsewhereIsAnError) {
  const auto other = open();
  set_up("3", PinMode::in);
  const auto refused = other->read("3");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EBUSY);
}

TEST(GpioChip, WhatIsMissingIsNamed_PinsFailAndLedsWork) {
  boost::asio::io_context io;
  const PinsConfig config{.chip = "gpiochip9", .lines = {}};
  EXPECT_THAT(GpioPins(config, io.get_executor(), {}, "libnothing.so.2").trouble(), HasSubstr("libgpiod2"));
  GpioPins pins(config, io.get_executor(), {}, MQB_FAKE_GPIOD);
  EXPECT_THAT(pins.trouble(), HasSubstr("gpiochip9"));
  EXPECT_EQ(pins.write("3", true).error().code, ENODEV);
  EXPECT_TRUE(pins.write("act_led", true));
}

}  // namespace
}  // namespace mqboard::board
