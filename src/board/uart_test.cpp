// machine.UART on the far end of a pseudo-terminal.
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include <boost/asio/thread_pool.hpp>

#include "board/devices.hpp"
#include "board/python_board_testing.hpp"
#include "board/sockets.hpp"

namespace mqboard::board {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using testing::PythonBoard;

// What is connected to the port.
class Peer {
 public:
  Peer() {
    if (::grantpt(master_) != 0 || ::unlockpt(master_) != 0) throw std::runtime_error("no pseudo-terminal");
    path = ::ptsname(master_);
    port_ = ::open(path.c_str(), O_RDWR | O_NOCTTY);  // so that the board may close and open it
  }
  ~Peer() { hang_up(); }

  void send(std::string_view text) const {
    ASSERT_EQ(::write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] std::string receive(std::size_t size) const {
    std::string data;
    while (data.size() < size) {
      pollfd entry{.fd = master_, .events = POLLIN, .revents = 0};
      char block[4096];
      if (::poll(&entry, 1, 20'000) != 1) return data + " and then nothing";
      const ssize_t count = ::read(master_, block, std::min(sizeof block, size - data.size()));
      if (count <= 0) return data + " and then the end";
      data.append(block, static_cast<std::size_t>(count));
    }
    return data;
  }
  [[nodiscard]] termios2 settings() const {
    termios2 line{};
    EXPECT_EQ(::ioctl(master_, TCGETS2, &line), 0);
    return line;
  }
  void hang_up() {
    for (int* fd : {&port_, &master_}) {
      if (*fd >= 0) ::close(std::exchange(*fd, -1));
    }
  }

  std::string path;

 private:
  int master_ = ::posix_openpt(O_RDWR | O_NOCTTY);
  int port_ = -1;
};

struct UartTest : ::testing::Test {
  Peer peer;
  asio::thread_pool io{1};
  const DeviceNames ports{{"1", peer.path}, {"2", "/dev/null"}, {"3", "/dev/there-is-none"}};
  PythonBoard board{&python::system_clock(), std::vector{make_uart_module(io.get_executor(), ports),
                                                         make_socket_module(io.get_executor())}};

  UartTest() {
    board.boot();
    EXPECT_EQ(board.run("from machine import UART\nimport asyncio\nu = UART(1, 115200)"), "");
  }
};

TEST_F(UartTest, CarriesEveryByteUnchanged) {
  EXPECT_EQ(board.run("u.write(bytes(range(256)))"), "256");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(peer.receive(256), all);
  board.run("u.init(timeout=20000)");
  peer.send(all);
  EXPECT_EQ(board.run("u.read(256) == bytes(range(256))"), "True");
  EXPECT_EQ(board.run("u.write('text')"), "4");
  EXPECT_EQ(peer.receive(4), "text");
}

TEST_F(UartTest, WithoutTimeoutAReadGivesWhatHasCome) {
  EXPECT_EQ(board.run("u.read(), u.read(5), u.readline(), u.readinto(bytearray(3)), u.any(), u.read(0)"),
            "(None, None, None, None, 0, b'')");
  peer.send("one\ntwo\nthr");
  board.run_until("u.any() == 11");
  EXPECT_EQ(
      board.run("b = bytearray(3)\nprint(u.readline(), u.readinto(b), b, u.read(1), u.read(), u.any())"),
      "b'one\\n' 3 bytearray(b'two') b'\\n' b'thr' 0\n");
}

TEST_F(UartTest, WithATimeoutItWaitsForTheFirstByte_AndForEachUntilItHasAll) {
  board.run("u.init(timeout=30)\nt = time.ticks_ms()");
  EXPECT_EQ(board.run("u.read(3), time.ticks_diff(time.ticks_ms(), t) >= 30"), "(None, True)");
  board.run("u.init(timeout=20000)");
  const auto reading = std::make_shared<testing::Result>();
  board.runtime.exec("print('reads')\nprint(u.read(6), u.readline())\n", "main.py", reading);
  reading->wait_for_output("reads");
  peer.send("abc");
  peer.send("def");
  peer.send("li");
  peer.send("ne\n");
  reading->wait();
  EXPECT_EQ(reading->output(), "reads\nb'abcdef' b'line\\n'\n");
}

TEST_F(UartTest, AReadThatWaitsLetsOthersHaveTheirTurn) {
  const auto reading = std::make_shared<testing::Result>();
  board.runtime.exec("u.init(timeout=60000)\nprint('reads')\nprint(u.read(1))\n", "main.py", reading);
  reading->wait_for_output("reads");
  board.run("ran = []\nasync def task():\n    ran.append(1)\nasyncio.create_task(task())");
  board.run_until("ran");
  EXPECT_FALSE(reading->is_done());
  peer.send("x");
  reading->wait();
  EXPECT_EQ(reading->output(), "reads\nb'x'\n");
}

TEST_F(UartTest, AReadThatWaitsCanBeInterrupted) {
  const auto stuck = std::make_shared<testing::Result>();
  board.runtime.eval("u.init(timeout=60000); print('reads')\nu.read(1)", stuck);
  stuck->wait_for_output("reads");
  while (!stuck->is_done()) board.runtime.interrupt();
  EXPECT_EQ(stuck->wait().status, python::Outcome::Status::interrupted);
  peer.send("y");
  EXPECT_EQ(board.run("u.read(1)"), "b'y'");
}

TEST_F(UartTest, SettingsReachThePort_WhatIsNotGivenStays) {
  board.run("u.init(9600, stop=2, flow=UART.RTS | UART.CTS)");
  termios2 line = peer.settings();
  EXPECT_EQ(line.c_ospeed, 9600u);
  EXPECT_EQ(line.c_cflag & (CSTOPB | CRTSCTS | CSIZE), CSTOPB | CRTSCTS | CS8);
  EXPECT_EQ(line.c_lflag & (ICANON | ECHO | ISIG), 0u);
  board.run("u.init(stop=1, flow=0)");
  line = peer.settings();
  EXPECT_EQ(line.c_ospeed, 9600u);
  EXPECT_EQ(line.c_cflag & (CSTOPB | CRTSCTS), 0u);
  // A speed without a constant: MIDI's.
  EXPECT_EQ(board.run("u.init(31250); print(u)"),
            "UART(1, baudrate=31250, bits=8, parity=None, stop=1, timeout=0, timeout_char=2)\n");
}

TEST_F(UartTest, WhatCannotBeIsValueError) {
  // A pseudo-terminal has neither parity nor 7 bits, which its driver does not say by itself.
  EXPECT_THAT(board.run("UART(1, 9600, bits=7)"), HasSubstr("ValueError: " + peer.path + " does not do"));
  EXPECT_THAT(board.run("UART(1, 9600, parity=0)"), HasSubstr("does not do these settings"));
  EXPECT_EQ(board.run("UART(1, 9600, bits=9)"), "ValueError: bits is 5 to 8");
  EXPECT_EQ(board.run("UART(1, 0)"), "ValueError: baudrate is 1 to 100000000");
  EXPECT_EQ(board.run("UART(1, 9600, stop=3)"), "ValueError: stop is 1 to 2");
  EXPECT_EQ(board.run("UART(1, 9600, parity=2)"), "ValueError: parity is None, 0 or 1");
  EXPECT_THAT(board.run("UART(1, flow=UART.RTS)"), HasSubstr("ValueError: flow"));
  EXPECT_EQ(board.run("UART(1, invert=1)"), "ValueError: invert");
}

TEST_F(UartTest, APortThatIsNotThereIsNamed) {
  EXPECT_EQ(board.run("UART(7)"),
            "ValueError: UART(7) doesn't exist: board.toml says which device it is, e.g. [uart] 7 = "
            "\"/dev/ttyUSB0\"");
  EXPECT_THAT(board.run("UART(3)"), HasSubstr("ENODEV: /dev/there-is-none: No such file or directory"));
  EXPECT_THAT(board.run("UART(2)"), HasSubstr("ENODEV: /dev/null"));
}

TEST_F(UartTest, APortThatGoesIsAnError_AlsoForWhoWaits) {
  const auto reading = std::make_shared<testing::Result>();
  board.runtime.exec("u.init(timeout=60000)\nprint('reads')\nu.read(1)\n", "main.py", reading);
  reading->wait_for_output("reads");
  peer.hang_up();
  EXPECT_THAT(reading->wait().text, ::testing::AnyOf(HasSubstr("ENODEV"), HasSubstr("EIO")));
  EXPECT_THAT(board.run("u.write('x')"), HasSubstr("OSError"));
  EXPECT_THAT(board.run("u.init()"), HasSubstr("OSError"));
}

TEST_F(UartTest, MoreThanTheKernelHoldsIsWrittenAsItLeaves) {
  const auto writing = std::make_shared<testing::Result>();
  board.runtime.eval("print(u.write(b'x' * 100000)); u.flush(); print(u.txdone())", writing);
  EXPECT_EQ(peer.receive(100'000), std::string(100'000, 'x'));
  writing->wait();
  EXPECT_EQ(writing->output(), "100000\nTrue\n");
}

TEST_F(UartTest, AWriteThatNobodyTakesEnds) {
  // As fast as it is said to be, it would have left soon. The kernel may find room for some more later.
  EXPECT_EQ(board.run("u.init(3000000)\nn = u.write(b'x' * 100000)\nprint(0 < n < 100000)\n"
                      "while u.write(b'x'): pass"),
            "True\n");
}

TEST_F(UartTest, BreakAndEnd) {
  EXPECT_EQ(board.run("u.sendbreak(); u.deinit()"), "");
  EXPECT_THAT(board.run("u.read()"), HasSubstr("EBADF"));
  peer.send("old");
  EXPECT_EQ(board.run("u = UART(1)\nprint(u.any())"), "0\n");
}

TEST_F(UartTest, AFreshInterpreterClosesThePort) {
  const auto launcher = std::make_shared<testing::Result>();
  board.runtime.exec(launcher_source(), "launcher", launcher);
  launcher->wait();
  EXPECT_THAT(board.run("u.read()"), HasSubstr("EBADF"));
}

TEST_F(UartTest, PollTellsWhenThereIsSomething) {
  EXPECT_EQ(board.run("import select\np = select.poll(); p.register(u, select.POLLIN)\nprint(p.poll(0), "
                      "select.select([], [u], [], 20)[1] == [u])"),
            "[] True\n");
  const auto polling = std::make_shared<testing::Result>();
  board.runtime.exec("print('polls')\nprint([(o is u, e) for o, e in p.poll()], u.read())\n", "main.py",
                     polling);
  polling->wait_for_output("polls");
  peer.send("x");
  polling->wait();
  EXPECT_EQ(polling->output(), "polls\n[(True, 1)] b'x'\n");
}

TEST_F(UartTest, AsyncioStreamsReadAndWrite) {
  const auto serving = std::make_shared<testing::Result>();
  board.runtime.exec(
      "async def main():\n"
      "    reader = asyncio.StreamReader(u)\n"
      "    writer = asyncio.StreamWriter(u, {})\n"
      "    print('serves')\n"
      "    for _ in range(2):\n"
      "        line = await reader.readline()\n"
      "        writer.write(line[:-1] * 5000)\n"
      "        await writer.drain()\n"
      "    print(await reader.readexactly(3))\n"
      "asyncio.run(main())\n",
      "main.py", serving);
  serving->wait_for_output("serves");
  peer.send("ab\n");
  const std::string first = peer.receive(10'000);
  EXPECT_EQ(first.substr(0, 6), "ababab");
  EXPECT_EQ(first.size(), 10'000u);
  peer.send("c\n");
  EXPECT_EQ(peer.receive(5000), std::string(5000, 'c'));
  peer.send("end");
  serving->wait();
  EXPECT_EQ(serving->output(), "serves\nb'end'\n");
}

}  // namespace
}  // namespace mqboard::board
