// ssl in ROM and TLS in asyncio's streams, both ends in one interpreter, over real sockets on the loopback
// interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "board/python_board_testing.hpp"
#include "board/sockets.hpp"
#include "board/testing/certificates.hpp"

namespace mqboard::board {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using testing::Identity;
using testing::make_identity;
using testing::PythonBoard;

constexpr const char* kPrelude = R"(
import ssl, socket, asyncio, select, _socket

def for_server(name='server'):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(name + '.pem', name + '.key')
    return c

def for_client(ca='ca.pem'):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca: c.load_verify_locations(ca)
    return c

def plain_pair():
    l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)
    c = socket.socket(); c.connect(l.getsockname())
    s, _ = l.accept(); l.close()
    return s, c

def shake(s, c):
    p = select.poll()
    for each in (s, c): p.register(each, select.POLLOUT)
    while len(p.poll(20000)) < 2: pass

def pair(server=None, client=None, host='localhost'):
    s, c = plain_pair()
    s = (server or for_server()).wrap_socket(s, True, False)
    c = (client or for_client()).wrap_socket(c, False, False, host)
    shake(s, c)
    return s, c

def failure(f, *args):
    try: f(*args)
    except Exception as e: return e

def outcome(x):
    try: return _socket.handshake(x._handle)
    except Exception as e: return e

# What becomes of the handshake on both sides: True or an error.
def clash(s, c):
    for x in (s, c): x.setblocking(False)
    while True:
        ends = outcome(s), outcome(c)
        if all(ends): break
        time.sleep_ms(1)
    for x in (s, c): x.settimeout(20)
    return ends

async def listen(callback, server):
    l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind(('127.0.0.1', 0)); port = l.getsockname()[1]; l.close()
    return await asyncio.start_server(callback, '127.0.0.1', port, ssl=server), port
)";

struct TlsModuleTest : ::testing::Test {
  asio::thread_pool io{1};
  PythonBoard board{&python::system_clock(), std::vector{make_socket_module(io.get_executor())}};
  Identity ca = make_identity("test ca", nullptr, nullptr);

  TlsModuleTest() {
    board.flash.put("/ca.pem", ca.certificate_pem());
    keep("server", make_identity("server", &ca, "DNS:localhost,IP:127.0.0.1"));
    board.boot();
    board.run(kPrelude);
  }
  void keep(const std::string& name, const Identity& identity) {
    board.flash.put("/" + name + ".pem", identity.certificate_pem());
    board.flash.put("/" + name + ".key", identity.key_pem());
    board.flash.put("/" + name + ".pem.der", identity.certificate_der());
    board.flash.put("/" + name + ".key.der", identity.key_der());
  }
};

TEST_F(TlsModuleTest, BothEndsAgree) {
  EXPECT_EQ(
      board.run("s, c = pair()\n"
                "c.write('ping\\nrest'); print(s.readline(), s.read(2), s.recv(100))\n"
                "s.write(b'pong'); print(c.read(4)); print(c.cipher()[1], s.cipher() == c.cipher())\n"
                "print(c.getpeercert(True) == open('server.pem.der', 'rb').read(), s.getpeercert(True))\n"
                "s.close(); print(c.read(), c.recv(1), c.readline()); c.close()"),
      "b'ping\\n' b're' b'st'\nb'pong'\nTLSv1.3 True\nTrue None\nb'' b'' b''\n");
}

TEST_F(TlsModuleTest, TheOlderNamesAreTheSameModule) {
  EXPECT_EQ(
      board.run(
          "import ussl, tls\nprint(ussl.wrap_socket is ssl.wrap_socket, ussl.CERT_REQUIRED, "
          "tls.PROTOCOL_TLS_SERVER, tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).verify_mode)\n"
          "t = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)\n"
          "t.load_cert_chain(open('server.pem').read(), open('server.key', 'rb').read())\n"
          "u = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT); u.load_verify_locations(open('ca.pem').read())\n"
          "s, c = pair(t, u); c.write(b'x'); print(s.read(1))"),
      "True 2 1 2\nb'x'\n");
}

