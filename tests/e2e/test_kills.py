#!/usr/bin/env python3
"""SIGKILL of mqboardd at random moments under load: files are old or new, the reset cause is right, it comes back.

MQB_BOARD_KILLS is how often (25; 1000 for the whole proof), MQB_SEED replays one. How long the board was away is
printed, not judged: that depends on what else the machine does.
"""
import os
import random
import threading
import time
import unittest

from booted import BootTest

KILLS = int(os.environ.get("MQB_BOARD_KILLS", "25"))
SEED = int(os.environ.get("MQB_SEED", str(random.randrange(1 << 32))))
FILES = 4

CHATTY = """
import asyncio, logging
log = logging.getLogger('chatty')
async def start(mqtt, config):
    number = 0
    while True:
        number += 1
        log.info('line %d', number)
        await asyncio.sleep_ms(5)
"""


def content(number, name):
    """Every version of a file is as long as the others and made of its own letter: a mixture shows."""
    return bytes([97 + number % 26]) * 30_000 + name.encode()


class Load:
    """Puts whole files and evaluates, over raw v1 messages, as fast as the board answers or every 100 ms."""

    def __init__(self, test, peer, prefix, seed):
        self.peer, self.prefix, self.random = peer, prefix, random.Random(seed)
        self.ids = iter(range(1 << 28, 1 << 32))
        self.done = threading.Event()
        self.puts = self.evals = 0
        self.thread = threading.Thread(target=self.run)

    def answered(self, id_, since):
        return any(m.topic.endswith(id_) for m in self.peer.messages[since:])

    def request(self, command, pieces, name=""):
        id_ = f"{next(self.ids):x}"
        since = len(self.peer.messages)
        for number, piece in enumerate(pieces):
            last = 0x8000 if number == len(pieces) - 1 else 0
            header = (number | last).to_bytes(2, "big")
            self.peer.publish(f"{self.prefix}/mqb/cmd/{command}/{id_}{name}", header + piece)
        end = time.monotonic() + 0.1
        while not self.answered(id_, since) and time.monotonic() < end and not self.done.is_set():
            self.done.wait(0.005)

    def run(self):
        while not self.done.is_set():
            name = f"/file{self.random.randrange(FILES)}"
            whole = content(self.puts, name)
            self.request("put", [whole[at:at + 4000] for at in range(0, len(whole), 4000)], name)
            self.puts += 1
            self.request("eval", [b"sum(range(1000))"])
            self.evals += 1
            if len(self.peer.messages) > 5000:
                self.peer.clear()


class Kills(BootTest):
    def whole_or_nothing(self, board):
        for path in board.flash.glob("file*"):
            data = path.read_bytes()
            self.assertEqual(data, data[:1] * 30_000 + f"/{path.name}".encode(), f"{path.name} is a mixture")

    def test_killed_at_random_moments(self):
        print(f"MQB_SEED={SEED} MQB_BOARD_KILLS={KILLS}", flush=True)
        chance = random.Random(SEED)
        server = self.broker()
        board = self.booted(server, board='modules = ["chatty"]', files={"chatty.py": CHATTY},
                            options=["--max-failed-boots", "0"])
        peer = self.peer(server, "gateway/test/mqb/reply/#")
        load = Load(self, peer, "gateway/test", SEED)
        load.thread.start()
        self.addCleanup(load.thread.join)
        self.addCleanup(load.done.set)
        away = []
        starts = 1
        for kill in range(1, KILLS + 1):
            starts += 1
            if chance.random() < 0.2 and kill != KILLS:
                time.sleep(chance.uniform(0, 0.1))  # while it starts, perhaps before it connects
                board.kill_firmware()
                continue
            time.sleep(chance.uniform(0, 0.4))
            board.kill_firmware()
            begin = time.monotonic()
            status = board.statuses.wait_for(lambda s, count=starts: s["boot"]["count"] == count, f"start {starts}")
            away.append(time.monotonic() - begin)
            self.assertEqual(status["boot"]["reset_cause"], "crash")
            self.whole_or_nothing(board)
            board.statuses.peer.clear()
        load.done.set()
        load.thread.join()
        self.assertTrue(board.process.running())
        self.assertEqual(set(self.crash_reports(board).values()), {"killed: SIGKILL by another process"})
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")
        leftovers = [path for path in board.flash.rglob("*") if path.name.startswith(".") and path.is_file()]
        away.sort()
        print(f"kills: {KILLS}, puts: {load.puts}, evals: {load.evals}, leftovers: {len(leftovers)}; back after ms: "
              f"median {away[len(away) // 2] * 1000:.0f}, 99 % {away[len(away) * 99 // 100] * 1000:.0f}, "
              f"most {away[-1] * 1000:.0f}; over 1 s: {sum(t > 1 for t in away)}", flush=True)


if __name__ == "__main__":
    unittest.main()
