// socket and asyncio's streams in ROM, over real sockets on the loopback interface.
#include "board/sockets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/thread_pool.hpp>

#include "board/python_board_testing.hpp"

namespace mqboard::board {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using testing::PythonBoard;

struct SocketsTest : ::testing::Test {
  asio::thread_pool io{1};
  PythonBoard board{&python::system_clock(), std::vector{make_socket_module(io.get_executor())}};

  SocketsTest() {
    board.boot();
    board.run("import socket, asyncio\nfrom errno import EAGAIN, ECONNREFUSED, ETIMEDOUT");
  }
};

TEST_F(SocketsTest, DatagramsGoBothWays) {
  EXPECT_EQ(board.run("a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))\n"
                      "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                      "b.sendto(b'ping', a.getsockname())\n"
                      "data, sender = a.recvfrom(100)\n"
                      "b.connect(a.getsockname())\n"
                      "a.sendto(data + b'\\x00pong', sender)\n"
                      "print(data, sender == b.getsockname(), b.recv(100))\na.close(); b.close()"),
            "b'ping' True b'ping\\x00pong'\n");
}

TEST_F(SocketsTest, BlockingStreamsCarryBytes) {
  EXPECT_EQ(
      board.run("l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)\n"
                "c = socket.socket(); c.connect(socket.getaddrinfo('127.0.0.1', l.getsockname()[1])[0][-1])\n"
                "s, peer = l.accept()\n"
                "print(peer == c.getsockname())\n"
                "c.write('GET /\\r\\nrest'); print(s.readline(), s.read(2), s.recv(100))\n"
                "s.sendall(b'abc'); s.close(); print(c.read(), c.recv(1)); c.close(); l.close()"),
      "True\nb'GET /\\r\\n' b're' b'st'\nb'abc' b''\n");
}

TEST_F(SocketsTest, TimeoutsAndRefusalsAreOsErrors) {
  EXPECT_EQ(board.run("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))\n"
                      "def errno_of(f, *args):\n"
                      "    try: f(*args)\n"
                      "    except OSError as e: return e.errno\n"
                      "s.settimeout(0.01); print(errno_of(s.recv, 1) == ETIMEDOUT)\n"
                      "s.setblocking(False); print(errno_of(s.recv, 1) == EAGAIN, s.read(1))\n"
                      "l = socket.socket(); l.bind(('127.0.0.1', 0)); port = l.getsockname()[1]; l.close()\n"
                      "print(errno_of(socket.socket().connect, ('127.0.0.1', port)) == ECONNREFUSED)"),
            "True\nTrue None\nTrue\n");
  EXPECT_THAT(board.run("socket.socket(1)"), HasSubstr("OSError"));
  EXPECT_THAT(board.run("socket.socket(2, 3)"), HasSubstr("OSError"));
  EXPECT_THAT(board.run("s.close(); s.recv(1)"), HasSubstr("OSError"));
  EXPECT_THAT(board.run("socket.socket().bind(('127.0.0.1', 70000))"), HasSubstr("OSError"));
}

TEST_F(SocketsTest, ATimeoutKeepsTheSocketUsable) {
  EXPECT_EQ(board.run("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); "
                      "s.settimeout(0.001)\n"
                      "for _ in range(50):\n"
                      "    try: s.recv(1)\n"
                      "    except OSError: pass\n"
                      "s.settimeout(10); s.sendto(b'x', s.getsockname()); print(s.recv(10))"),
            "b'x'\n");
}

TEST_F(SocketsTest, ClosedSocketsMakeRoomForOthers) {
  EXPECT_EQ(board.run("held = []\n"
                      "try:\n"
                      "    while True: held.append(socket.socket())\n"
                      "except OSError as e: print(len(held), e.errno)\n"
                      "for s in held: s.close()\n"
                      "socket.socket().close()"),
            "32 24\n");
}

TEST_F(SocketsTest, AFreshInterpreterClosesTheSocketsOfTheOneBefore) {
  board.run(
      "l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1); held = [socket.socket() for _ in "
      "range(31)]");
  const auto launcher = std::make_shared<testing::Result>();
  board.runtime.exec(launcher_source(), "launcher", launcher);
  launcher->wait();
  EXPECT_EQ(board.run("s = [socket.socket() for _ in range(32)]; print(len(s))"), "32\n");
}

TEST_F(SocketsTest, InterruptEndsABlockingReceive) {
  const auto stuck = std::make_shared<testing::Result>();
  board.runtime.eval(
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0)); print('waits')\n"
      "s.recv(1)",
      stuck);
  stuck->wait_for_output("waits");
  while (!stuck->is_done()) board.runtime.interrupt();
  EXPECT_EQ(stuck->wait().status, python::Outcome::Status::interrupted);
  EXPECT_EQ(board.run("s.sendto(b'y', s.getsockname()); print(s.recv(1))"), "b'y'\n");
}

