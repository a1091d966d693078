// machine.SoftI2C and SoftSPI on simulated pins, with a chip connected to them; time_pulse_us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "board/python_board_testing.hpp"

namespace mqboard::board {
namespace {

using ::testing::HasSubstr;
using testing::PythonBoard;

// An EEPROM at address 0x50, 256 bytes, that looks at the pins "scl" and "sda" as the chip does.
class Eeprom {
 public:
  explicit Eeprom(Pins& pins) : pins_(pins) {
    pins_.drive("scl", true);
    pins_.drive("sda", true);
  }

  void changed(std::string_view pin, bool level) {
    if (pin == "sda") {
      const bool was = std::exchange(sda_, level);
      if (scl_ && was != level) level ? stop() : start();
    } else if (pin == "scl" && std::exchange(scl_, level) != level) {
      level ? rise() : fall();
    }
  }

  std::array<std::uint8_t, 256> memory{};
  std::uint8_t pointer = 0;
  unsigned acknowledges = 1000;  // bytes; then it refuses them
  std::string seen;              // S, P, and the bytes it got in between in hex

 private:
  enum class State { idle, address, receiving, sending };

  void start() {
    seen += "S";
    state_ = State::address;
    bit_ = 0;
  }
  void stop() {
    seen += "P";
    state_ = State::idle;
    pull(true);
  }
  void rise() {
    if (bit_ < 8) byte_ = static_cast<std::uint8_t>(byte_ << 1 | (sda_ ? 1 : 0));
    if (bit_ == 8 && state_ == State::sending && sda_) state_ = State::idle;  // not acknowledged: the last
    ++bit_;
  }
  void fall() {
    if (state_ == State::idle) return;
    if (bit_ == 8) {
      if (state_ == State::sending) return pull(true);
      seen += "0123456789abcdef"[byte_ >> 4];
      seen += "0123456789abcdef"[byte_ & 15];
      const bool mine = state_ == State::receiving ? acknowledges-- > 0 : byte_ >> 1 == 0x50;
      if (!mine) {
        state_ = State::idle;
        return;
      }
      return pull(false);
    }
    if (bit_ == 9) {
      bit_ = 0;
      if (state_ == State::address) {
        state_ = (byte_ & 1) != 0 ? State::sending : State::receiving;
        first_ = true;
      } else if (state_ == State::receiving) {
        std::exchange(first_, false) ? pointer = byte_ : memory[pointer++] = byte_;
      }
      if (state_ == State::sending) out_ = memory[pointer++];
    }
    pull(state_ != State::sending || (out_ >> (7 - bit_) & 1) != 0);
  }
  void pull(bool level) { pins_.drive("sda", level); }

  Pins& pins_;
  State state_ = State::idle;
  bool scl_ = true, sda_ = true, first_ = false;
  unsigned bit_ = 0;
  std::uint8_t byte_ = 0, out_ = 0;
};

struct SoftI2c : ::testing::Test {
  PythonBoard board{&python::system_clock(), {}};
  Eeprom chip{board.api.pins()};

