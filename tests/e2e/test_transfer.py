#!/usr/bin/env python3
"""Large files through mosquitto, over v1 and over the channel: whole, atomic, resumable."""
import functools
import random
import signal
import unittest

from harness import EndToEnd, wait_until
from proxy import Proxy

MB = 1_000_000


@functools.cache
def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Transfer(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server)
        self.local = self.directory / "local"
        self.back = self.directory / "back"

    def round_trip(self, size, protocol):
        self.local.write_bytes(noise(size))
        self.check(self.mqboard(self.b, "--protocol", protocol, "put", self.local, "/big.bin", deadline_s=120))
        self.assertEqual((self.b.flash / "big.bin").read_bytes(), noise(size))
        self.check(self.mqboard(self.b, "--protocol", protocol, "get", "/big.bin", self.back, deadline_s=120))
        self.assertEqual(self.back.read_bytes(), noise(size))

    def test_1_5_mb_over_v1_comes_back_identical(self):
        self.round_trip(1_500_000, "v1")

    def test_20_mb_over_v1_comes_back_identical(self):
        self.round_trip(20 * MB, "v1")

    def test_20_mb_over_the_channel_comes_back_identical(self):
        self.round_trip(20 * MB, "v2")

    def test_a_board_killed_in_the_middle_of_a_v1_put_keeps_the_old_file(self):
        old = b"the old content\n" * 100
        (self.b.flash / "big.bin").write_bytes(old)
        self.local.write_bytes(noise(20 * MB))
        names = {"big.bin"}
        put = self.start_mqboard(self.b, "--protocol", "v1", "-T", "2", "put", self.local, "/big.bin")

        def partly_there():
            files = [entry for entry in self.b.flash.iterdir() if entry.name not in names]
            return any(entry.stat().st_size > MB for entry in files)

        wait_until(partly_there, "a part of the new file on flash")
        self.assertEqual((self.b.flash / "big.bin").read_bytes(), old)
        self.b.process.kill(signal.SIGKILL)
        out, err = put.communicate(timeout=60)
        self.assertEqual((put.returncode, out), (4, b""), err)
        self.assertEqual((self.b.flash / "big.bin").read_bytes(), old)
        self.b.restart()
        self.wait_online(self.b)
        self.assertEqual(self.check(self.mqboard(self.b, "cat", "/big.bin")).out, old)
        self.assertEqual(sorted(entry.name for entry in self.b.flash.iterdir() if entry.is_file()), ["big.bin"],
                         "what the interrupted put left is cleaned up at boot")

    def test_a_get_replaces_the_local_file_only_when_it_is_complete(self):
        (self.b.flash / "big.bin").write_bytes(noise(20 * MB))
        self.back.write_bytes(b"old")
        get = self.start_mqboard(self.b, "-T", "2", "get", "/big.bin", self.back)
        wait_until(lambda: len(list(self.directory.glob(".back*")) + list(self.directory.glob("back.*"))) > 0
                   or get.poll() is not None, "a part of the new file")
        if get.poll() is None:
            get.send_signal(signal.SIGKILL)
            get.wait()
            self.assertEqual(self.back.read_bytes(), b"old")

    def test_a_get_fetches_only_what_is_not_here_already(self):
        link = Proxy(self.server.port)
        self.addCleanup(link.close)

        def get():
            before = link.bytes_down
            self.check(self.mqboard(self.b, "get", "/log.txt", self.back, broker=link))
            return link.bytes_down - before

        (self.b.flash / "log.txt").write_bytes(noise(MB))
        self.assertGreater(get(), MB)
        there = self.back.stat()
        self.assertLess(get(), 10_000, "identical: nothing of it is sent")
        self.assertEqual((self.back.stat().st_ino, self.back.stat().st_mtime_ns), (there.st_ino, there.st_mtime_ns))
        with open(self.b.flash / "log.txt", "ab") as grows:
            grows.write(b"more\n" * 1000)
        self.assertLess(get(), 20_000, "only what was appended is sent")
        self.assertEqual(self.back.read_bytes(), noise(MB) + b"more\n" * 1000)
        (self.b.flash / "log.txt").write_bytes(noise(MB, 2))
        self.assertGreater(get(), MB)
        self.assertEqual(self.back.read_bytes(), noise(MB, 2))
        self.assertEqual(list(self.directory.glob(".back*")), [])

    def test_data_through_pipes(self):
        self.check(self.mqboard(self.b, "put", "-", "/piped", stdin=noise(100_000)))
        self.assertEqual((self.b.flash / "piped").read_bytes(), noise(100_000))
        self.assertEqual(self.check(self.mqboard(self.b, "get", "/piped", "-")).out, noise(100_000))
        result = self.check(self.mqboard(self.b, "cat", "/piped"))
        self.assertEqual((result.out, result.err), (noise(100_000), ""), "silent in a pipe")


if __name__ == "__main__":
    unittest.main()