TEST_F(SocketsTest, AsyncioStreamsServeSeveralClients) {
  EXPECT_EQ(board.run("async def serve(reader, writer):\n"
                      "    line = await reader.readline()\n"
                      "    n = int(line)\n"
                      "    writer.write(b'x' * n)\n"
                      "    await writer.drain()\n"
                      "    writer.close(); await writer.wait_closed()\n"
                      "async def client(port, n):\n"
                      "    reader, writer = await asyncio.open_connection('127.0.0.1', port)\n"
                      "    writer.write('%d\\n' % n); await writer.drain()\n"
                      "    total = 0\n"
                      "    while True:\n"
                      "        data = await reader.read(1000)\n"
                      "        if not data: break\n"
                      "        total += len(data)\n"
                      "    await writer.wait_closed()\n"
                      "    return total\n"
                      "async def main():\n"
                      "    probe = socket.socket()\n"
                      "    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                      "    probe.bind(('127.0.0.1', 0)); port = probe.getsockname()[1]; probe.close()\n"
                      "    server = await asyncio.start_server(serve, '127.0.0.1', port)\n"
                      "    print(await asyncio.gather(*[client(port, n) for n in (0, 5, 100000)]))\n"
                      "    server.close(); await server.wait_closed()\n"
                      "asyncio.run(main())"),
            "[0, 5, 100000]\n");
}

TEST_F(SocketsTest, AServerOutlivesMoreClientsThanThereIsRoomFor) {
  EXPECT_EQ(board.run("async def serve(reader, writer):\n"
                      "    writer.write(b'welcome'); await writer.drain(); await writer.wait_closed()\n"
                      "async def ask(c, port):\n"
                      "    try:\n"
                      "        c.connect(('127.0.0.1', port)); return await asyncio.StreamReader(c).read(9)\n"
                      "    except OSError: return b''\n"
                      "async def main():\n"
                      "    c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                      "    c.bind(('127.0.0.1', 0)); port = c.getsockname()[1]; c.close()\n"
                      "    server = await asyncio.start_server(serve, '127.0.0.1', port)\n"
                      "    held = [socket.socket() for _ in range(31)]\n"
                      "    print(await ask(held[0], port))\n"
                      "    for s in held: s.close()\n"
                      "    print(await ask(socket.socket(), port))\n"
                      "    server.close(); await server.wait_closed()\n"
                      "asyncio.run(main())"),
            "b''\nb'welcome'\n");
}

TEST_F(SocketsTest, TheOldNameOfAsyncioHasTheStreamsToo) {
  EXPECT_EQ(board.run("import uasyncio\nfrom uasyncio import open_connection, start_server\n"
                      "print(uasyncio.StreamReader is asyncio.StreamReader)"),
            "True\n");
}

