#!/usr/bin/env python3
"""Figures of the operator's tool and a board: whole processes through a mosquitto on loopback, medians.

Prints one JSON line a figure.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/e2e"))
from harness import BIN, Board, Broker, Certificates, Peer, Process  # noqa: E402
from proxy import Proxy  # noqa: E402

P = "gateway/bench"
ROUND_TRIP_S = 0.1


def report(name, value, unit, peer=None, peer_value=None):
    line = {"name": name, "value": round(value, 3), "unit": unit}
    if peer:
        line |= {"peer": peer, "peer_value": round(peer_value, 3), "ratio": round(peer_value / value, 3)}
    print(json.dumps(line), flush=True)


def timed_ms(command, environment=None):
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True,
                          stdin=subprocess.DEVNULL)
    elapsed = (time.perf_counter() - start) * 1000
    if done.returncode != 0:
        raise SystemExit(f"{command}: status {done.returncode}: {done.stderr.decode()}")
    return elapsed


def wait_online(broker):
    watcher = Peer(broker, f"{P}/mqb/status")
    watcher.wait_for(lambda m: m.payload and json.loads(m.payload).get("online"), "the board")
    watcher.close()


def bench_eval(broker, environment, runs):
    """Beside it, alternating: mosquitto_pub, which connects and awaits one PUBACK but no answer of a board."""
    ours, theirs = [], []
    peer = shutil.which("mosquitto_pub")
    for _ in range(runs):
        ours.append(timed_ms([BIN / "mqboard", "eval", "1+1"], environment))
        if peer:
            theirs.append(timed_ms([peer, "-h", "127.0.0.1", "-p", broker.port, "-q", "1", "-t", "bench", "-m", "1+1"]))
    beside = ("mosquitto_pub", statistics.median(theirs)) if theirs else ()
    report("eval_process_ms", statistics.median(ours), "ms", *beside)


def content(size):
    return bytes(range(251)) * (size // 251) + bytes(size % 251)


def transfer_times_ms(directory, environment, size, count, protocol="auto"):
    """Medians of putting a file and getting it back."""
    local, back = directory / "local", directory / "back"
    local.write_bytes(content(size))
    call = [BIN / "mqboard", "--protocol", protocol]
    puts, gets = [], []
    for number in range(count):
        remote = f"/bench{number}.bin"
        back.unlink(missing_ok=True)
        puts.append(timed_ms([*call, "put", local, remote], environment))
        gets.append(timed_ms([*call, "get", remote, back], environment))
        if back.read_bytes() != local.read_bytes():
            raise SystemExit("what came back differs")
        timed_ms([*call, "rm", remote], environment)
    return statistics.median(puts), statistics.median(gets)


def bench_transfers(directory, environment, runs):
    for label, protocol in (("1500k_v1", "v1"), ("1500k", "v2")):
        put, get = transfer_times_ms(directory, environment, 1_500_000, runs, protocol)
        report(f"put_{label}_ms", put, "ms")
        report(f"get_{label}_ms", get, "ms")
    size = 64 * 1024 * 1024
    put, get = transfer_times_ms(directory, environment, size, max(3, runs // 3))
    report("put_64m_mb_per_s", size / 1000 / put, "MB/s")
    report("get_64m_mb_per_s", size / 1000 / get, "MB/s")


def bench_update(image, environment, runs):
    times = [timed_ms([BIN / "mqboard", "ota", "install", image], environment) for _ in range(runs)]
    report("ota_1500k_ms", statistics.median(times), "ms")


def bench_far(directory, broker, image, environment, runs):
    """The operator is 100 ms away from the broker; beside its eval a publish of mosquitto_pub, alternating."""
    proxy = Proxy(broker.port, ROUND_TRIP_S / 2)
    far = environment | {"MQBOARD_SERVER": proxy.url}
    peer = shutil.which("mosquitto_pub")
    try:
        put, get = transfer_times_ms(directory, far, 1_500_000, runs)
        report("put_1500k_100ms_rtt_s", put / 1000, "s")
        report("get_1500k_100ms_rtt_s", get / 1000, "s")
        times = [timed_ms([BIN / "mqboard", "ota", "install", image], far) for _ in range(runs)]
        report("ota_1500k_100ms_rtt_s", statistics.median(times) / 1000, "s")
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(timed_ms([BIN / "mqboard", "eval", "1+1"], far))
            if peer:
                call = [peer, "-h", "127.0.0.1", "-p", proxy.port, "-q", "1", "-t", "bench", "-m", "1+1"]
                theirs.append(timed_ms(call))
        beside = ("mosquitto_pub", statistics.median(theirs)) if theirs else ()
        report("eval_100ms_rtt_ms", statistics.median(ours), "ms", *beside)
    finally:
        proxy.close()


class UpdatableBoard(Board):
    """A board with firmware slots: mqboardd under mqboot, and a signed image of 1.5 MB to install."""

    def __init__(self, directory, broker, prefix):
        super().__init__(directory, broker, prefix, start=False)
        self.slots = self.directory / "slots"
        (self.slots / "keys").mkdir(parents=True)
        tool, key, payload = BIN / "mqboard-image", self.directory / "vendor", self.directory / "payload"
        self.image = self.directory / "image"
        payload.write_bytes(content(1_500_000))
        subprocess.run([tool, "keygen", key], check=True, capture_output=True)
        subprocess.run([tool, "build", "--key", f"{key}.key", "--version", "1", payload, self.image], check=True,
                       capture_output=True)
        shutil.copy(f"{key}.pub", self.slots / "keys/vendor.pub")
        self.start()

    def start(self):
        self.process = Process([BIN / "mqboot", "--slots", self.slots, "--flash", self.flash, "--config", self.config,
                                "--factory", BIN / "mqboardd"], self.directory, "mqboot")


def bench_boot(board, broker, runs):
    times = []
    for _ in range(runs):
        board.process.kill()
        board.process.close()
        watcher = Peer(broker, f"{P}/mqb/status")
        watcher.wait_for(lambda m: m.payload and not json.loads(m.payload)["online"], "offline")
        watcher.clear()
        start = time.perf_counter()
        board.start()
        watcher.wait_for(lambda m: m.payload and json.loads(m.payload)["online"], "online")
        times.append((time.perf_counter() - start) * 1000)
        watcher.close()
    report("boot_to_connected_ms", statistics.median(times), "ms")


# Sleeps as soon as its publish is acknowledged. A changed certificate file makes the board verify its broker anew.
WAKE = """
import asyncio, machine, mqtt
async def report(client):
    await client.publish('wake', 'x', qos=1)
    if {anew}:
        with open('/ca.crt', 'a') as f:
            f.write('\\n')
    machine.deepsleep({nap_ms})