TEST_F(TlsModuleTest, AsyncioStreamsCarryMoreThanTheHeapHolds) {
  EXPECT_EQ(
      board.run("async def serve(reader, writer):\n"
                "    n = int(await reader.readline())\n"
                "    part = bytes(range(250)) * 40\n"
                "    for i in range(n // 10000):\n"
                "        writer.write(part); await writer.drain()\n"
                "    writer.close(); await writer.wait_closed()\n"
                "async def client(port, n):\n"
                "    reader, writer = await asyncio.open_connection('127.0.0.1', port, ssl=for_client())\n"
                "    writer.write('%d\\n' % n); await writer.drain()\n"
                "    total = 0\n"
                "    while True:\n"
                "        data = await reader.read(5000)\n"
                "        if not data: break\n"
                "        assert data[0] == total % 250\n"
                "        total += len(data)\n"
                "    await writer.wait_closed()\n"
                "    return total\n"
                "async def main():\n"
                "    server, port = await listen(serve, for_server())\n"
                "    print(await asyncio.gather(*[client(port, n) for n in (0, 10000, 1000000)]))\n"
                "    server.close(); await server.wait_closed()\n"
                "asyncio.run(main())"),
      "[0, 10000, 1000000]\n");
}

TEST_F(TlsModuleTest, ABlockingClientLetsTheServersTaskGoOn) {
  EXPECT_EQ(board.run("async def serve(reader, writer):\n"
                      "    writer.write(b'got ' + await reader.readline()); await writer.drain()\n"
                      "    await writer.wait_closed()\n"
                      "server, port = asyncio.run(listen(serve, for_server()))\n"
                      "c = socket.socket(); c.settimeout(20); c.connect(('127.0.0.1', port))\n"
                      "c = for_client().wrap_socket(c, server_hostname='localhost')\n"
                      "c.write(b'it\\n'); print(c.read()); c.close()"),
            "b'got it\\n'\n");
}

TEST_F(TlsModuleTest, ABadCertificateIsAnErrorThatSaysWhy) {
  keep("other", make_identity("other", &ca, "DNS:other.example"));
  keep("expired", make_identity("expired", &ca, "DNS:localhost", -3600));
  keep("alone", make_identity("alone", nullptr, "DNS:localhost"));
  board.run(
      "def why(name, ca='ca.pem', host='localhost'):\n"
      "    try: pair(for_server(name), for_client(ca), host)\n"
      "    except Exception as e: return '%s %s' % (type(e).__name__, e)\n"
      "def shake(s, c):\n"
      "    p = select.poll(); p.register(s); p.register(c)\n"
      "    while not [e for o, e in p.poll(20000) if o is c]: pass\n"
      "    c.write(b'x'); s.read(1)\n");
  EXPECT_EQ(board.run("why('server')"), "None");
  EXPECT_EQ(board.run("why('other')"),
            "'ValueError certificate is not valid for localhost: hostname mismatch'");
  EXPECT_EQ(board.run("why('server', host='127.0.0.2')"),
            "'ValueError certificate is not valid for 127.0.0.2: IP address mismatch'");
  EXPECT_EQ(board.run("why('expired')"), "'ValueError certificate not trusted: certificate has expired'");
  EXPECT_EQ(board.run("why('alone')"), "'ValueError certificate not trusted: self-signed certificate'");
  EXPECT_EQ(board.run("why('server', None)"),
            "'ValueError certificate not trusted: unable to get local issuer certificate'");
  EXPECT_EQ(board.run("why('alone', 'alone.pem')"), "None");
  EXPECT_EQ(board.run("why('server', 'server.pem')"), "None");
}

TEST_F(TlsModuleTest, TheServerIsToldOfAClientThatGivesUp) {
  EXPECT_EQ(board.run("s, c = plain_pair()\n"
                      "s = for_server().wrap_socket(s, True, False)\n"
                      "c = for_client(None).wrap_socket(c, False, False, 'localhost')\n"
                      "e, why = clash(s, c); print(type(why), e.errno, e.args[1])\n"
                      "print(failure(s.write, b'x').errno, failure(s.read, 1).errno)"),
            "<class 'ValueError'> -30592 tlsv1 alert unknown ca\n-30592 -30592\n");
}

