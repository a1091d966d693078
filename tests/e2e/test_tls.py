#!/usr/bin/env python3
"""Applications on a board use TLS: ssl, asyncio's streams, requests and umqtt, against other people's TLS."""
import contextlib
import hashlib
import http.server
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import unittest

from harness import DEADLINE_S, EndToEnd, Process, free_port, wait_until

MEGABYTE = bytes(range(256)) * 4096

COMMON = """
import ssl, socket, asyncio, hashlib, binascii

def trusting(ca='ca.crt'):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    return context

def serving():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain('server.crt', 'server.key')
    return context

def dial(port, context=None, host='localhost'):
    s = socket.socket()
    s.settimeout(30)
    s.connect(('127.0.0.1', port))
    try:
        return (context or trusting()).wrap_socket(s, server_hostname=host)
    except BaseException:
        s.close()
        raise

def failure(f, *args):
    try:
        f(*args)
    except Exception as e:
        return '%s %s' % (type(e).__name__, e)
"""

DOWNLOAD = """
def blocking(port):
    s = dial(port)
    s.write(b'send\\n')
    h, n = hashlib.sha256(), 0
    while True:
        data = s.recv(3000)
        if not data:
            break
        h.update(data)
        n += len(data)
    s.close()
    return n, binascii.hexlify(h.digest())

async def streaming(port):
    reader, writer = await asyncio.open_connection('127.0.0.1', port, ssl=trusting(), server_hostname='localhost')
    writer.write(b'send\\n')
    await writer.drain()
    h, n = hashlib.sha256(), 0
    while True:
        data = await reader.read(3000)
        if not data:
            break
        h.update(data)
        n += len(data)
    await writer.wait_closed()
    return n, binascii.hexlify(h.digest())
"""

UPLOAD = """
part = bytes(range(256)) * 16

def blocking_up(port):
    s = dial(port)
    s.write(b'take\\n')
    for _ in range(256):
        s.write(part)
    s.close()

async def streaming_up(port):
    reader, writer = await asyncio.open_connection('127.0.0.1', port, ssl=trusting(), server_hostname='localhost')
    writer.write(b'take\\n')
    for _ in range(256):
        writer.write(part)
        await writer.drain()
    await writer.wait_closed()

def small_writes(port):
    s = dial(port)
    s.write(b'take\\n')
    for i in range(3000):
        s.write(b'%05d' % i)
    s.close()
"""

WEB_SERVER = """
async def answer(reader, writer):
    line = await reader.readline()
    while (await reader.readline()).strip():
        pass
    writer.write(b'HTTP/1.0 200 OK\\r\\n\\r\\nyou asked for ' + line.split()[1])
    await writer.drain()
    await writer.wait_closed()

async def main():
    await asyncio.start_server(answer, '127.0.0.1', %d, ssl=serving())
    await asyncio.Event().wait()
asyncio.run(main())
"""

ONE_BY_ONE = """
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', %d))
listener.listen(5)
context = serving()
context.load_verify_locations('ca.crt')
context.verify_mode = ssl.CERT_REQUIRED
while True:
    plain, _ = listener.accept()
    try:
        s = context.wrap_socket(plain, server_side=True)
        s.write(b'hello %%d bytes of certificate: ' %% len(s.getpeercert(True)) + s.readline())
    except (OSError, ValueError) as e:
        print('refused:', e)
    plain.close()
"""

SENSOR = """
from umqtt.%s import MQTTClient
import time
client = MQTTClient('sensor', 'localhost', port=%d, keepalive=60, ssl=%s, ssl_params=%s)
client.set_callback(lambda topic, msg: print('got', topic, msg))
client.connect()
client.subscribe(b'lab/command', 1)
count = 0
while True:
    client.check_msg()
    client.publish(b'lab/count', b'%%d' %% count, qos=1)
    count += 1
    time.sleep_ms(20)
"""


class Peer:
    """A TLS server by Python's ssl, a thread per client; `serve(connection)` gets each."""

    def __init__(self, context, serve):
        self._context, self._serve = context, serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._meet, args=(plain,), daemon=True).start()

    def _meet(self, plain):
        plain.settimeout(DEADLINE_S)
        with contextlib.suppress(OSError), plain:
            with self._context.wrap_socket(plain, server_side=True) as connection:
                self._serve(connection)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return None
        body = b"encrypted for " + self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None


