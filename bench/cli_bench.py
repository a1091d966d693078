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
from harness import BIN, Board, Broker, Peer  # noqa: E402

P = "gateway/bench"


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


def bench_transfers(directory, environment, runs):
    for label, size, protocol, count in (("1500k_v1", 1_500_000, "v1", runs), ("1500k", 1_500_000, "v2", runs)):
        local, back = directory / "local", directory / "back"
        local.write_bytes(bytes(i * 2654435761 >> 13 & 255 for i in range(size)))
        call = [BIN / "mqboard", "--protocol", protocol]
        puts, gets = [], []
        for number in range(count):
            remote = f"/bench{number}.bin"
            puts.append(timed_ms([*call, "put", local, remote], environment))
            gets.append(timed_ms([*call, "get", remote, back], environment))
            if back.read_bytes() != local.read_bytes():
                raise SystemExit("what came back differs")
            timed_ms([*call, "rm", remote], environment)
        report(f"put_{label}_ms", statistics.median(puts), "ms")
        report(f"get_{label}_ms", statistics.median(gets), "ms")


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
    board = Board(directory, broker, P)
    environment = {"MQBOARD_SERVER": broker.url, "MQBOARD_TOPIC": P, "XDG_CONFIG_HOME": str(directory / "config"),
                   "PATH": "/usr/bin:/bin"}
    try:
        wait_online(broker)
        bench_eval(broker, environment, runs * 3)
        bench_transfers(directory, environment, runs)
        report("board_rss_mb", board.rss_kb() / 1024, "MB")
        bench_boot(board, broker, runs)
        report("core_text_kb", core_text_kb(), "KiB")
    finally:
        board.process.close()
        broker.process.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