TEST_F(TlsModuleTest, AClientsCertificateCanBeRequired) {
  keep("client", make_identity("client", &ca, nullptr));
  keep("stranger", make_identity("stranger", nullptr, nullptr));
  board.run(
      "def meet(name, mode=ssl.CERT_REQUIRED):\n"
      "    a = for_server(); a.load_verify_locations(cafile='ca.pem'); a.verify_mode = mode\n"
      "    b = for_client()\n"
      "    if name: b.load_cert_chain(name + '.pem', name + '.key')\n"
      "    s, c = plain_pair()\n"
      "    s = a.wrap_socket(s, True, False); c = b.wrap_socket(c, False, False, 'localhost')\n"
      "    why, _ = clash(s, c)\n"
      "    if why is True: return s.getpeercert(True) == (name and open(name + '.pem.der', 'rb').read())\n"
      "    return why, failure(c.read, 1)\n");
  EXPECT_EQ(board.run("meet('client')"), "True");
  EXPECT_THAT(board.run("meet(None)"), HasSubstr("peer did not return a certificate"));
  EXPECT_THAT(board.run("meet('stranger')"), HasSubstr("certificate not trusted: self-signed certificate"));
  EXPECT_THAT(board.run("meet('stranger')"), HasSubstr("alert unknown ca"));
  EXPECT_EQ(board.run("meet('stranger', ssl.CERT_OPTIONAL)"), "True");
  EXPECT_EQ(board.run("meet(None, ssl.CERT_OPTIONAL)"), "True");
  EXPECT_THAT(
      board.run("a = for_server(); a.verify_mode = ssl.CERT_REQUIRED; a.wrap_socket(plain_pair()[0], True)"),
      HasSubstr("ValueError: CERT_REQUIRED requires load_verify_locations()"));
}

TEST_F(TlsModuleTest, CertificatesAndKeysArePemOrDerInFilesOrMemory) {
  EXPECT_EQ(
      board.run("r = lambda name: open(name, 'rb').read()\n"
                "for cert, key, ca in (('server.pem', 'server.key', r('ca.pem')), (r('server.pem'), "
                "r('server.key.der'), open('ca.pem').read()),\n"
                "        ('server.pem.der', 'server.key.der', r('ca.pem')), (open('server.pem').read(), "
                "open('server.key').read(), b'# A comment\\n' + r('server.pem') + r('ca.pem'))):\n"
                "    a = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); a.load_cert_chain(cert, key)\n"
                "    b = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); b.load_verify_locations(cadata=ca)\n"
                "    s, c = pair(a, b); c.write(b'y'); print(s.read(1)); s.close(); c.close()\n"
                "a = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
                "open('both.pem', 'w').write(open('server.key').read() + open('server.pem').read())\n"
                "a.load_cert_chain('both.pem')"),
      "b'y'\nb'y'\nb'y'\nb'y'\n");
  keep("other", make_identity("other", &ca, nullptr));
  EXPECT_THAT(board.run("a.load_cert_chain('nowhere', 'server.key')"), HasSubstr("ENOENT"));
  EXPECT_THAT(board.run("a.load_cert_chain('server.key', 'server.key')"),
              HasSubstr("ValueError: invalid cert"));
  EXPECT_THAT(board.run("a.load_cert_chain('server.pem', 'server.pem')"),
              HasSubstr("ValueError: invalid key"));
  EXPECT_THAT(board.run("a.load_cert_chain('server.pem', 'other.key')"),
              HasSubstr("ValueError: invalid key: it is not that of the certificate"));
  EXPECT_THAT(board.run("a.load_verify_locations(cadata=r('ca.pem')[:-40])"),
              HasSubstr("ValueError: invalid cert"));
  EXPECT_THAT(board.run("a.load_verify_locations(cadata=b'')"), HasSubstr("ValueError: invalid cert"));
  EXPECT_THAT(board.run("a.load_verify_locations(cadata=r('server.pem.der') + b'x')"),
              HasSubstr("ValueError: invalid cert"));
}