class Tls(EndToEnd):
    def setUp(self):
        super().setUp()
        self.keys = self.certificates()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")

    def files(self, **more):
        return {"ca.crt": self.keys.ca.read_bytes(), "server.crt": self.keys.server.read_bytes(),
                "server.key": self.keys.server_key.read_bytes(), **more}

    def started(self, **options):
        board = self.board(self.server, files=self.files(**options))
        self.check(self.mqboard(board, "exec", "-", stdin=COMMON.encode()))
        return board

    def evaluate(self, board, source):
        return self.check(self.mqboard(board, "eval", source)).text.rstrip("\n")

    def run_code(self, board, source):
        return self.check(self.mqboard(board, "exec", "-", stdin=source.encode())).text.rstrip("\n")

    def tls_server(self, serve, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys.server, self.keys.server_key)
        if version:
            context.maximum_version = version
        server = Peer(context, serve)
        self.addCleanup(server.close)
        return server.port

    def s_server(self, certificate, key, *options):
        port = free_port()
        process = Process(["openssl", "s_server", "-accept", port, "-cert", certificate, "-key", key, *options],
                          self.directory, f"s_server-{port}")
        self.addCleanup(process.close)

        def accepts():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
        wait_until(accepts, f"openssl s_server:\n{process.stderr()}")
        return port

    def test_large_bodies_and_many_small_writes(self):
        taken = []
        done = threading.Semaphore(0)

        def serve(connection):
            line = b""
            while not line.endswith(b"\n"):
                line += connection.recv(1)
            if line == b"send\n":
                connection.sendall(MEGABYTE)
                connection.unwrap()
            else:
                with contextlib.suppress(OSError):
                    taken.append(b"".join(iter(lambda: connection.recv(65536), b"")))
                done.release()

        board = self.started()
        self.run_code(board, DOWNLOAD + UPLOAD)
        whole = str((len(MEGABYTE), hashlib.sha256(MEGABYTE).hexdigest().encode()))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            port = self.tls_server(serve, version)
            self.assertEqual(self.evaluate(board, f"blocking({port})"), whole)
            self.assertEqual(self.evaluate(board, f"asyncio.run(streaming({port}))"), whole)
            for call, expected in (("blocking_up(%d)", MEGABYTE), ("asyncio.run(streaming_up(%d))", MEGABYTE),
                                   ("small_writes(%d)", b"".join(b"%05d" % i for i in range(3000)))):
                self.evaluate(board, call % port)
                self.assertTrue(done.acquire(timeout=DEADLINE_S), call)
                self.assertTrue(taken.pop() == expected, call)
        both = self.evaluate(board, f"asyncio.run(asyncio.gather(streaming({port}), streaming({port})))")
        self.assertEqual(both, f"[{whole}, {whole}]")

    def test_a_bad_certificate_is_told_by_name_and_leaves_nothing(self):
        keys, stranger = self.keys, self.certificates("stranger")
        cases = [(keys.issue("elsewhere", "subjectAltName=DNS:elsewhere.example"),
                  "ValueError certificate is not valid for localhost: hostname mismatch"),
                 (keys.issue("old", "subjectAltName=DNS:localhost", days=-1),
                  "ValueError certificate not trusted: certificate has expired"),
                 ((stranger.server, stranger.server_key),
                  "ValueError certificate not trusted: unable to get local issuer certificate"),
                 ((stranger.ca, stranger.directory / "stranger.key"),
                  "ValueError certificate not trusted: self-signed certificate"),
                 ((keys.server, keys.server_key), "None")]
        board = self.started()
        descriptors = pathlib.Path(f"/proc/{board.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        self.run_code(board, "async def stream(port):\n"
                             "    r, w = await asyncio.open_connection('127.0.0.1', port, ssl=trusting(),\n"
                             "                                         server_hostname='localhost')\n"
                             "    await w.wait_closed()\n")
        ports = [self.s_server(*identity, "-quiet", "-rev") for identity, _ in cases]
        for port, (_, expected) in zip(ports, cases):
            self.assertEqual(self.run_code(board, f"print(failure(lambda: dial({port}).close()))"), expected)
            self.assertEqual(self.run_code(board, f"print(failure(asyncio.run, stream({port})))"), expected)
        self.assertIn("not valid for 127.0.0.9: IP address mismatch",
                      self.evaluate(board, f"failure(dial, {ports[-1]}, None, '127.0.0.9')"))
        plain = self.evaluate(board, f"failure(dial, {self.server.port})")
        self.assertIn("OSError", plain)

        fail = f"for _ in range(40): assert failure(dial, {ports[2]}) and failure(dial, {ports[0]})"
        self.run_code(board, fail)
        rss = board.rss_kb()
        for _ in range(3):
            self.run_code(board, fail)
        wait_until(lambda: len(list(descriptors.iterdir())) <= before, f"descriptors to become {before} again")
        self.assertLess(board.rss_kb(), rss + 4096)

    def test_a_server_that_breaks_off_in_the_middle(self):
        def half(connection):
            connection.sendall(b"x" * 100_000)
            how = connection.recv(1)
            if how == b"R":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == b"M":
                os.write(connection.fileno(), b"\x17\x03\x03\x40\x00the beginning of a record")
            connection.close()

        port = self.tls_server(half)
        board = self.started()
        self.run_code(board, "def half(how):\n"
                             "    s = dial(%d); n = 0\n"
                             "    while n < 100000: n += len(s.recv(5000))\n"
                             "    s.write(how); e = failure(lambda: print(s.recv(1))); s.close(); return e\n"
                             "async def stream(how):\n"
                             "    r, w = await asyncio.open_connection('127.0.0.1', %d, ssl=trusting(),\n"
                             "                                         server_hostname='localhost')\n"
                             "    await r.readexactly(100000); w.write(how); await w.drain()\n"
                             "    try: print(await r.read())\n"
                             "    finally: await w.wait_closed()\n" % (port, port))
        for call in ("half(%s)", "failure(asyncio.run, stream(%s))"):
            self.assertEqual(self.run_code(board, f"print({call % b'R'})"), "OSError [Errno 104] ECONNRESET")
            self.assertEqual(self.run_code(board, f"print({call % b'M'})"),
                             "OSError (-29312, 'the peer broke the connection off')")
            # Without a word, but between records: the end, as MicroPython and CPython take it.
            self.assertEqual(self.run_code(board, f"print({call % b'F'})"), "b''\nNone")

    def test_a_handshake_that_gets_no_answer_keeps_nobody_out(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            main = COMMON + f"print('dials')\nsocket.socket.settimeout = lambda *_: None\ndial({port})\n"
            board = self.board(self.server, files=self.files(**{"main.py": main}))
            self.log.wait_for(lambda m: b"dials" in m.payload, "main.py")
            with silent.accept()[0] as connection:
                self.assertEqual(connection.recv(1), b"\x16")
                self.assertEqual(self.evaluate(board, "6 * 7"), "42")
                self.check(self.mqboard(board, "interrupt"))
                self.log.wait_for(lambda m: b"main.py interrupted" in m.payload, "the end of main.py")

    def client(self, port, certificate=None):
        context = ssl.create_default_context(cafile=self.keys.ca)
        if certificate:
            context.load_cert_chain(*certificate)
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        return context.wrap_socket(plain, server_hostname="localhost")

    def ask(self, port):
        with contextlib.suppress(ConnectionError):
            with self.client(port) as s:
                s.sendall(b"GET /here HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: s.recv(4096), b""))

    def test_a_server_of_streams(self):
        port = free_port()
        board = self.board(self.server, files=self.files(**{"main.py": COMMON + WEB_SERVER % port}))
        self.assertIn(b"you asked for /here", wait_until(lambda: self.ask(port), "the web server"))
        # Clients that do not speak TLS, or do not trust it, or say nothing, harm no other.
        with socket.create_connection(("127.0.0.1", port)) as mute:
            with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as plain:
                plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    while plain.recv(100):
                        pass
            self.log.wait_for(lambda m: b"TLS handshake with 127.0.0.1 failed: http request" in m.payload, "a warning")
            for version in ("-tls1_2", "-tls1_3"):
                done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.keys.ca,
                                       "-verify_return_error", "-verify_hostname", "localhost", "-quiet", "-ign_eof",
                                       version], input=b"GET /there HTTP/1.0\r\n\r\n", capture_output=True,
                                      timeout=DEADLINE_S)
                self.assertIn(b"you asked for /there", done.stdout, done.stderr)
            self.assertIn(b"you asked for /here", self.ask(port))
            mute.close()
        self.assertEqual(self.evaluate(board, "1 + 1"), "2")

    def test_a_blocking_server_that_requires_certificates(self):
        port = free_port()
        board = self.board(self.server, files=self.files(**{"main.py": COMMON + ONE_BY_ONE % port}))

        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
        wait_until(listens, "the server")
        with self.client(port, (self.keys.client, self.keys.client_key)) as s:
            s.sendall(b"it is me\n")
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        size = len(ssl.PEM_cert_to_DER_cert(self.keys.client.read_text()))
        self.assertEqual(answer, b"hello %d bytes of certificate: it is me\n" % size)
        with self.assertRaisesRegex(ssl.SSLError, "alert"), self.client(port) as s:
            s.recv(1)
        self.log.wait_for(lambda m: b"refused: " in m.payload and b"peer did not return" in m.payload, "the refusal")
        self.assertEqual(self.evaluate(board, "1 + 1"), "2")

    def test_requests(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys.server, self.keys.server_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        port = server.server_port
        url = f"https://127.0.0.1:{port}"
        with host_trusts(self.keys.ca):
            board = self.started()
        self.run_code(board, "import requests")
        self.assertEqual(self.run_code(board, f"print(requests.get('{url}/moved').text)"),
                         f"encrypted for 127.0.0.1:{port}")
        self.assertEqual(self.run_code(board, "r, w = asyncio.run(asyncio.open_connection('127.0.0.1', "
                                              f"{port}, ssl=True)); print(r.s.cipher()[1]); r.s.close()"), "TLSv1.3")
        half = self.run_code(board, f"print(failure(lambda: requests.get('{url}/half').text))")
        self.assertIn("the answer breaks off", half)
        self.assertEqual(self.run_code(board, f"r = requests.head('{url}/'); print(r.status_code, r.text)"), "200 ")
        other = self.certificates("stranger").ca.read_bytes()
        (board.flash / "stranger.crt").write_bytes(other)
        self.assertEqual(self.run_code(board, f"print(failure(lambda: requests.get('{url}/', verify='stranger.crt')))"),
                         "ValueError certificate not trusted: unable to get local issuer certificate")
        self.assertEqual(self.run_code(board, f"print(requests.get('{url}/', verify='ca.crt').status_code, "
                                              f"requests.get('{url}/', verify=False).status_code)"), "200 200")

    def test_files_outside_of_flash_are_out_of_reach(self):
        board = self.started()
        outside = os.path.relpath(self.keys.server_key, board.flash)
        self.assertIn("OSError", self.evaluate(board, f"failure(serving().load_cert_chain, 'server.crt', '{outside}')"))
        self.assertIn("ENOENT", self.evaluate(
            board, f"failure(serving().load_cert_chain, 'server.crt', '{self.keys.server_key}')"))


@contextlib.contextmanager
def host_trusts(authority):
    """The processes started within find this authority where OpenSSL looks for those of the host."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority)
    try:
        yield authority
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


class Umqtt(EndToEnd):
    def setUp(self):
        super().setUp()
        self.keys = self.certificates()

    def sensor(self, kind, tls, params="{}", client_certificates=False):
        self.server = self.broker(certificates=self.keys, client_certificates=client_certificates)
        self.log = self.peer(self.server, "gateway/test/log")
        counts = self.peer(self.server, "lab/#")
        files = {"ca.crt": self.keys.ca.read_bytes(), "me.crt": self.keys.client.read_bytes(),
                 "me.key": self.keys.client_key.read_bytes(),
                 "main.py": COMMON + SENSOR % (kind, self.server.tls_port, tls, params)}
        self.board(self.server, files=files)
        return counts

    def check_talks(self, counts):
        counts.wait_for(lambda m: m.topic == "lab/count" and m.payload == b"3", "what it publishes")
        counts.publish("lab/command", "hello")
        self.log.wait_for(lambda m: b"got b'lab/command' b'hello'" in m.payload, "the message")

    def test_simple_with_a_context(self):
        self.check_talks(self.sensor("simple", "trusting()"))

    def test_simple_with_parameters_and_a_client_certificate(self):
        self.check_talks(self.sensor("simple", "True", "{'cert': 'me.crt', 'key': 'me.key', 'cert_reqs': 2, "
                                     "'cadata': open('ca.crt', 'rb').read()}", client_certificates=True))

    def test_a_broker_nobody_vouches_for(self):
        self.sensor("simple", "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)")
        self.log.wait_for(lambda m: b"certificate not trusted" in m.payload, "the error")

    def test_robust_connects_again(self):
        counts = self.sensor("robust", "trusting()")
        self.check_talks(counts)
        self.server.restart()
        self.peer(self.server, "lab/#").wait_count(3, lambda m: m.topic == "lab/count")


if __name__ == "__main__":
    unittest.main()
