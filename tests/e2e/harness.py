"""Real parts for the end-to-end tests: a mosquitto, boards, the operator's tool, and a plain MQTT client beside them.

Everything runs on free ports of 127.0.0.1 in a temporary directory of the test and is ended by process id. Waiting is
for an event, up to DEADLINE_S; nothing sleeps for a guessed time. Binaries come from $MQB_BIN (build/release/bin).
"""
import contextlib
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import paho.mqtt.client as paho

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("MQB_BIN", ROOT / "build/release/bin"))
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
DEADLINE_S = float(os.environ.get("MQB_TEST_DEADLINE_S", "30"))


def free_port():
    """A port nobody listens on, below those the kernel lends to outgoing connections: it stays free until it is used,
    also while the broker that owns it restarts."""
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """The first true value of condition(), polled; AssertionError naming `what` when the deadline passes."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {deadline_s:g} s waiting for {what}")
        threading.Event().wait(0.005)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificates:
    """A certificate authority, a server certificate for localhost and 127.0.0.1, and a client certificate."""

    def __init__(self, directory, name="ca"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ca = directory / f"{name}.crt"
        self._ca_key = directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN=mqboard test {name}", "-keyout", self._ca_key, "-out", self.ca)
        self.server, self.server_key = self.issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client, self.client_key = self.issue("client", "extendedKeyUsage=clientAuth")

    def issue(self, name, extension, days=2):
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(extension + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
                "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


class Process:
    """A child process with its output in files, ended by its id."""

    def __init__(self, command, directory, name, env=None):
        self.name = name
        self.stderr_path = directory / f"{name}.stderr"
        self._stderr = open(self.stderr_path, "ab")
        self.popen = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=self._stderr,
                                      stderr=self._stderr, env=env, cwd=directory)

    @property
    def pid(self):
        return self.popen.pid

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def kill(self, how=signal.SIGKILL):
        if self.running():
            self.popen.send_signal(how)
        return self.wait()

    def wait(self, deadline_s=DEADLINE_S):
        return self.popen.wait(deadline_s)

    def close(self):
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        self._stderr.close()


class Broker:
    """A mosquitto with a plain listener and, when asked, a TLS listener; passwords={user: password} closes it."""

    def __init__(self, directory, certificates=None, passwords=None, persistence=False, extra=(),
                 client_certificates=False):
        self.directory = directory
        self.certificates = certificates
        self.port = free_port()
        self.tls_port = free_port() if certificates else None
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 1000", "set_tcp_nodelay true"]
        if passwords:
            # Readable by the account mosquitto falls back to when it is started as root.
            path = directory / "passwords"
            path.write_text("")
            for user, password in passwords.items():
                subprocess.run(["mosquitto_passwd", "-b", path, user, password], check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {path}"]
        else:
            lines.append("allow_anonymous true")
        if certificates:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {certificates.ca}",
                      f"certfile {certificates.server}", f"keyfile {certificates.server_key}"]
            if client_certificates:
                lines += ["require_certificate true", "use_identity_as_username true"]
        if persistence:
            lines += ["persistence true", f"persistence_location {directory}/", "autosave_interval 1",
                      "autosave_on_changes true"]
        if os.geteuid() == 0:
            lines.append("user root")
        self.config = directory / "mosquitto.conf"
        self.config.write_text("\n".join([*lines, *extra]) + "\n")
        self.process = None
        self.start()

    def start(self):
        self.process = Process([MOSQUITTO, "-c", self.config], self.directory, "mosquitto")
        for port in filter(None, (self.port, self.tls_port)):
            wait_until(functools.partial(self._accepts, port), f"mosquitto on port {port}:\n{self.process.stderr()}")

    def _accepts(self, port):
        if not self.process.running():
            raise AssertionError(f"mosquitto ended:\n{self.process.stderr()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    def stop(self, how=signal.SIGTERM):
        self.process.kill(how)
        self.process.close()

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        self.start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"mqtts://127.0.0.1:{self.tls_port}"


class Message:
    def __init__(self, message):
        self.topic, self.payload = message.topic, message.payload
        self.at = time.monotonic()  # when it arrived
        self.qos, self.retain, self.dup = message.qos, bool(message.retain), bool(message.dup)

    def __repr__(self):
        return f"{self.topic} qos{self.qos}{' retained' if self.retain else ''} {self.payload[:60]!r}"


class Peer:
    """An unrelated MQTT client (Paho): watches topics and publishes raw messages."""

    def __init__(self, broker, *filters, user=None, password=None, qos=1):
        self.messages = []
        self._arrived = threading.Condition()
        self._client = paho.Client(client_id="", clean_session=True)
        self._client.max_inflight_messages_set(1000)
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop_start()
        if filters:
            self._client.subscribe([(topic, qos) for topic in filters])
            if not subscribed.wait(DEADLINE_S):
                raise AssertionError("no SUBACK")

    def _on_message(self, _client, _data, message):
        with self._arrived:
            self.messages.append(Message(message))
            self._arrived.notify_all()

    def publish(self, topic, payload, qos=1, retain=False):
        self._client.publish(topic, payload, qos, retain)

    def wait_for(self, matches, what="a message", deadline_s=DEADLINE_S):
        """The first message, of those received so far and to come, for which matches(message) holds."""
        end = time.monotonic() + deadline_s
        seen = 0
        with self._arrived:
            while True:
                for message in self.messages[seen:]:
                    if matches(message):
                        return message
                seen = len(self.messages)
                left = end - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    if len(self.messages) == seen:
                        raise AssertionError(f"timed out waiting for {what}; received {self.messages[-5:]}")

    def wait_count(self, count, matches=lambda message: True, deadline_s=DEADLINE_S):
        """The first `count` matching messages."""
        end = time.monotonic() + deadline_s
        with self._arrived:
            while True:
                found = [message for message in self.messages if matches(message)]
                if len(found) >= count:
                    return found[:count]
                left = end - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    raise AssertionError(f"timed out with {len(found)} of {count} messages")

    def clear(self):
        with self._arrived:
            self.messages.clear()

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


class Board:
    """A mqboardd with its own directory: board.toml, secrets.toml, flash/."""

    def __init__(self, directory, broker, prefix="gateway/test", config="", secrets="", mqtt="", files=None, start=True,
                 board=""):
        self.directory = directory / prefix.replace("/", "_")
        self.flash = self.directory / "flash"
        self.flash.mkdir(parents=True)
        self.prefix = prefix
        self.broker = broker
        for name, content in (files or {}).items():
            path = self.flash / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        kind, _, location = prefix.partition("/")
        self.config = self.directory / "board.toml"
        server = "" if "server" in mqtt else f'server = "{broker.url}"\n'
        self.config.write_text(f'[board]\nkind = "{kind}"\nlocation = "{location}"\nprefix = "{prefix}"\n'
                               f'flash = "flash"\n{board}\n[mqtt]\n{server}{mqtt}\n{config}\n')
        if secrets:
            path = self.directory / "secrets.toml"
            path.write_text(secrets)
            path.chmod(0o600)
        self.process = None
        if start:
            self.start()

    def start(self):
        self.process = Process([BIN / "mqboardd", "--config", self.config], self.directory, "mqboardd")

    def restart(self, how=signal.SIGKILL):
        self.process.kill(how)
        self.process.close()
        self.start()

    def rss_kb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode()

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]}"


class EndToEnd(unittest.TestCase):
    """A test case with a temporary directory and parts that are closed in reverse order of their making."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mqb-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MQBOARD_")}
        self.environment |= {"XDG_CONFIG_HOME": str(self.directory / "config"), "HOME": str(self.directory),
                             "XDG_STATE_HOME": str(self.directory / "state"), "TERM": "dumb"}

    def broker(self, **options):
        broker = Broker(self.directory, **options)
        self.addCleanup(lambda: broker.process.close())
        return broker

    def certificates(self, name="ca"):
        return Certificates(self.directory / f"certificates-{name}", name)

    def peer(self, broker, *filters, **options):
        peer = Peer(broker, *filters, **options)
        self.addCleanup(peer.close)
        return peer

    def board(self, broker, prefix="gateway/test", online=True, **options):
        """A started board; with online, returns once its retained status says so."""
        user = options.pop("watch_as", None)
        board = Board(self.directory, broker, prefix, **options)
        self.addCleanup(lambda: board.process and board.process.close())
        if online and board.process:
            self.wait_online(board, user)
        return board

    def wait_online(self, board, user=None):
        watcher = Peer(board.broker, f"{board.prefix}/mqb/status", **(user or {}))
        try:
            return json.loads(watcher.wait_for(lambda m: m.payload and json.loads(m.payload).get("online"),
                                               f"{board.prefix} online:\n{board.process.stderr()}").payload)
        finally:
            watcher.close()

    def start_mqboard(self, board, *arguments, broker=None, env=None, terminal=subprocess.PIPE, **options):
        """A running `mqboard` (Popen) for a board, on pipes or on the terminal that a descriptor is."""
        broker = broker or board.broker
        environment = self.environment | {"MQBOARD_SERVER": broker.url, "MQBOARD_TOPIC": board.prefix} | (env or {})
        process = subprocess.Popen([BIN / "mqboard", *map(str, arguments)], env=environment, stdin=terminal,
                                   stdout=terminal, stderr=terminal, **options)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def assert_at_best(self, once, at_most):
        """One of twenty tries takes no longer: the others may have met this machine busy with something else."""
        taken = []
        while not taken or min(taken) > at_most:
            self.assertLess(len(taken), 20, taken)
            taken.append(once())
        return min(taken)

    def mqboard(self, board, *arguments, stdin=b"", broker=None, env=None, deadline_s=DEADLINE_S):
        process = self.start_mqboard(board, *arguments, broker=broker, env=env)
        try:
            out, err = process.communicate(stdin, timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"mqboard {arguments} did not end: {out[-500:]!r} {err[-500:]!r}") from None
        return Result(subprocess.CompletedProcess(arguments, process.returncode, out, err))

    def check(self, result, status=0):
        self.assertEqual(result.status, status, result)
        return result