TEST_F(TlsModuleTest, WhatCannotWorkIsRefusedAtOnce) {
  EXPECT_THAT(board.run("ssl.SSLContext(7)"), HasSubstr("ValueError"));
  EXPECT_THAT(board.run("for_client().wrap_socket(plain_pair()[1])"),
              HasSubstr("ValueError: CERT_REQUIRED requires server_hostname"));
  EXPECT_THAT(board.run("ssl.SSLContext(1).wrap_socket(plain_pair()[1], True)"),
              HasSubstr("ValueError: a server requires load_cert_chain()"));
  EXPECT_THAT(board.run("for_client().wrap_socket(plain_pair()[1], True)"), HasSubstr("ValueError"));
  EXPECT_THAT(board.run("for_client().wrap_socket(open('ca.pem'))"), HasSubstr("TypeError"));
  EXPECT_THAT(board.run("ssl.wrap_socket(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))"),
              HasSubstr("TLS needs a stream socket"));
  EXPECT_THAT(board.run("s, c = pair()\nssl.wrap_socket(c)"), HasSubstr("TLS runs on this socket already"));
  EXPECT_THAT(board.run("ssl.SSLContext(0).verify_mode = 5"), HasSubstr("ValueError"));
  EXPECT_THAT(board.run("ssl.SSLContext(0).verify_callback = print"), HasSubstr("NotImplementedError"));
  EXPECT_THAT(board.run("c.getpeercert()"), HasSubstr("NotImplementedError"));
  EXPECT_THAT(board.run("asyncio.run(asyncio.start_server(print, '', 0, ssl=True))"), HasSubstr("TypeError"));
}

TEST_F(TlsModuleTest, WrapSocketAsksForNoCertificate) {
  keep("alone", make_identity("alone", nullptr, nullptr));
  EXPECT_EQ(
      board.run(
          "s, c = plain_pair()\n"
          "s = ssl.wrap_socket(s, server_side=True, cert='alone.pem', key='alone.key', do_handshake=False)\n"
          "c = ssl.wrap_socket(c, do_handshake=False); shake(s, c)\n"
          "c.write(b'z'); print(s.read(1))\n"
          "s, c = plain_pair()\n"
          "s = ssl.wrap_socket(s, True, keyfile='alone.key', certfile='alone.pem', do_handshake=False)\n"
          "c = ssl.wrap_socket(c, cert_reqs=ssl.CERT_REQUIRED, cadata=open('ca.pem', 'rb').read(),\n"
          "                    server_hostname='localhost', do_handshake=False)\n"
          "print(clash(s, c)[1])"),
      "b'z'\ncertificate not trusted: self-signed certificate\n");
}

TEST_F(TlsModuleTest, PollSeesWhatLiesInTheTlsLayer) {
  EXPECT_EQ(board.run("s, c = pair()\n"
                      "p = select.poll(); p.register(c, select.POLLIN)\n"
                      "print(p.poll(0)); s.write(bytes(10000)); c.settimeout(20); print(len(c.recv(1)))\n"
                      "print([e for o, e in p.poll(0)], len(p.poll(10000))); left = 9999\n"
                      "_socket.wait(c._handle, False).wait(20000)\n"
                      "while left: left -= len(c.recv(1000))\n"
                      "print(p.poll(1)); s.close(); print([e & select.POLLIN for o, e in p.poll(10000)])"),
            "[]\n1\n[1] 1\n[]\n[1]\n");
}

