#!/usr/bin/env python3
"""A board under load for a long time: do its descriptors, threads and memory stay what they are?

Evals as fast as --rate allows, files put and fetched again over both protocols, an application that logs, publishes
and listens, a connection that is cut and a broker that is restarted, all at once. Every answer and every file is
compared with what it must be. Ends with a verdict and, as the last line, one JSON object; status 1 unless all is well.

MQB_BIN names the binaries (build/release/bin). Not part of ctest: see scripts/soak.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))
from harness import BIN, Board, Broker, Peer, paho  # noqa: E402
from proxy import Proxy  # noqa: E402

PREFIX = "gateway/soak"
PATIENCE_S = 120

APPLICATION = """
import asyncio, logging, mqtt
log = logging.getLogger('app')
seen = [0]

def on_msg(topic, msg, retained, qos, dup):
    seen[0] += 1

async def work(client):
    await client.subscribe('soak/loop', 1)
    number = 0
    while True:
        number += 1
        log.info('line %d, %d messages seen', number, seen[0])
        await client.publish('soak/loop', 'x' * (number % 700), qos=1)
        await asyncio.sleep_ms(50)

mqtt.on_msg(on_msg)
mqtt.watched(work, mqtt.client)
"""


class Counts:
    """What was done, counted by several threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.values = dict.fromkeys(("evals", "eval_repeats", "busy", "puts", "gets", "transfer_repeats", "log_lines",
                                     "cuts", "broker_restarts"), 0)
        self.wrong = []

    def add(self, name, number=1):
        with self._lock:
            self.values[name] += number

    def complain(self, text):
        with self._lock:
            self.wrong.append(text[:300])
        print("WRONG:", text[:300], flush=True)


class Evaluator:
    """Sends v1 evals and compares their answers; one that is not answered in time is sent again, as a new one."""

    WINDOW = 4
    AGAIN_S = 15

    def __init__(self, port, counts, rate):
        self.counts, self.rate = counts, rate
        self._waiting = {}
        self._arrived = threading.Condition()
        self._client = paho.Client(client_id="", clean_session=True)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"{PREFIX}/mqb/reply/out/#", 1), (f"{PREFIX}/mqb/reply/err/#", 1), (f"{PREFIX}/log", 1)])
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_message(self, _client, _data, message):
        if message.topic.endswith("/log"):
            return self.counts.add("log_lines")
        kind, request = message.topic.split("/")[-2:]
        with self._arrived:
            expected, _ = self._waiting.pop(request, (None, 0))
            self._arrived.notify()
        if expected is None:
            return  # of an eval that was given up, or of another tool
        if b"too many requests at once" in message.payload:
            return self.counts.add("busy")  # transfers that were cut short count for a minute
        if kind != "out" or bytes(message.payload) != b"\xff\xff" + expected:
            self.counts.complain(f"eval: expected {expected[:60]}, got {kind} {bytes(message.payload)[:120]}")
        self.counts.add("evals")

    def _give_up_old(self):
        now = time.monotonic()
        for request in [r for r, (_, sent) in self._waiting.items() if now - sent > self.AGAIN_S]:
            del self._waiting[request]
            self.counts.add("eval_repeats")

    def run(self, end):
        number = 0
        due = time.monotonic()
        while time.monotonic() < end:
            with self._arrived:
                while len(self._waiting) >= self.WINDOW and time.monotonic() < end:
                    self._arrived.wait(1)
                    self._give_up_old()
                number += 1
                request = f"soak{number:08d}"
                length = number * 37 % 3000
                source = f"'{number}' + 'y' * {length}" if number % 3 else f"sum(range({length}))"
                result = repr(str(number) + "y" * length) if number % 3 else str(sum(range(length)))
                self._waiting[request] = (result.encode(), time.monotonic())
            self._client.publish(f"{PREFIX}/mqb/cmd/eval/{request}", b"\x80\x00" + source.encode(), 1)
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


