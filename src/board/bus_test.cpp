// machine.I2C and machine.SPI: what the kernel is asked for, and what Python makes of its answers. The
// stand-in for ioctl() has a chip behind each bus.
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/spi/spidev.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "board/devices.hpp"
#include "board/python_board_testing.hpp"
#include "board/text.hpp"

namespace mqboard::board {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PythonBoard;

// An EEPROM at address 0x50 with 256 bytes; a device that answers everything it gets on SPI inverted.
class Chips {
 public:
  int ioctl(unsigned long request, void* argument) {
    if (request == I2C_RDWR) return transfer(*static_cast<i2c_rdwr_ioctl_data*>(argument));
    if (request == SPI_IOC_RD_MODE) {
      *static_cast<std::uint8_t*>(argument) = mode;
      return 0;
    }
    if (request == SPI_IOC_WR_MODE) {
      const std::uint8_t wanted = *static_cast<std::uint8_t*>(argument);
      if ((wanted & SPI_LSB_FIRST) != 0) return fail(EINVAL);
      mode = wanted;
      seen.push_back(concat("mode ", int{mode}));
      return 0;
    }
    if (request == SPI_IOC_MESSAGE(1)) return transfer(*static_cast<spi_ioc_transfer*>(argument));
    return fail(ENOTTY);
  }

  std::vector<std::string> seen;
  std::uint8_t memory[256] = {};
  std::uint8_t pointer = 0;
  std::uint8_t mode = SPI_CS_HIGH;  // as the device tree has it
  int missing = ENXIO;              // how the driver says that nobody acknowledges
  bool no_empty_write = false;

 private:
  static int fail(int code) {
    errno = code;
    return -1;
  }

  int transfer(const i2c_rdwr_ioctl_data& transaction) {
    std::string line;
    for (const i2c_msg& message : std::span(transaction.msgs, transaction.nmsgs)) {
      const bool read = (message.flags & I2C_M_RD) != 0;
      line += concat(line.empty() ? "" : " ", read ? "r" : "w", int{message.addr}, ":", int{message.len});
      if (!read && message.len == 0 && no_empty_write) return fail(EOPNOTSUPP);
      if (message.addr != 0x50) {
        seen.push_back(line);
        return fail(missing);
      }
      for (std::uint8_t& byte : std::span(message.buf, message.len)) {
        if (read) {
          byte = memory[pointer++];
        } else if (&byte == message.buf) {
          pointer = byte;
        } else {
          memory[pointer++] = byte;
        }
      }
    }
    seen.push_back(line);
    return static_cast<int>(transaction.nmsgs);
  }

  int transfer(const spi_ioc_transfer& transfer) {
    if (transfer.bits_per_word != 8) return fail(EINVAL);
    seen.push_back(concat(transfer.len, " at ", transfer.speed_hz, transfer.cs_change != 0 ? " more" : ""));
    for (std::size_t i = 0; transfer.rx_buf != 0 && i < transfer.len; ++i) {
      reinterpret_cast<std::uint8_t*>(transfer.rx_buf)[i] =
          static_cast<std::uint8_t>(~reinterpret_cast<const std::uint8_t*>(transfer.tx_buf)[i]);
    }
    return static_cast<int>(transfer.len);
  }
};

struct Bus : ::testing::Test {
  Chips chips;  // used by one thread at a time: by Python's while the test waits for it
  std::string directory = make_directory();
  std::optional<PythonBoard> made{std::in_place, nullptr, std::vector{module()}};
  PythonBoard& board = *made;

  Bus() {
    board.boot();
    board.run("from machine import I2C, SPI");
  }
  ~Bus() override {
    made.reset();
    std::filesystem::remove_all(directory);
  }