// What waits in a program while another takes what it waits for off the socket. The executor, held up, does
// not see it come.
struct TlsWaiterTest : TlsModuleTest {
  void expect_woken(const std::string& waits, const std::string& other, std::string_view output) {
    std::promise<void> go_on;
    asio::post(io, [held = go_on.get_future().share()] { held.wait(); });
    const auto waiting = std::make_shared<testing::Result>();
    board.runtime.exec("print('waits')\n" + waits, "main.py", waiting);
    waiting->wait_for_output("waits");
    EXPECT_EQ(board.run(other), "");
    EXPECT_NO_THROW(waiting->wait_for_output(output));
    go_on.set_value();
    waiting->wait();
  }
};

TEST_F(TlsWaiterTest, PollSeesWhatAnotherReaderLeaves) {
  board.run("s, c = pair(); p = select.poll(); p.register(c, select.POLLIN); c.setblocking(False)");
  expect_woken("print(len(p.poll()))\n", "s.write(b'ab')\nwhile not c.read(1): pass\n", "1");
}

TEST_F(TlsWaiterTest, AReaderSeesWhatPollHasSeen) {
  board.run("s, c = pair(); p = select.poll(); p.register(c, select.POLLIN)");
  expect_woken("print(c.recv(1))\n", "s.write(b'ab')\nwhile not p.poll(0): pass\n", "b'a'");
}

TEST_F(TlsWaiterTest, AWriterSeesTheHandshakeThatPollHasEnded) {
  board.run(
      "s, c = plain_pair(); s = for_server().wrap_socket(s, True, False); s.setblocking(False)\n"
      "c = for_client().wrap_socket(c, False, False, 'localhost')\n"
      "p = select.poll(); p.register(c, select.POLLOUT)");
  expect_woken("print(c.write(b'abc'))\n", "while not p.poll(0): s.read(1)\n", "3");
}

TEST_F(TlsModuleTest, WithoutBlockingThereIsWhatThereIs) {
  EXPECT_EQ(board.run("s, c = pair(); c.setblocking(False); print(c.read(1), c.read())\n"
                      "s.write(b'abc'); select.select([c], [], []); print(c.read(2), c.read(), c.read())\n"
                      "print(failure(c.recv, 1).errno)\n"
                      "buffer = bytearray(4); s.write(b'de'); select.select([c], [], [])\n"
                      "print(c.readinto(buffer), buffer)"),
            "None None\nb'ab' b'c' None\n11\n2 bytearray(b'de\\x00\\x00')\n");
}

TEST_F(TlsModuleTest, AWriteThatBlocksIsNotReadyBecauseSomethingCanBeRead) {
  EXPECT_EQ(
      board.run("s, c = pair(); s.write(b'ab'); print(c.read(1)); c.setblocking(False); full = 0\n"
                "while full < 20: full = 0 if c.write(bytes(20000)) else full + 1; time.sleep_ms(full)\n"
                "w = _socket.wait(c._handle, True); r = _socket.wait(c._handle, False)\n"
                "r.wait(20000); print(w.done(), r.done())\n"
                "p = select.poll(); p.register(c); print([e for o, e in p.poll(0)])"),
      "b'a'\nFalse True\n[1]\n");
}

TEST_F(TlsModuleTest, WhatWasBegunWhenAWriteBlocksIsSentOnce) {
  EXPECT_EQ(board.run("s, c = pair(); c.setblocking(False); total = 0; block = b'a' * 20000\n"
                      "while True:\n"
                      "    n = c.write(block)\n"
                      "    if n is None: break\n"
                      "    total += n\n"
                      "counts = [0, 0]; s.setblocking(False)\n"
                      "def take():\n"
                      "    data = s.read(60000) or b''\n"
                      "    counts[0] += data.count(b'a'); counts[1] += data.count(b'b')\n"
                      "def give(data):\n"
                      "    while data:\n"
                      "        take(); n = c.write(data) or 0; data = data[n:]\n"
                      "give(block); total += len(block)\n"
                      "give(b'b' * 70000); c.close()\n"
                      "while sum(counts) < total + 70000: take()\n"
                      "s.settimeout(20); print(counts[0] == total, counts[1], s.read(1))"),
            "True 70000 b''\n");
}

