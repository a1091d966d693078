#!/usr/bin/env python3
"""A board whose storage is full or read-only for a while is managed all the time, and keeps later what it could not."""
import contextlib
import json
import os
import subprocess
import unittest

from booted import BootTest, ImageFactory
from harness import wait_until

@unittest.skipUnless(os.geteuid() == 0, "mounts small file systems")
class Storage(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")
        self.places = [self.directory / "gateway_test" / name for name in ("state", "slots")]

    def mount(self, size="64k"):
        for place in self.places:
            place.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", place], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)

    def remount(self, how):
        for place in self.places:
            subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)

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
        self.mount()
        for name in ("a", "b"):
            (self.places[1] / name).mkdir()
        for name in ("records", "crash", "keys"):
            (self.places[1] / name).mkdir()
        self.remount("ro")
        board = self.booted(self.server)
        self.live_through(board, "Permission denied", lambda: self.remount("rw"))
        self.assertIn("[mqtt]", wait_until(lambda: self.kept("good_config"), "the configuration that works"))
        identity = self.check(self.mqboard(board, "eval", "__import__('machine').unique_id().hex()")).text
        self.assertIn(self.kept("unique_id").strip(), identity)

    def test_storage_that_is_full(self):
        self.mount()
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

    def test_a_trial_that_cannot_be_confirmed_now_is_once_that_can_be_written(self):
        self.mount("16m")
        images = ImageFactory(self.directory)
        images.trust(self.places[1])
        board = self.booted(self.server, config='[watchdog]\ntimeout = "20s"\nallok = "6s"\n')
        self.check(self.mqboard(board, "ota", "install", images.image("1.1", ending=b"1")))
        self.check(self.mqboard(board, "reset", "--wait"))
        self.remount("ro")
        self.logged("the firmware could not be confirmed: Permission denied")
        self.assertEqual(self.slot(board)["state"], "trial")
        self.assertIn("Permission denied", self.check(self.mqboard(board, "ota", "confirm"), 1).err)
        self.remount("rw")
        wait_until(lambda: self.slot(board)["state"] == "confirmed", "the confirmation")
        self.assertEqual(list(board.statuses.lives()), [1, 2])
        self.assertEqual(sum(b"could not be confirmed" in m.payload for m in self.log.messages), 1, "said once")

    def slot(self, board):
        return json.loads(self.check(self.mqboard(board, "ota", "status", "-o", "json")).text)["a"]


if __name__ == "__main__":
    unittest.main()