def hook(): mqtt.on_init(report(mqtt.client))
hook()
"""
NAP_MS = 100


def wake_cycle_ms(directory, broker, certificates, anew, runs):
    """From the end of a sleep to the next one, as they follow each other: start, TLS, publish, PUBACK, status, end."""
    application = WAKE.format(anew=anew, nap_ms=NAP_MS)
    board = Board(directory, broker, f"{P}-{anew}", start=False,
                  files={"main.py": application, "ca.crt": certificates.ca.read_text()},
                  mqtt=f'server = "{broker.tls_url}"\ncafile = "flash/ca.crt"\n')
    watcher = Peer(broker, f"{board.prefix}/mqb/status")
    command = [BIN / "mqboot", "--slots", board.directory / "slots", "--flash", board.flash, "--config", board.config,
               "--factory", BIN / "mqboardd"]
    board.process = Process(command, board.directory, "mqboot")
    try:
        asleep = watcher.wait_count(runs + 2, lambda m: b'"sleeping":true' in m.payload, 120)
    finally:
        board.process.close()
        watcher.close()
    return statistics.median((b.at - a.at) * 1000 - NAP_MS for a, b in zip(asleep[1:], asleep[2:]))


def bench_wake(directory, runs):
    directory.mkdir()
    certificates = Certificates(directory / "certificates")
    broker = Broker(directory, certificates)
    try:
        report("wake_cycle_tls_ms", wake_cycle_ms(directory, broker, certificates, True, runs), "ms")
        report("wake_cycle_tls_resumed_ms", wake_cycle_ms(directory, broker, certificates, False, runs), "ms")
    finally:
        broker.process.close()


def core_text_kb():
    total = 0
    for archive in sorted((BIN.parent / "src/core").glob("*/libmqb_core_*.a")):
        sizes = subprocess.run(["size", archive], check=True, capture_output=True, text=True).stdout
        for line in sizes.splitlines()[1:]:
            total += int(line.split()[0])
    return total / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mqb-bench-"))
    broker = Broker(directory)
    environment = {"MQBOARD_SERVER": broker.url, "MQBOARD_TOPIC": P, "XDG_CONFIG_HOME": str(directory / "config"),
                   "PATH": "/usr/bin:/bin"}
    board = None
    try:
        board = Board(directory, broker, P)
        wait_online(broker)
        bench_eval(broker, environment, runs * 3)
        bench_transfers(directory, environment, runs)
        report("board_rss_mb", board.rss_kb() / 1024, "MB")
        bench_boot(board, broker, runs)
        board.process.close()
        bench_wake(directory / "wake", runs)
        board = UpdatableBoard(directory / "updatable", broker, P)
        wait_online(broker)
        bench_update(board.image, environment, runs)
        bench_far(directory, broker, board.image, environment, runs)
        report("core_text_kb", core_text_kb(), "KiB")
    finally:
        if board and board.process:
            board.process.close()
        broker.process.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