  static std::string make_directory() {
    std::string name = ::testing::TempDir() + "mqb-bus-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    return name;
  }
  python::HostModule module() {
    DevicesConfig devices;
    for (const char* name : {"i2c", "spi"}) std::ofstream(directory + "/" + name);
    devices.i2c = {{"0", directory + "/i2c"}, {"1", directory + "/none"}};
    devices.spi = {{"1", directory + "/spi"}};
    return make_bus_module(
        devices, [this](int, unsigned long request, void* data) { return chips.ioctl(request, data); });
  }
  std::vector<std::string> seen() { return std::exchange(chips.seen, {}); }
};

TEST_F(Bus, I2cReadsAndWritesRegistersInOneTransaction) {
  EXPECT_EQ(board.run("i = I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=400000)\nprint(i)"),
            "I2C(0)\n");
  EXPECT_EQ(board.run("i.writeto_mem(0x50, 0x10, b'abcd')\nprint(i.readfrom_mem(0x50, 0x11, 2))"), "b'bc'\n");
  EXPECT_THAT(seen(), ElementsAre("w80:5", "w80:1 r80:2"));
  EXPECT_EQ(board.run("b = bytearray(4)\ni.readfrom_mem_into(0x50, 0x10, b)\nprint(b)"),
            "bytearray(b'abcd')\n");
  EXPECT_EQ(board.run("i.writeto(0x50, b'\\x12'), i.readfrom(0x50, 2)"), "(1, b'cd')");
  EXPECT_EQ(board.run("i.writeto(0x50, b'\\x10')\ni.readfrom_into(0x50, memoryview(b)[1:3])\nprint(b)"),
            "bytearray(b'aabd')\n");
  EXPECT_EQ(board.run("print(i.writevto(0x50, (b'\\x20', bytearray(b'xy'), memoryview(b'z'))))\n"
                      "print(i.readfrom_mem(0x50, 0x20, 3))"),
            "4\nb'xyz'\n");
}

TEST_F(Bus, I2cMemoryAddressesAreBigEndian) {
  // This chip takes what follows the first byte as data.
  board.run("i = I2C(0)\ni.writeto_mem(0x50, 0x1234, b'q', addrsize=16)");
  EXPECT_THAT(seen(), ElementsAre("w80:3"));
  EXPECT_EQ(chips.memory[0x12], 0x34);
  EXPECT_EQ(chips.memory[0x13], 'q');
  board.run("i.writeto_mem(0x50, 0x20abcdef, b'', addrsize=32)");
  EXPECT_EQ(board.run("i.readfrom_mem(0x50, 0x20, 3)"), "b'\\xab\\xcd\\xef'");
  EXPECT_THAT(board.run("i.readfrom_mem(0x50, 0, 1, addrsize=7)"), HasSubstr("ValueError: addrsize"));
}

TEST_F(Bus, I2cWriteWithoutStopGoesWithTheReadThatFollows) {
  board.run("i = I2C(0)\ni.writeto_mem(0x50, 1, b'pq')");
  seen();
  EXPECT_EQ(board.run("i.writeto(0x50, b'\\x01', False), i.readfrom(0x50, 2)"), "(1, b'pq')");
  EXPECT_THAT(seen(), ElementsAre("w80:1 r80:2"));
  // Anything else lets it go first.
  board.run("i.writeto(0x50, b'\\x01r', False)\nprint(i.readfrom_mem(0x50, 1, 1))");
  EXPECT_THAT(seen(), ElementsAre("w80:2", "w80:1 r80:1"));
}

TEST_F(Bus, I2cWithoutAcknowledgementIsEnodev) {
  for (const int code : {ENXIO, EREMOTEIO, ENODEV}) {
    chips.missing = code;
    EXPECT_EQ(board.run("I2C(0).readfrom(0x51, 1)"), "OSError: [Errno 19] ENODEV");
  }
  chips.missing = ETIMEDOUT;
  EXPECT_THAT(board.run("I2C(0).writeto(0x51, b'x')"), HasSubstr("ETIMEDOUT"));
}

TEST_F(Bus, I2cScanFindsWhatAnswers_AlsoWithoutEmptyWrites) {
  EXPECT_EQ(board.run("I2C(0).scan()"), "[80]");
  auto lines = seen();
  ASSERT_EQ(lines.size(), 112u);
  EXPECT_EQ(lines.front(), "w8:0");
  EXPECT_EQ(lines.back(), "w119:0");
  chips.no_empty_write = true;
  chips.missing = EREMOTEIO;
  EXPECT_EQ(board.run("I2C(0).scan()"), "[80]");
  EXPECT_EQ(seen().front(), "r8:1");
  // A bus that is stuck is not silent.
  chips.missing = ETIMEDOUT;
  EXPECT_THAT(board.run("I2C(0).scan()"), HasSubstr("ETIMEDOUT"));
}

TEST_F(Bus, I2cArgumentsThatCannotBeAreValueErrors) {
  board.run("i = I2C(0)");
  EXPECT_EQ(board.run("i.readfrom(0x80, 1)"), "ValueError: an address has 7 bits");
  EXPECT_EQ(board.run("i.readfrom(-1, 1)"), "ValueError: an address has 7 bits");
  EXPECT_EQ(board.run("i.readfrom(0x50, 8193)"), "ValueError: 0 to 8192 bytes");
  EXPECT_EQ(board.run("i.readfrom(0x50, -1)"), "ValueError: 0 to 8192 bytes");
  EXPECT_EQ(board.run("i.writeto(0x50, bytes(8193))"), "ValueError: at most 8192 bytes at once");
  EXPECT_EQ(board.run("i.readfrom_into(0x50, bytearray(8193))"), "ValueError: at most 8192 bytes at once");
  EXPECT_THAT(seen(), IsEmpty());
}

TEST_F(Bus, DevicesThatAreNotThereAreNamed) {
  EXPECT_EQ(
      board.run("I2C(5)"),
      "ValueError: I2C(5) doesn't exist: board.toml says which device it is, e.g. [i2c] 5 = \"/dev/i2c-1\"");
  EXPECT_THAT(board.run("I2C(1)"), HasSubstr("ENODEV: " + directory + "/none: No such file"));
  EXPECT_THAT(board.run("SPI(2, 1000000)"), HasSubstr("[spi] 2 = \"/dev/spidev0.0\""));
}

TEST_F(Bus, SpiSendsAndReceives) {
  EXPECT_EQ(
      board.run(
          "s = SPI(1, 2000000, polarity=1, phase=1, sck=machine.Pin(1))\nprint(s.read(3), s.read(2, 0xa5))"),
      "b'\\xff\\xff\\xff' b'ZZ'\n");
  // What is not ours of the mode stays.
  EXPECT_THAT(seen(), ElementsAre("mode 7", "3 at 2000000", "2 at 2000000"));
  EXPECT_EQ(
      board.run("b = bytearray(b'ab')\nprint(s.write(b'\\x00\\xff'), s.write_readinto(b'\\x0f\\xf0', b), b)"),
      "None None bytearray(b'\\xf0\\x0f')\n");
  EXPECT_EQ(board.run("s.init(baudrate=100000, polarity=0)\ns.write_readinto(b, b)\nprint(b)"),
            "bytearray(b'\\x0f\\xf0')\n");
  EXPECT_EQ(board.run("s.readinto(b, 0x01)\nprint(b)"), "bytearray(b'\\xfe\\xfe')\n");
  EXPECT_THAT(seen(), ElementsAre("2 at 2000000", "2 at 2000000", "mode 5", "2 at 100000", "2 at 100000"));
}

TEST_F(Bus, SpiTransfersOfAnySizeKeepTheChipSelected) {
  EXPECT_EQ(board.run("s = SPI(1, 8000000)\nprint(s.read(9000) == b'\\xff' * 9000)"), "True\n");
  EXPECT_THAT(seen(),
              ElementsAre("mode 4", "4096 at 8000000 more", "4096 at 8000000 more", "808 at 8000000"));
  // Slow ones in pieces of a tenth of a second, so that they can be interrupted.
  board.run("SPI(1, 8000).write(bytes(250))");
  EXPECT_THAT(seen(), ElementsAre("100 at 8000 more", "100 at 8000 more", "50 at 8000"));
  board.run("s.write(b'')");
  EXPECT_THAT(seen(), IsEmpty());
}

TEST_F(Bus, SpiArgumentsThatCannotBeAreValueErrors) {
  EXPECT_EQ(board.run("SPI(1, 0)"), "ValueError: baudrate");
  EXPECT_THAT(board.run("SPI(1, 1000000, bits=9).write(b'ab')"),
              HasSubstr("ValueError: the bus does not do"));
  EXPECT_EQ(board.run("SPI(1, 1000000, bits=33).write(b'ab')"), "ValueError: bits is 1 to 32");
  EXPECT_THAT(board.run("SPI(1, firstbit=SPI.LSB).write(b'ab')"),
              HasSubstr("ValueError: the bus does not do"));
  EXPECT_EQ(board.run("SPI(1).write_readinto(b'abc', bytearray(2))"),
            "ValueError: buffers must be the same length");
}

}  // namespace
}  // namespace mqboard::board
