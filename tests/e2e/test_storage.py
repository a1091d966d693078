#!/usr/bin/env python3
"""A board whose storage is full or read-only for a while is managed all the time, and keeps later what it could not."""
import contextlib
import os
import subprocess
import unittest

from booted import BootTest
from harness import wait_until

@unittest.skipUnless(os.geteuid() == 0, "mounts small file systems")
class Storage(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")
        self.places = [self.directory / "gateway_test" / name for name in ("state", "slots")]
        for place in self.places:
            place.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", place], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)

    def logged(self, text):
        return self.log.wait_for(lambda m: text.encode() in m.payload, text)

    def kept(self, name):
        path = self.places[0] / name
        return path.read_text() if path.exists() else ""

    def live_through(self, board, trouble, recover):
        """There is `trouble`; after `recover` there is none."""
        self.check(self.mqboard(board, "log-level", "a.logger", "info"))
        self.logged(f"board.state cannot be written: {trouble}")
        count = max(board.statuses.lives())
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == count + 1, "the start after a kill")
        self.logged(f"crash report not stored ({trouble}): killed: SIGKILL")
        self.assertEqual(self.crash_reports(board), {})
        self.check(self.mqboard(board, "log-level", "a.logger", "info"))
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")
        self.assertNotIn("a.logger", self.kept("log_levels"))
        recover()
        wait_until(lambda: "20 a.logger\n" in self.kept("log_levels"), "the level that was set meanwhile")
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == count + 2, "the start after another kill")
        self.assertEqual(list(self.crash_reports(board).values()), ["killed: SIGKILL by another process"])

    def test_storage_that_is_read_only_from_the_start(self):
        """Then not even the configuration that works and the board's identity can be kept."""
        def remount(how):
            for place in self.places:
                subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)
        for name in ("a", "b"):
            (self.places[1] / name).mkdir()
        for name in ("records", "crash", "keys"):
            (self.places[1] / name).mkdir()
        remount("ro")
        board = self.booted(self.server)
        self.live_through(board, "Permission denied", lambda: remount("rw"))
        self.assertIn("[mqtt]", wait_until(lambda: self.kept("good_config"), "the configuration that works"))
        identity = self.check(self.mqboard(board, "eval", "__import__('machine').unique_id().hex()")).text
        self.assertIn(self.kept("unique_id").strip(), identity)

    def test_storage_that_is_full(self):
        board = self.booted(self.server)
        wait_until(lambda: self.kept("good_config"), "the configuration that works")
        fillers = [place / "filler" for place in self.places]
        for filler in fillers:
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

        def recover():
            for filler in fillers:
                filler.unlink()
        self.live_through(board, "No space left on flash", recover)


if __name__ == "__main__":
    unittest.main()
