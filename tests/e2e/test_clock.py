#!/usr/bin/env python3
"""A host whose wall clock is wrong at first and jumps later: the log tells its time, and nothing else minds."""
import os
import re
import struct
import time
import unittest
from unittest import mock

from booted import BootTest
from harness import BIN, wait_until

DAY = 24 * 3600
COUNTER = """
import asyncio, logging, time
async def start(mqtt, config):
    log = logging.getLogger('count')
    number = 0
    while True:
        begin = time.ticks_ms()
        await asyncio.sleep_ms(50)
        took = time.ticks_diff(time.ticks_ms(), begin)
        log.info('number %d. %s', number, 'ok' if 50 <= took < 20000 else took)
        number += 1
"""
SECURE = b"""
import socket, ssl
def connect(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile='/ca.crt')
    plain = socket.socket()
    plain.connect(('127.0.0.1', port))
    secure = context.wrap_socket(plain, server_hostname='localhost')
    try:
        return secure.cipher()[1]
    finally:
        secure.close()
"""


class Clock(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")
        self.file = self.directory / "clock"
        self.move(0)
        environment = mock.patch.dict(os.environ, MQB_CLOCK_FILE=str(self.file))
        environment.start()
        self.addCleanup(environment.stop)

    def move(self, seconds):
        """The wall clock is off by so much from now on."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def numbers(self):
        lines = [m.payload.decode() for m in list(self.log.messages) if b"count: number" in m.payload]
        return [(line.split()[1], int(re.search(r"number (\d+)", line).group(1)), line) for line in lines]

    def next_numbers(self):
        """… as they are from now on: several of them."""
        known = len(self.numbers())
        return wait_until(lambda: len(self.numbers()) > known + 5 and self.numbers()[known + 2:], "lines of the log")

    def off_by(self, clock, seconds):
        """How far the time in a line is from the host's, moved by so much, around the day."""
        hours, minutes, rest = clock.split(":")
        shown = int(hours) * 3600 + int(minutes) * 60 + float(rest)
        distance = (shown - time.time() - seconds) % DAY
        return min(distance, DAY - distance)

    def test_jumps_reset_nothing_end_nothing_and_lose_no_line(self):
        board = self.booted(self.server, preload=BIN / "mqb_moved_clock.so", board='modules = ["counter"]',
                            files={"counter.py": COUNTER}, config='[watchdog]\ntimeout = "20s"\nallok = "1s"\n')
        self.next_numbers()
        following = self.start_mqboard(board, "eval", "print('begun'); time.sleep(4); print('slept')")
        for seconds in (DAY + 3600, -2 * DAY - 5000, 40 * 365 * DAY, 0):
            self.move(seconds)
            after = self.next_numbers()
            self.assertLess(self.off_by(after[-1][0], seconds), 20, after[-1])
            self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")
        out, err = following.communicate(timeout=60)
        self.assertEqual((following.returncode, b"slept" in out), (0, True), (out, err))
        numbers = [number for _, number, _ in self.numbers()]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertTrue(all(line.endswith(" ok") for _, _, line in self.numbers()))
        self.assertEqual((list(board.statuses.lives()), self.crash_reports(board)), ([1], {}))

    def test_milliseconds_until_the_clock_is_plausible_then_the_time_of_day(self):
        self.move(-int(time.time()) + 100 * DAY)  # 1970, as a machine without a clock of its own
        board = self.booted(self.server, preload=BIN / "mqb_moved_clock.so", board='modules = ["counter"]',
                            files={"counter.py": COUNTER})
        before = self.next_numbers()
        self.assertTrue(all(re.fullmatch(r"\d+", clock) for clock, _, _ in before), before[:3])
        times = [int(clock) for clock, _, _ in before]
        self.assertEqual(times, sorted(times))
        self.move(0)
        after = self.next_numbers()[-3:]
        self.assertTrue(all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d", clock) for clock, _, _ in after), after[:3])
        self.assertLess(self.off_by(after[-1][0], 0), 20)
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 2, "the start after a kill")
        report = self.crash_report(board, "killed")
        self.assertLess(abs(int(self.field(report, "time_s")) - time.time()), 60)
        self.move(-int(time.time()))
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the start after another kill")
        self.assertEqual(self.field(self.crash_report(board, "killed"), "time_s"), "0", "unknown")

    def test_a_board_that_does_not_know_the_time_connects_over_tls_all_the_same(self):
        certificates = self.certificates()
        server = self.broker(certificates=certificates)
        self.move(-int(time.time()) + DAY)
        board = self.booted(server, preload=BIN / "mqb_moved_clock.so",
                            mqtt=f'server = "{server.tls_url}"\ncafile = "{certificates.ca}"\n',
                            files={"ca.crt": certificates.ca.read_bytes(), "secure.py": SECURE})

        def connect():
            return self.mqboard(board, "eval", f"import secure; print(secure.connect({server.tls_port}))")

        self.assertEqual(self.check(connect()).text, "TLSv1.3\n")
        # From now on it knows, and is wrong.
        self.check(self.mqboard(board, "eval", "machine.RTC().datetime((2099, 1, 1, 0, 0, 0, 0, 0))"))
        self.assertIn("certificate not trusted: certificate has expired", self.check(connect(), status=1).err)
        server.restart()
        self.check(self.mqboard(board, "-T", "30", "eval", "'an application cannot cut the board off'"))
        self.check(self.mqboard(board, "eval", "machine.RTC().datetime((2001, 1, 1, 0, 0, 0, 0, 0))"))
        self.assertIn("certificate not trusted: certificate is not yet valid", self.check(connect(), status=1).err)
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.check(connect()).text, "TLSv1.3\n")


if __name__ == "__main__":
    unittest.main()
