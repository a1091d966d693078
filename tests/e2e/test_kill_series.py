#!/usr/bin/env python3
"""Broker, board and mqboard killed again and again during one put and one get: each completes, little is sent twice.

$MQB_KILLS kills spread evenly over a transfer of 20 MB (3 unless given). A link of limited capacity between mqboard and
the broker leaves time for them and counts what passes.
"""
import hashlib
import os
import random
import signal
import unittest

from harness import EndToEnd, wait_until
from proxy import Proxy

KILLS = int(os.environ.get("MQB_KILLS", "3"))
SIZE = 20_000_000
SECONDS_BETWEEN_KILLS = 0.75 if KILLS > 5 else 0.3
OLD = b"what was there before\n" * 1000
NEW = random.Random(20).randbytes(SIZE)


class KillSeries(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        # A connection that is cut again and again at once is made ever more slowly, up to this.
        self.b = self.board(self.server, mqtt="reconnect_max = 0.5\n")
        self.link = Proxy(self.server.port, bytes_per_s=int(SIZE / (KILLS + 1) / SECONDS_BETWEEN_KILLS))
        self.addCleanup(self.link.close)
        self.on_board = self.b.flash / "file.bin"
        self.here = self.directory / "file.bin"

    def run_mqboard(self):
        self.process = self.start_mqboard(self.b, *self.arguments, env={"MQBOARD_SERVER": self.link.url})

    def kill_broker(self):
        self.server.restart(signal.SIGKILL)

    def kill_board(self):
        self.b.restart(signal.SIGKILL)

    def kill_mqboard(self):
        self.process.kill()
        self.process.communicate()
        self.run_mqboard()

    def series(self, kill, arguments, target, counter):
        """Kills each time another part has passed the link; the old file is whole until the new one is."""
        target.write_bytes(OLD)
        self.arguments = arguments
        start = getattr(self.link, counter)
        self.run_mqboard()
        for number in range(KILLS):
            share = start + SIZE * (number + 1) // (KILLS + 1)
            wait_until(lambda: getattr(self.link, counter) > share or self.process.poll() is not None,
                       f"part {number + 1} of the transfer")
            if self.process.poll() is not None:
                self.fail(f"ended before kill {number + 1}: {self.process.communicate()}")
            self.assertEqual(target.read_bytes(), OLD)
            kill()
        out, err = self.process.communicate(timeout=120)
        self.assertEqual((self.process.returncode, out), (0, b""), err)
        self.assertEqual(hashlib.sha256(target.read_bytes()).digest(), hashlib.sha256(NEW).digest())
        again = (getattr(self.link, counter) - start) / SIZE - 1
        if "MQB_KILLS" in os.environ:
            print(f"{self.id().rpartition('.')[2]}: {KILLS} kills, {again:.1%} sent twice", flush=True)
        self.assertLessEqual(again, 0.2)
        left = [entry.name for place in (self.b.flash, self.directory) for entry in place.iterdir()
                if "mqb-" in entry.name]
        self.assertEqual(left, [], "no partial file is left")

    def put(self, kill):
        self.here.write_bytes(NEW)
        self.series(kill, ("put", self.here, "/file.bin"), self.on_board, "bytes_up")

    def get(self, kill):
        self.on_board.write_bytes(NEW)
        self.series(kill, ("get", "/file.bin", self.here), self.here, "bytes_down")

    def test_put_while_the_broker_is_killed(self):
        self.put(self.kill_broker)

    def test_put_while_the_board_is_killed(self):
        self.put(self.kill_board)

    def test_put_while_mqboard_is_killed(self):
        self.put(self.kill_mqboard)

    def test_get_while_the_broker_is_killed(self):
        self.get(self.kill_broker)

    def test_get_while_the_board_is_killed(self):
        self.get(self.kill_board)

    def test_get_while_mqboard_is_killed(self):
        self.get(self.kill_mqboard)


if __name__ == "__main__":
    unittest.main()
