#!/usr/bin/env python3
"""Every kind of firmware image ends where docs/BOOT.md says, installed and looked at through `mqboard ota`."""
import contextlib
import json
import os
import random
import signal
import subprocess
import time
import unittest

from booted import BootTest, ImageFactory
from harness import BIN, wait_until
from proxy import Proxy

BROKEN = BIN / "mqb_broken_firmware"


class Ota(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.images = ImageFactory(self.directory)

    def updatable(self, config="", options=(), **more):
        slots = self.directory / "gateway_test" / "slots"
        self.images.trust(slots)
        return self.booted(self.server, config=config, options=["--watchdog", "3", *options], **more)

    def ota(self, board):
        return json.loads(self.check(self.mqboard(board, "ota", "status", "-o", "json")).text)

    def install(self, board, image, *options, status=0):
        result = self.mqboard(board, "ota", "install", image, *options, deadline_s=60)
        return self.check(result, status)

    def test_a_good_image_is_tried_confirmed_and_rolled_back(self):
        board = self.updatable()
        self.assertEqual(self.ota(board)["running"], "factory")
        self.install(board, self.images.image("1.1", ending=b"1"))
        self.assertEqual(self.ota(board)["a"]["state"], "new")
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual((self.ota(board)["running"], self.ota(board)["a"]["state"]), ("a", "trial"))
        refused = self.install(board, self.images.image("1.2", ending=b"2"), status=1)
        self.assertIn("trial", refused.err)
        self.check(self.mqboard(board, "ota", "confirm"))
        self.assertEqual(self.ota(board)["a"]["state"], "confirmed")

        self.install(board, self.images.image("1.2", ending=b"2"), "--wait", "--confirm")
        after = self.ota(board)
        self.assertEqual((after["running"], after["b"]["state"], after["b"]["version"]), ("b", "confirmed", "1.2"))
        self.assertIn("1.1", self.check(self.mqboard(board, "ota", "list")).text)

        self.check(self.mqboard(board, "ota", "rollback"))
        self.check(self.mqboard(board, "reset", "--wait"))
        after = self.ota(board)
        self.assertEqual((after["running"], after["b"]["state"], after["b"]["reason"]), ("a", "bad", "rolled back"))
        self.assertEqual(self.crash_reports(board), {})

    def test_an_installation_goes_on_where_it_was_when_mqboard_the_board_and_the_broker_are_killed(self):
        board = self.updatable(mqtt="reconnect_max = 0.5\n")
        image = self.images.image("1.1", ending=random.Random(1).randbytes(3_000_000))
        size = image.stat().st_size
        link = Proxy(self.server.port, bytes_per_s=3_000_000)
        self.addCleanup(link.close)

        def install():
            return self.start_mqboard(board, "ota", "install", image, env={"MQBOARD_SERVER": link.url})

        def arrived(share):
            wait_until(lambda: link.bytes_up > share * size, f"{share:.0%} of the image")
            self.assertIsNone(process.poll(), "the installation is over already")

        process = install()
        arrived(0.3)
        process.kill()
        process.wait()
        process = install()
        arrived(0.5)
        board.kill_firmware()
        arrived(0.7)
        self.server.restart(signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, (out, err))
        again = link.bytes_up / size - 1
        print(f"{size} bytes of image, {again:.1%} sent twice", flush=True)
        self.assertLess(again, 0.2)
        # One that is there already is not sent at all.
        before = link.bytes_up
        process = install()
        process.communicate(timeout=30)
        self.assertEqual((process.returncode, link.bytes_up - before < 10_000), (0, True))
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.ota(board)["running"], "a")

    def under_way(self, board, image, *options):
        """An installation of which about 1 MB has arrived, over a link of its own that takes seconds for the rest."""
        link = Proxy(self.server.port, bytes_per_s=2_000_000)
        self.addCleanup(link.close)
        process = self.start_mqboard(board, "ota", "install", image, *options, env={"MQBOARD_SERVER": link.url})
        wait_until(lambda: link.bytes_up > 1_000_000, "part of the image")
        self.assertIsNone(process.poll(), "the installation is over already")
        self.link = link
        return process

    def test_of_two_operators_with_two_images_the_second_is_refused(self):
        board = self.updatable()
        image, other = self.images.image("1.1", ending=b"1"), self.images.image("1.2", ending=b"2")
        for options, who in (((), "session"), (("--protocol", "v1"), "v1 request")):
            with self.subTest(who):
                process = self.under_way(board, image, *options)
                refused = self.install(board, other, status=1)
                self.assertRegex(refused.err,
                                 f"another update is being installed: version 1.1, [0-9]+ bytes so far, by {who}")
                out, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0, (out, err))
                slots = self.ota(board)
                self.assertIn("1.1", [slots[slot].get("version") for slot in "ab"])
                self.assertNotIn("1.2", [slots[slot].get("version") for slot in "ab"])

    def test_of_two_operators_with_the_same_image_the_second_goes_on_with_it(self):
        board = self.updatable()
        image = self.images.image("1.1", ending=b"1")
        process = self.under_way(board, image)
        self.install(board, image)
        self.assertEqual(self.ota(board)["a"]["state"], "new")
        out, err = process.communicate(timeout=60)
        self.assertIn(b"a newer installation of the same image", err)
        self.assertEqual(process.returncode, 1, (out, err))

    def test_an_installation_whose_operator_is_gone_gives_way_to_another_image(self):
        """… long before the channel of the dead one times out after 90 s."""
        board = self.updatable()
        first = self.images.image("1.1", ending=b"1")
        for options, number in (((), 2), (("--protocol", "v1"), 3)):
            with self.subTest(options):
                process = self.under_way(board, first, *options)
                process.kill()
                process.communicate()
                begun = time.monotonic()
                other = self.images.image(f"1.{number}", ending=str(number).encode())
                self.install(board, other)
                print(f"{options or 'v2'}: installed {time.monotonic() - begun:.1f} s after the other was killed")
                self.assertLess(time.monotonic() - begun, 45)
                slots = self.ota(board)
                self.assertIn((f"1.{number}", "new"), [(slots[s].get("version"), slots[s]["state"]) for s in "ab"])

    def test_an_operator_whose_link_is_lost_learns_that_another_took_his_place(self):
        board = self.updatable()
        process = self.under_way(board, self.images.image("1.1", ending=b"1"), "-T", "60")
        self.link.stall()
        self.install(board, self.images.image("1.2", ending=b"2"))
        self.link.resume()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, (out, err))
        self.assertIn(b"nothing was heard from here, and another installation took its place", err)
        self.assertEqual(self.ota(board)["a"]["version"], "1.2")

    def test_an_installation_by_v1_that_was_cut_off_is_done_again(self):
        board = self.updatable()
        image = self.images.image("1.1", ending=b"1")
        for options in (("--protocol", "v1"), ()):
            process = self.under_way(board, image, "--protocol", "v1")
            process.kill()
            process.communicate()
            self.install(board, image, *options)
            self.assertEqual(self.ota(board)["a"]["state"], "new")
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.ota(board)["running"], "a")

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_disk_that_is_full_takes_neither_the_firmware_nor_the_board(self):
        slots = self.directory / "gateway_test" / "slots"
        slots.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", slots], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", slots], check=True)
        board = self.updatable()
        self.install(board, self.images.image("1.1", ending=b"1"), "--wait", "--confirm")
        refused = self.install(board, self.images.image("1.2", ending=b"2"), status=1)
        self.assertIn("No space left", refused.err)
        after = self.ota(board)
        self.assertEqual((after["running"], after["a"]["state"], after["b"]["state"]), ("a", "confirmed", "empty"))
        self.assertFalse((slots / "b" / "image").exists(), "what could not be used gives its room back")
        # Not even room for a crash report: the board comes back without one, and later with one.
        filler = slots / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the start after a kill")
        self.assertIn("crash report not stored (No space left on flash): killed", board.process.stderr())
        self.assertEqual(self.crash_reports(board), {})
        filler.unlink()
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 4, "the start after another kill")
        self.assertEqual(list(self.crash_reports(board).values()), ["killed: SIGKILL by another process"])
        self.assertEqual(self.ota(board)["running"], "a")

    def test_a_crashing_a_hanging_and_a_resetting_image_go_back_to_the_one_before(self):
        board = self.updatable()
        self.install(board, self.images.image("1.1", ending=b"1"), "--wait", "--confirm")
        for ending, reason, cause in ((b"segv", "crash", "signal: SIGSEGV"), (b"hang", "watchdog", "watchdog"),
                                      (b"thro", "crash", "cpp_exception: std::runtime_error: a mistake"),
                                      (b"fail", "crash", "out_of_memory: std::bad_alloc")):
            version = f"2.0-{ending.decode()}"
            image = self.images.image(version, BROKEN, ending)
            refused = self.install(board, image, "--wait", "--confirm", status=1)
            self.assertIn(reason, refused.err)
            after = self.ota(board)
            self.assertEqual((after["running"], after["a"]["state"], after["b"]["state"], after["b"]["reason"]),
                             ("a", "confirmed", "bad", reason))
            report = self.crash_report(board, cause)
            self.assertEqual(self.field(report, "firmware"), version)
            self.assertEqual(self.field(report, "image"), "b trial normal")
            self.assertIn("the broken firmware starts", self.section(report, "log"))
            self.assertIn("signal 3" if ending == b"hang" else "mqboardd+0x", self.section(report, "backtrace"))
        # One that resets before it was confirmed: here by its operator.
        self.install(board, self.images.image("2.1", ending=b"2"), "--wait")
        self.assertEqual(self.ota(board)["running"], "b")
        self.check(self.mqboard(board, "reset", "--wait"))
        after = self.ota(board)
        self.assertEqual((after["running"], after["b"]["state"], after["b"]["reason"]), ("a", "bad", "reset"))

    def test_a_trial_that_does_not_reach_its_broker_goes_back(self):
        board = self.updatable(config='[watchdog]\ntimeout = "6s"\nallok = "60s"\n')
        self.install(board, self.images.image("1.1", ending=b"1"), "--wait", "--confirm")
        self.install(board, self.images.image("1.2", ending=b"2"))
        self.check(self.mqboard(board, "reset"))
        self.server.stop()
        wait_until(lambda: "slot b is bad: watchdog" in board.process.stderr(), "the end of the trial")
        self.server.start()
        self.wait_online(board)
        after = self.ota(board)
        self.assertEqual((after["running"], after["b"]["state"], after["b"]["reason"]), ("a", "bad", "watchdog"))
        # Of the run that was the trial; the one after it had no broker either.
        name = next(iter(self.crash_reports(board)))
        report = self.check(self.mqboard(board, "crash", "get", name)).text
        self.assertEqual((self.field(report, "cause"), self.field(report, "firmware")), ("watchdog", "1.2"))
        self.assertEqual(self.field(report, "image"), "b trial normal")
        self.assertIn("not connected", self.section(report, "log"))

    def test_a_trial_that_is_alive_but_not_confirmed_in_time_goes_back(self):
        """There is no [watchdog]: only the trial has one."""
        board = self.updatable(options=["--trial-timeout", "6"])
        self.install(board, self.images.image("1.1", ending=b"1"), "--wait", "--confirm")
        self.install(board, self.images.image("1.2", ending=b"2"), "--wait")
        self.assertEqual(self.ota(board)["running"], "b")
        board.statuses.wait_for(lambda s: s["boot"]["reset_cause"] == "watchdog", "the end of the trial")
        after = self.ota(board)
        self.assertEqual((after["running"], after["b"]["state"], after["b"]["reason"]), ("a", "bad", "watchdog"))
        report = self.crash_report(board, "trial_expired: not confirmed within 6000 ms")
        self.assertEqual((self.field(report, "firmware"), self.field(report, "image")), ("1.2", "b trial normal"))

    def test_images_that_are_not_for_this_board_change_nothing(self):
        board = self.updatable()
        self.install(board, self.images.image("1.1", ending=b"1", counter=5), "--wait", "--confirm")
        before = self.ota(board)
        whole = self.images.image("whole", counter=5)
        truncated = self.directory / "truncated"
        truncated.write_bytes(whole.read_bytes()[:-1000])
        longer = self.directory / "longer"
        longer.write_bytes(whole.read_bytes() + b"x")
        garbled = self.directory / "garbled"
        garbled.write_bytes(whole.read_bytes()[:5000] + b"garbled" + whole.read_bytes()[5007:])
        for image, status, complaint in (
                (self.images.image("stranger", key="stranger", counter=9), 1, "key"),
                (self.images.image("other", counter=9, more=["--hardware", "esp32"]), 1, "hardware"),
                (self.images.image("old", counter=4), 1, "security counter"),
                (truncated, 5, "short"), (longer, 5, "long"), (garbled, 5, "hash"),
                (BIN / "mqboardd", 1, "not a firmware image")):
            with self.subTest(image.name):
                self.assertIn(complaint, self.install(board, image, status=status).err)
                # Of v1's errors only the text is left.
                self.assertIn(complaint, self.install(board, image, "--protocol", "v1", status=1).err)
                after = self.ota(board)
                self.assertEqual((after["running"], after["a"]), ("a", before["a"]))
                self.assertIn(after["b"]["state"], ("empty",))
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.ota(board)["running"], "a")

    def test_v1_takes_signed_images_and_plain_ones_only_where_they_are_allowed(self):
        board = self.updatable()
        self.install(board, self.images.image("1.1", ending=b"1"), "--protocol", "v1")
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.ota(board)["running"], "a")
        self.check(self.mqboard(board, "ota", "confirm"))
        self.install(board, BIN / "mqboardd", "--protocol", "v1", status=1)
        self.assertEqual(self.ota(board)["b"]["state"], "empty")

    def test_a_plain_image_runs_where_it_is_allowed(self):
        board = self.updatable(config="[ota]\nallow_unsigned = true\n", options=["--allow-plain"])
        self.install(board, BIN / "mqboardd", "--protocol", "v1")
        self.check(self.mqboard(board, "reset", "--wait"))
        after = self.ota(board)
        self.assertEqual((after["running"], after["kind"]), ("a", "trial"))
        self.assertEqual(after["a"]["bytes"], len((BIN / "mqboardd").read_bytes()))


if __name__ == "__main__":
    unittest.main()
