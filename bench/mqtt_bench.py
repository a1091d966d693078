"""libmqboard-mqtt beside libmosquitto, Paho C and Paho C++: one run, one machine, one mosquitto.

Each library is a program of its own (bench/mqtt/), so CPU time and memory are its alone. The programs take turns, and
a figure is the median over the rounds. One JSON line a figure: {"name", "value", "unit"} with {"peer", "peer_value",
"ratio"} where a peer ran; ratio is ours divided by the peer's.

  publish_qosQ_SIZEB_msgs_per_s     until the last message is acknowledged, window 100
  publish_qosQ_SIZEB_cpu_us_per_msg processor time of the client's whole process, all threads
  receive_...                       from the first to the last message, fed by our own publisher
  ..._rss_mb, ..._allocs_per_msg    peak memory; calls of malloc and realloc per message while measured
  ..._broker_busy                   share of the run in which the broker's one thread worked or waited for a processor:
                                    near 1 the broker is what limits the rate
  ..._instructions_per_msg          with --instructions: the client's own, by callgrind, from two runs' difference

--realtime runs clients and broker ahead of everything else on the machine (SCHED_FIFO, needs root), so that other
work does not show in the figures.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

LIBRARIES = ["mqboard", "mosquitto", "paho_c", "paho_cpp"]
PEER_NAMES = {"mosquitto": "libmosquitto", "paho_c": "paho-mqtt3as", "paho_cpp": "paho-mqttpp3"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A mosquitto of our own that neither limits nor drops what the benchmark sends."""

    def __init__(self, folder, ahead):
        self.port = free_port()
        conf = pathlib.Path(folder, "mosquitto.conf")
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_queued_messages 0\nmax_inflight_messages 100\n"
        )
        binary = "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([*ahead, binary, "-c", conf], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def busy_seconds(self):
        running, runnable, _ = pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
        return (int(running) + int(runnable)) * 1e-9

    def stop(self):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, folder, broker, window, ahead):
        self.folder, self.broker, self.window, self.ahead = folder, broker, window, ahead

    def command(self, library, direction, qos, size, count):
        program = str(pathlib.Path(self.folder, f"mqtt_bench_{library}"))
        numbers = map(str, (self.broker.port, qos, size, count, self.window))
        return [*self.ahead, program, direction, "127.0.0.1", *numbers]

    def instructions(self, library, direction, qos, size, count):
        """Of the client's whole process, counted by callgrind."""
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]
        command = tool + self.command(library, direction, qos, size, count)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            if direction == "receive":
                assert program.stdout.readline() == "ready\n"
                self.publish("mqboard", qos, size, count)
            _, report = program.communicate(timeout=300)
        return int(re.search(r"Collected : (\d+)", report)[1])

    def instructions_per_message(self, library, direction, qos, size, count=2000):
        """Start and end cancel out between a short run and one twice as long."""
        short, long = (self.instructions(library, direction, qos, size, n) for n in (count, 2 * count))
        return (long - short) / count

    def publish(self, library, qos, size, count):
        busy_before = self.broker.busy_seconds()
        done = subprocess.run(
            self.command(library, "publish", qos, size, count), check=True, capture_output=True, timeout=300
        )
        result = json.loads(done.stdout)
        result["broker_busy_seconds"] = self.broker.busy_seconds() - busy_before
        return result

    def receive(self, library, qos, size, count):
        command = self.command(library, "receive", qos, size, count)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as receiver:
            assert receiver.stdout.readline() == b"ready\n"
            self.publish("mqboard", qos, size, count)
            result = json.loads(receiver.stdout.readline())
            receiver.kill()
        return result


def emit(name, unit, ours, peers):
    """One line per peer, or one without when no peer ran."""
    for peer, value in peers or [(None, None)]:
        line = {"name": name, "value": round(ours, 4), "unit": unit}
        if peer is not None:
            ratio = round(ours / value, 3) if value else None
            line |= {"peer": peer, "peer_value": round(value, 4), "ratio": ratio}
        print(json.dumps(line), flush=True)


FIGURES = [
    ("msgs_per_s", "1/s", lambda r, n: n / r["seconds"]),
    ("cpu_us_per_msg", "us", lambda r, n: r["cpu_seconds"] / n * 1e6),
    ("rss_mb", "MB", lambda r, n: r["rss_kb"] / 1024),
    ("allocs_per_msg", "1", lambda r, n: r["allocations"] / n),
]


def measure(bench, direction, qos, size, options):
    runs = {library: [] for library in options.libraries}
    for _ in range(options.rounds):
        for library in options.libraries:
            runs[library].append(getattr(bench, direction)(library, qos, size, options.count))
    name = f"{direction}_qos{qos}_{size}B"
    for suffix, unit, figure in FIGURES:
        median = {k: statistics.median(figure(r, options.count) for r in v) for k, v in runs.items()}
        peers = [(PEER_NAMES[k], v) for k, v in median.items() if k != "mqboard"]
        emit(f"{name}_{suffix}", unit, median["mqboard"], peers)
    if direction == "publish":
        busy = {k: statistics.median(r["broker_busy_seconds"] / r["seconds"] for r in v) for k, v in runs.items()}
        peers = [(PEER_NAMES[k], v) for k, v in busy.items() if k != "mqboard"]
        emit(f"{name}_broker_busy", "1", busy["mqboard"], peers)
    if options.instructions:
        counted = {k: bench.instructions_per_message(k, direction, qos, size) for k in options.libraries}
        peers = [(PEER_NAMES[k], v) for k, v in counted.items() if k != "mqboard"]
        emit(f"{name}_instructions_per_msg", "1", counted["mqboard"], peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="messages per run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--qos", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 1400])
    parser.add_argument("--directions", nargs="+", default=["publish", "receive"])
    parser.add_argument("--instructions", action="store_true", help="count instructions, too (slow: valgrind)")
    parser.add_argument("--realtime", action="store_true", help="ahead of other work on the machine")
    parser.add_argument("--libraries", nargs="+", default=LIBRARIES, choices=LIBRARIES)
    options = parser.parse_args()
    programs = os.environ.get("MQB_BIN", "build/bench/bin")
    with tempfile.TemporaryDirectory() as folder:
        ahead = ["chrt", "-f", "50"] if options.realtime else []
        broker = Broker(folder, ahead)
        try:
            bench = Bench(programs, broker, options.window, ahead)
            for direction in options.directions:
                for qos in options.qos:
                    for size in options.sizes:
                        measure(bench, direction, qos, size, options)
        finally:
            broker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