class Transfers:
    """Puts files of random content and length, fetches them again, and compares."""

    FILES = 8

    def __init__(self, directory, url, counts, seed):
        self.directory, self.counts = directory, counts
        self.random = random.Random(seed)
        self.environment = {"MQBOARD_SERVER": url, "MQBOARD_TOPIC": PREFIX, "PATH": "/usr/bin:/bin",
                            "XDG_CONFIG_HOME": str(directory / "config"), "HOME": str(directory)}

    def _call(self, end, *arguments):
        """Repeats until it succeeds: a broker that is gone is none of the board's faults."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run([BIN / "mqboard", "-T", "30", *map(str, arguments)], env=self.environment,
                                  capture_output=True, stdin=subprocess.DEVNULL)
            if done.returncode == 0:
                return True
            if time.monotonic() > end:
                return False
            if time.monotonic() > give_up:
                self.counts.complain(f"{arguments}: status {done.returncode}: {done.stderr[-200:]}")
                return False
            self.counts.add("transfer_repeats")
            time.sleep(0.2)

    def run(self, end):
        local, back = self.directory / "local", self.directory / "back"
        number = 0
        while time.monotonic() < end:
            number += 1
            content = self.random.randbytes(self.random.choice((0, 100, 5_000, 60_000, 300_000)))
            local.write_bytes(content)
            remote = f"/soak{number % self.FILES}.bin"
            protocol = ("--protocol", ("v1", "v2")[number % 2])
            if not self._call(end, *protocol, "put", local, remote):
                continue
            self.counts.add("puts")
            if not self._call(end, *protocol, "get", remote, back):
                continue
            self.counts.add("gets")
            if back.read_bytes() != content:
                self.counts.complain(f"get {remote}: {len(content)} bytes differ")
            time.sleep(0.3)


def disturb(broker, proxy, counts, end, cut_every_s, restart_every_s):
    next_cut, next_restart = (time.monotonic() + s for s in (cut_every_s, restart_every_s))
    while (now := time.monotonic()) < end:
        if now >= next_restart:
            broker.restart()
            counts.add("broker_restarts")
            next_restart = now + restart_every_s
        elif now >= next_cut:
            proxy.cut()
            counts.add("cuts")
            next_cut = now + cut_every_s
        time.sleep(0.5)


def sample(pid):
    status = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        status[name] = value.split()[0] if value.split() else ""
    return {"fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(status["Threads"]),
            "rss_kb": int(status["VmRSS"])}


def info(environment):
    done = subprocess.run([BIN / "mqboard", "-T", "60", "info", "-o", "json"], env=environment, capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def trend(samples):
    """Medians of the first and the last quarter after a tenth of warming up."""
    kept = samples[max(1, len(samples) // 10):]
    quarter = max(1, len(kept) // 4)
    first, last = kept[:quarter], kept[-quarter:]
    out = {}
    for name in ("fds", "threads", "rss_kb"):
        out[name] = {"first": statistics.median(s[name] for s in first),
                     "last": statistics.median(s[name] for s in last), "max": max(s[name] for s in kept)}
    return out


def verdict(trends, counts, board_ended):
    """What is not as it must be: empty when all is well."""
    found = list(counts.wrong)
    if board_ended:
        found.append("the board ended")
    for name in ("fds", "threads"):
        if trends[name]["last"] > trends[name]["first"]:
            found.append(f"{name} grow: {trends[name]}")
    rss = trends["rss_kb"]
    if rss["last"] > rss["first"] + max(512, rss["first"] * 0.03):
        found.append(f"memory grows: {rss}")
    return found


def soak(directory, arguments):
    counts = Counts()
    # It keeps sessions across its restarts, and saves them only then: saving often is slower than any board.
    broker = Broker(directory, extra=("persistence true", f"persistence_location {directory}/"))
    proxy = Proxy(broker.port)
    board = Board(directory, broker, PREFIX, mqtt=f'server = "{proxy.url}"\nreconnect_max = 2\n',
                  files={"main.py": APPLICATION})
    evaluator = None
    try:
        watcher = Peer(broker, f"{PREFIX}/mqb/status")
        watcher.wait_for(lambda m: m.payload and json.loads(m.payload).get("online"), "the board", PATIENCE_S)
        watcher.close()
        evaluator = Evaluator(broker.port, counts, arguments.rate)
        transfers = Transfers(directory, broker.url, counts, arguments.seed)
        start = time.monotonic()
        end = start + arguments.minutes * 60
        work = [threading.Thread(target=evaluator.run, args=(end,)),
                threading.Thread(target=transfers.run, args=(end,)),
                threading.Thread(target=disturb, args=(broker, proxy, counts, end, arguments.cut_every,
                                                       arguments.restart_every))]
        for thread in work:
            thread.start()
        samples = []
        interval = max(1.0, arguments.minutes * 60 / 360)
        while time.monotonic() < end and board.process.running():
            time.sleep(interval)
            samples.append(sample(board.process.pid))
            if len(samples) % 30 == 0:
                print(f"{(time.monotonic() - start) / 60:.1f} min {samples[-1]} {counts.values}", flush=True)
        for thread in work:
            thread.join(PATIENCE_S + 60)
        ended = not board.process.running()
        facts = {} if ended else info(transfers.environment)
        return trend(samples), counts, ended, facts, (time.monotonic() - start) / 60
    finally:
        if evaluator:
            evaluator.close()
        board.process.close()
        proxy.close()
        broker.process.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=100, help="evals a second at most")
    parser.add_argument("--cut-every", type=float, default=20, metavar="S", help="the board's connection is reset")
    parser.add_argument("--restart-every", type=float, default=150, metavar="S", help="the broker is restarted")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mqb-soak-"))
    try:
        trends, counts, ended, facts, minutes = soak(directory, arguments)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found = verdict(trends, counts, ended)
    for text in found:
        print("NOT FLAT OR WRONG:", text)
    if not found:
        print("flat: descriptors, threads and memory are what they were")
    board_says = {name: facts.get(name) for name in ("uptime_ms", "log_lost", "crash_reports")}
    print(json.dumps({"name": "soak", "ok": not found, "minutes": round(minutes, 1), **counts.values, **trends,
                      "board": board_says}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
