#!/usr/bin/env python3
"""mqboot as a systemd service: what it tells the service manager, and that the unit is one."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
from unittest import mock

from booted import BootTest
from harness import BIN, wait_until

UNIT = pathlib.Path(__file__).resolve().parents[2] / "src/boot/mqboot.service"


class Service(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        path = self.directory / "notify"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(path))
        self.manager.settimeout(0.1)
        self.told = []  # (when, word)
        environment = mock.patch.dict(os.environ, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="30000000")
        environment.start()
        self.addCleanup(environment.stop)

    def listen(self):
        try:
            while True:
                for word in self.manager.recv(4096).decode().splitlines():
                    self.told.append((time.monotonic(), word))
        except TimeoutError:
            return

    def wait_for(self, word, since=0):
        def found():
            self.listen()
            return word in [each for _, each in self.told[since:]]
        wait_until(found, f"{word} to the service manager")

    def test_it_says_when_it_is_ready_that_it_lives_and_that_it_stops(self):
        board = self.booted(self.server)
        self.wait_for("READY=1")
        self.assertIn("STATUS=Running factory factory normal", [word for _, word in self.told])
        for _ in range(3):
            self.wait_for("WATCHDOG=1", len(self.told))
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 2, "the start after a kill")
        board.process.popen.send_signal(signal.SIGTERM)
        self.assertEqual(board.process.wait(), 0)
        self.wait_for("STOPPING=1")

    def test_a_watchdog_device_that_is_not_there_is_said_and_costs_no_start(self):
        log = self.peer(self.server, "gateway/test/log")
        missing = self.directory / "no-watchdog"
        board = self.booted(self.server, options=["--watchdog-device", missing])
        log.wait_for(lambda m: f"watchdog device: {missing}: No such file".encode() in m.payload, "the complaint")
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_systemd_finds_nothing_wrong_with_the_unit(self):
        unit = self.directory / "mqboot.service"
        text = UNIT.read_text().replace("@CMAKE_INSTALL_FULL_BINDIR@", str(BIN))
        self.assertNotIn("@", text)
        unit.write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                              timeout=60)
        about = [line for line in done.stderr.splitlines() if "mqboot" in line]
        self.assertEqual(about, [], done)

    def test_the_service_is_started_again_however_often_it_fails(self):
        """systemd gives up after five starts in ten seconds unless told otherwise; a board must not."""
        unit = UNIT.read_text().split("[Service]")
        self.assertRegex(unit[0], re.compile(r"^StartLimitIntervalSec=0$", re.M))
        self.assertRegex(unit[1], re.compile(r"^Restart=always$", re.M))


if __name__ == "__main__":
    unittest.main()