TEST_F(TlsModuleTest, WhatWasWrittenArrivesAlthoughTheWriterClosesWithoutReading) {
  EXPECT_EQ(board.run("s, c = pair(); s.write(b'never read'); c.setblocking(False); total = 0\n"
                      "while True:\n"
                      "    n = c.write(bytes(20000))\n"
                      "    if n is None: break\n"
                      "    total += n\n"
                      "c.close(); got = 0; s.settimeout(20)\n"
                      "while True:\n"
                      "    data = s.recv(20000)\n"
                      "    if not data: break\n"
                      "    got += len(data)\n"
                      "print(total > 50000, total <= got)"),
            "True True\n");
}

// Between the two stands another that forwards, and may stop in the middle of a record.
TEST_F(TlsModuleTest, AConnectionBrokenOffInTheMiddleIsAnError) {
  board.run(
      "def broken_off(lost):\n"
      "    a, c = plain_pair(); s, b = plain_pair(); a.setblocking(False); b.setblocking(False)\n"
      "    s = for_server().wrap_socket(s, True, False); s.setblocking(False)\n"
      "    c = for_client().wrap_socket(c, False, False, 'localhost'); c.setblocking(False)\n"
      "    while not (c.cipher() and s.cipher()):\n"
      "        c.read(1); s.read(1)\n"
      "        for x, y in (a, b), (b, a): y.write(x.read(9000) or b'')\n"
      "    s.write(b'half'); data = None\n"
      "    while not data: data = b.read(9000)\n"
      "    a.write(data[:len(data) - lost]); a.close(); c.settimeout(20)\n"
      "    return failure(lambda: print(c.read(4), c.read(1))), failure(c.read, 1)\n");
  EXPECT_EQ(board.run("pass; print(broken_off(0))"), "b'half' b''\n(None, None)\n");
  EXPECT_EQ(board.run("pass; print(broken_off(3)[1])"), "(-29312, 'the peer broke the connection off')\n");
  EXPECT_EQ(board.run("s, c = plain_pair(); c = for_client().wrap_socket(c, False, False, 'localhost')\n"
                      "c.settimeout(20); s.close(); print(failure(c.read, 1).errno in (-29312, 104))\n"
                      "s, c = plain_pair(); c = for_client().wrap_socket(c, False, False, 'localhost')\n"
                      "s.write(b'SSH-2.0-OpenSSH\\n'); c.settimeout(20); print(failure(c.read, 1))"),
            "True\n(-267, 'wrong version number')\n");
}

TEST_F(TlsModuleTest, TimeoutsEndAHandshakeAndAReadWithoutEndingTheConnection) {
  EXPECT_EQ(
      board.run("s, c = plain_pair(); c.settimeout(0.02)\n"
                "print(failure(lambda: for_client().wrap_socket(c, server_hostname='localhost')).errno)\n"
                "s.close(); c.close(); s, c = pair(); c.settimeout(0.01)\n"
                "print([failure(c.recv, 1).errno for _ in range(3)]); s.write(b'x'); c.settimeout(20)\n"
                "print(c.recv(1))"),
      "110\n[110, 110, 110]\nb'x'\n");
}

TEST_F(TlsModuleTest, InterruptEndsAHandshakeThatWaits) {
  const auto stuck = std::make_shared<testing::Result>();
  board.runtime.eval(
      "s, c = plain_pair(); print('waits')\nfor_client().wrap_socket(c, server_hostname='localhost')", stuck);
  stuck->wait_for_output("waits");
  EXPECT_EQ(board.run("1 + 1"), "2");
  while (!stuck->is_done()) board.runtime.interrupt();
  EXPECT_EQ(stuck->wait().status, python::Outcome::Status::interrupted);
}

TEST_F(TlsModuleTest, ASocketAndItsWrapperAreOne) {
  EXPECT_EQ(
      board.run("s, raw = plain_pair(); c = for_client().wrap_socket(raw, False, False, 'localhost')\n"
                "raw.setblocking(False); print(c.read(1)); c.close(); other = socket.socket(); raw.close()\n"
                "print(raw.fileno(), c.fileno(), other.fileno() >= 0); other.setsockopt(1, 2, 1)\n"
                "print(failure(c.read, 1).errno)"),
      "None\n-1 -1 True\n9\n");
}