  SoftI2c() {
    board.api.written = [this](std::string_view pin, bool level) { chip.changed(pin, level); };
    board.boot();
    EXPECT_EQ(board.run("from machine import Pin, SoftI2C\ni = SoftI2C(scl=Pin('scl'), sda=Pin('sda'))"), "");
    chip.seen.clear();
  }
  std::string seen() { return std::exchange(chip.seen, {}); }
};

TEST_F(SoftI2c, ReadsAndWritesRegisters) {
  board.run("i.writeto_mem(0x50, 0x10, b'\\xa5\\x00\\xff\\x3c')");
  EXPECT_EQ(seen(), "Sa010a500ff3cP");
  EXPECT_EQ(board.run("i.readfrom_mem(0x50, 0x10, 4), i.readfrom_mem(0x50, 0x12, 1)"),
            "(b'\\xa5\\x00\\xff<', b'\\xff')");
  EXPECT_EQ(seen(), "Sa010Sa1PSa012Sa1P");
  EXPECT_EQ(
      board.run(
          "b = bytearray(2)\nprint(i.writeto(0x50, b'\\x10', False)); i.readfrom_into(0x50, b); print(b)"),
      "1\nbytearray(b'\\xa5\\x00')\n");
  EXPECT_EQ(seen(), "Sa010Sa1P");
  EXPECT_EQ(board.run("i.writevto(0x50, (b'\\x20', b'ab'))"), "3");
}

TEST_F(SoftI2c, WithoutAcknowledgementItIsEnodev_AndByteswiseACount) {
  EXPECT_EQ(board.run("i.readfrom(0x51, 1)"), "OSError: [Errno 19] ENODEV");
  EXPECT_EQ(seen(), "Sa3P");
  EXPECT_EQ(board.run("i.scan()"), "[80]");
  chip.acknowledges = 2;
  EXPECT_EQ(board.run("i.writeto(0x50, b'\\x10abc')"), "2");
}

TEST_F(SoftI2c, ThePrimitivesMakeATransfer) {
  EXPECT_EQ(
      board.run(
          "i.writeto_mem(0x50, 0, b'xyz')\nb = bytearray(3)\n"
          "i.start(); print(i.write(b'\\xa0\\x00')); i.start(); i.write(b'\\xa1'); i.readinto(b); i.stop()\n"
          "print(b)"),
      "2\nbytearray(b'xyz')\n");
}

TEST_F(SoftI2c, AClockHeldDownForeverIsATimeout) {
  EXPECT_TRUE(board.api.pins().drive("scl", false));
  EXPECT_THAT(board.run("SoftI2C(scl='scl', sda='sda', timeout=1000).scan()"), HasSubstr("ETIMEDOUT"));
}

TEST_F(SoftI2c, ASlowBusTakesItsTime) {
  // 20 bits of 1 ms at 1 kHz
  EXPECT_EQ(
      board.run(
          "s = SoftI2C(Pin('scl'), Pin('sda'), freq=1000)\nt = time.ticks_us()\ns.writeto(0x50, b'\\x00')\n"
          "print(time.ticks_diff(time.ticks_us(), t) > 18000)"),
      "True\n");
}

// A device that takes in what it gets and answers 0xc3, 0x5a.
class ShiftRegister {
 public:
  ShiftRegister(Pins& pins, bool polarity, bool phase) : pins_(pins), idle_(polarity), phase_(phase) {
    if (!phase_) next();
  }
  void changed(std::string_view pin, bool level) {
    if (pin == "mosi") mosi_ = level;
    if (pin != "sck") return;
    const bool leading = level != idle_;
    if (leading != phase_) {
      got = static_cast<std::uint16_t>(got << 1 | (mosi_ ? 1 : 0));
    } else {
      next();
    }
  }
  std::uint16_t got = 0;

 private:
  void next() { pins_.drive("miso", (0xc35a >> (15 - (at_++ & 15)) & 1) != 0); }

  Pins& pins_;
  const bool idle_, phase_;
  bool mosi_ = false;
  unsigned at_ = 0;
};

TEST(SoftSpi, ExchangesBitsInAllModes) {
  PythonBoard board(&python::system_clock(), {});
  board.boot();
  board.run("from machine import Pin, SoftSPI");
  for (const int mode : {0, 1, 2, 3}) {
    board.api.written = {};
    ASSERT_EQ(board.run("s = SoftSPI(1000000, polarity=" + std::to_string(mode >> 1) +
                        ", phase=" + std::to_string(mode & 1) +
                        ", sck=Pin('sck'), mosi=Pin('mosi'), miso=Pin('miso'))\n"
                        "Pin('mosi')(0)"),
              "");
    ShiftRegister chip(board.api.pins(), mode >> 1 != 0, (mode & 1) != 0);
    board.api.written = [&](std::string_view pin, bool level) { chip.changed(pin, level); };
    EXPECT_EQ(board.run("b = bytearray(2)\ns.write_readinto(b'\\x8d\\x2e', b)\nprint(b)"),
              "bytearray(b'\\xc3Z')\n");
    EXPECT_EQ(chip.got, 0x8d2e) << "mode " << mode;
    board.api.written = {};
  }
  EXPECT_EQ(board.run("SoftSPI(sck='sck', mosi='mosi')"), "ValueError: must specify all of sck/mosi/miso");
}

TEST(TimePulse, MeasuresALevel) {
  PythonBoard board(&python::system_clock(), {});
  board.boot();
  EXPECT_EQ(board.run("from machine import Pin, time_pulse_us\np = Pin('echo', Pin.IN)\n"
                      "print(time_pulse_us(p, 1, 1000), time_pulse_us(p, 0, 1000))"),
            "-2 -1\n");
  const auto measuring = std::make_shared<testing::Result>();
  board.runtime.exec("print('waits')\nprint(time_pulse_us(p, 1, 20000000) >= 0)\n", "main.py", measuring);
  measuring->wait_for_output("waits");
  while (!measuring->is_done()) {
    EXPECT_TRUE(board.api.pins().drive("echo", true));
    std::this_thread::yield();
    EXPECT_TRUE(board.api.pins().drive("echo", false));
    std::this_thread::yield();
  }
  EXPECT_EQ(measuring->output(), "waits\nTrue\n");
}

}  // namespace
}  // namespace mqboard::board