TEST_F(SocketsTest, WaitForEndsAStreamsRead) {
  EXPECT_EQ(board.run("async def main():\n"
                      "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))\n"
                      "    stream = asyncio.StreamReader(s)\n"
                      "    try: await asyncio.wait_for(stream.read(48), 0.01)\n"
                      "    except asyncio.TimeoutError: print('timeout')\n"
                      "    s.sendto(b'late', s.getsockname())\n"
                      "    print(await asyncio.wait_for(stream.read(48), 10))\n"
                      "asyncio.run(main())"),
            "timeout\nb'late'\n");
}

TEST_F(SocketsTest, WriteMayBeGivenHowMuch) {
  EXPECT_EQ(
      board.run("l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)\n"
                "c = socket.socket(); c.connect(l.getsockname()); s, _ = l.accept()\n"
                "print(c.write(bytearray(b'abcd'), 2)); c.close(); print(s.read()); s.close(); l.close()"),
      "2\nb'ab'\n");
}

constexpr const char* kPair =
    "import uselect as select, sys\n"
    "l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)\n"
    "c = socket.socket(); c.connect(l.getsockname()); s, _ = l.accept()\n"
    "p = select.poll(); p.register(s, select.POLLIN); p.register(sys.stdin, select.POLLIN)\n";

TEST_F(SocketsTest, PollAnswersWhatIsReady) {
  board.run(kPair);
  EXPECT_EQ(board.run("p.poll(0), p.poll(1)"), "([], [])");
  EXPECT_EQ(board.run("c.send(b'x'); print([(o is s, e) for o, e in p.poll(10000)])"), "[(True, 1)]\n");
  EXPECT_EQ(board.run("s.recv(9), p.poll(1)"), "(b'x', [])");
  EXPECT_EQ(board.run("p.modify(s, select.POLLIN | select.POLLOUT)\nprint([e for o, e in p.ipoll()])"),
            "[4]\n");
  EXPECT_EQ(
      board.run("p.modify(s, select.POLLIN); c.close(); print([e & select.POLLIN for o, e in p.poll()])"),
      "[1]\n");
  EXPECT_EQ(board.run("p.unregister(s); print(p.poll(1))"), "[]\n");
  EXPECT_THAT(board.run("p.modify(s, 1)"), HasSubstr("ENOENT"));
  EXPECT_THAT(board.run("p.register(5)"), HasSubstr("only sockets and UARTs"));
}

TEST_F(SocketsTest, PollWaitsWithoutKeepingEvalsOut_AlsoInATask) {
  board.run(kPair);
  const auto waiting = std::make_shared<testing::Result>();
  board.runtime.exec("print('waits')\nprint(len(p.poll()))\n", "main.py", waiting);
  waiting->wait_for_output("waits");
  EXPECT_EQ(board.run("c.send(b'x')"), "1");
  waiting->wait();
  EXPECT_EQ(waiting->output(), "waits\n1\n");
  EXPECT_EQ(board.run("s.recv(1)\n"
                      "async def main():\n"
                      "    r = len(p.poll(20))\n"
                      "    c.send(b'y')\n"
                      "    return r, len(p.poll())\n"
                      "print(asyncio.run(main()))"),
            "(0, 1)\n");
}

TEST_F(SocketsTest, SelectSortsWhatIsReady) {
  board.run(kPair);
  EXPECT_EQ(board.run("import select\nr, w, x = select.select([s, l], [c], [], 5)\nprint(r, w == [c], x)"),
            "[] True []\n");
  EXPECT_EQ(board.run("c.send(b'x'); print(select.select([l, s], [], []) == ([s], [], []))"), "True\n");
}

TEST_F(SocketsTest, NamesAreResolved) {
  EXPECT_THAT(board.run("socket.getaddrinfo('localhost', 80, socket.AF_INET)"),
              HasSubstr("(2, 1, 0, '', ('127.0.0.1', 80))"));
  EXPECT_THAT(board.run("socket.getaddrinfo('no such name', 80)"), HasSubstr("OSError"));
}

}  // namespace
}  // namespace mqboard::board