TEST_F(TlsModuleTest, AWrapperCanBeConnectedLater) {
  EXPECT_EQ(
      board.run("l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)\n"
                "c = for_client().wrap_socket(socket.socket(), False, False, 'localhost'); c.settimeout(20)\n"
                "c.connect(('localhost', l.getsockname()[1])); s, _ = l.accept()\n"
                "s = for_server().wrap_socket(s, True, False); print(clash(s, c))\n"
                "e = failure(ssl.wrap_socket(socket.socket(), do_handshake=False).read, 1); print(type(e))"),
      "(True, True)\n<class 'OSError'>\n");
}

TEST_F(TlsModuleTest, FailedHandshakesLeaveNothingBehind) {
  EXPECT_EQ(board.run("for i in range(100):\n"
                      "    s, c = plain_pair()\n"
                      "    c = for_client(None).wrap_socket(c, False, False, 'localhost')\n"
                      "    s = for_server().wrap_socket(s, True, False)\n"
                      "    assert isinstance(clash(s, c)[1], ValueError); c.close(); s.close()\n"
                      "held = [socket.socket() for _ in range(32)]; print(len(held))"),
            "32\n");
}

TEST_F(TlsModuleTest, AServerOutlivesClientsThatFail) {
  EXPECT_EQ(
      board.run("async def serve(reader, writer):\n"
                "    writer.write(await reader.read(1)); await writer.drain(); await writer.wait_closed()\n"
                "async def main():\n"
                "    server, port = await listen(serve, for_server())\n"
                "    for ca in (None, 'ca.pem', None, 'ca.pem'):\n"
                "        try:\n"
                "            r, w = await asyncio.open_connection('127.0.0.1', port, ssl=for_client(ca), "
                "server_hostname='localhost')\n"
                "            w.write(b'q'); await w.drain(); print(await r.read()); await w.wait_closed()\n"
                "        except ValueError as e: print('no')\n"
                "    server.close(); await server.wait_closed()\n"
                "asyncio.run(main())"),
      "no\nb'q'\nno\nb'q'\n");
  EXPECT_THAT(board.api.wait_for_line("TLS handshake with 127.0.0.1").text, HasSubstr("alert unknown ca"));
}

TEST_F(TlsModuleTest, CiphersCanBeChosen) {
  EXPECT_EQ(
      board.run("a = for_server(); b = for_client(); print('TLS_AES_256_GCM_SHA384' in b.get_ciphers())\n"
                "a.set_ciphers(['TLS_CHACHA20_POLY1305_SHA256'])\n"
                "s, c = pair(a); print(c.cipher())\n"
                "b.set_ciphers(['TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256'])\n"
                "print(b.get_ciphers()); s, c = pair(None, b); print(s.cipher())\n"
                "c.write(b'1'); print(s.read(1)); s.close(); print(c.read())"),
      "True\n('TLS_CHACHA20_POLY1305_SHA256', 'TLSv1.3')\n['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256']\n"
      "('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'TLSv1.2')\nb'1'\nb''\n");
  EXPECT_THAT(board.run("b.set_ciphers(['ROT13'])"), HasSubstr("ValueError: unknown cipher ROT13"));
  EXPECT_THAT(board.run("b.set_ciphers([])"), HasSubstr("ValueError"));
}

TEST_F(TlsModuleTest, EarlierSocketsEndInOrderWhenAFreshInterpreterStarts) {
  board.run("s, c = pair()");
  const auto launcher = std::make_shared<testing::Result>();
  board.runtime.exec(launcher_source(), "launcher", launcher);
  launcher->wait();
  EXPECT_EQ(board.run("held = [socket.socket() for _ in range(32)]; print(len(held))"), "32\n");
}

}  // namespace
}  // namespace mqboard::board
