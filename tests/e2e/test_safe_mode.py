#!/usr/bin/env python3
"""A board whose application takes it down again and again comes up without it, and is repaired over MQTT."""
import json
import threading
import time
import unittest

from booted import BootTest
from harness import wait_until

# Takes the whole board down, as a fault in native code would.
FATAL = """
import machine, logging
async def start(mqtt, config):
    logging.getLogger('fatal').warning('going down')
    machine.reset()
"""
FIXED = """
import logging
async def start(mqtt, config):
    logging.getLogger('fatal').warning('repaired')
"""
HUNG = "while True:\n    pass\n"


class SafeMode(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()

    def test_three_failing_boots_end_in_safe_mode_and_the_module_is_repaired_over_mqtt(self):
        log = self.peer(self.server, "gateway/test/log")
        board = self.booted(self.server, board='modules = ["fatal"]', files={"fatal.py": FATAL},
                            config='[watchdog]\ntimeout = "60s"\nallok = "60s"\n')
        safe = board.statuses.wait_for(lambda s: s["boot"]["safe_mode"], "safe mode")
        self.assertEqual(safe["boot"]["count"], 4)
        self.assertEqual(safe["boot"]["reset_cause"], "hard_reset")
        log.wait_for(lambda m: b"SAFE MODE" in m.payload, "safe mode in the log")
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")

        local = self.directory / "fatal.py"
        local.write_text(FIXED)
        self.check(self.mqboard(board, "put", local, "/"))
        self.check(self.mqboard(board, "reset", "--normal", "--wait"))
        log.wait_for(lambda m: b"repaired" in m.payload, "the repaired module")
        status = json.loads(self.check(self.mqboard(board, "info", "-o", "json")).text)
        self.assertFalse(status["boot.safe_mode"])
        # One failed boot more is one, not the fourth.
        board.kill_firmware()
        again = board.statuses.wait_for(lambda s: s["boot"]["count"] == 6, "the sixth start")
        self.assertFalse(again["boot"]["safe_mode"])

    def test_a_board_in_order_leaves_safe_mode_by_itself(self):
        board = self.booted(self.server, config='[watchdog]\ntimeout = "20s"\nallok = "1s"\n')
        self.check(self.mqboard(board, "reset", "--safe", "--wait"))
        safe = board.statuses.wait_for(lambda s: s["boot"]["count"] == 2, "the start in safe mode")
        self.assertTrue(safe["boot"]["safe_mode"])
        back = board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the start after safe mode")
        self.assertFalse(back["boot"]["safe_mode"])

    def test_without_revert_it_stays_until_its_operator_resets_it(self):
        log = self.peer(self.server, "gateway/test/log")
        board = self.booted(self.server, config='[watchdog]\ntimeout = "20s"\nallok = "1s"\nrevert = false\n')
        self.check(self.mqboard(board, "reset", "--safe", "--wait"))
        log.wait_for(lambda m: b"SAFE MODE" in m.payload, "safe mode in the log")
        said = len(log.messages)
        log.wait_for(lambda m: b"in order: manageable for 1 s" in m.payload and m in log.messages[said:], "in order")
        self.check(self.mqboard(board, "eval", "45+876"))
        self.assertEqual(list(board.statuses.lives()), [1, 2], "with revert the reset would be on its way by now")
        self.assertFalse([m for m in log.messages if b"leaving safe mode" in m.payload])
        self.check(self.mqboard(board, "reset", "--wait"))
        normal = board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the start in normal mode")
        self.assertFalse(normal["boot"]["safe_mode"])

    def leading_nowhere(self, **options):
        """A board in safe mode, because its configuration names a broker that does not exist."""
        board = self.booted(self.server, config='[watchdog]\ntimeout = "3s"\nallok = "60s"\n',
                            options=["--max-failed-boots", "2"], **options)
        good = board.config.read_text()
        self.assertIn(self.server.url, good)
        board.config.write_text(good.replace(self.server.url, "mqtt://127.0.0.1:1"))
        self.check(self.mqboard(board, "reset"))
        safe = board.statuses.wait_for(lambda s: s["boot"]["safe_mode"], "safe mode")
        self.assertEqual((safe["boot"]["count"], safe["boot"]["reset_cause"]), (4, "watchdog"))
        report = self.crash_report(board, "watchdog: not patted for 3000 ms")
        self.assertIn("not connected: ", self.section(report, "log"))
        return board

    def test_a_configuration_that_leads_nowhere_ends_in_safe_mode_with_the_one_that_worked(self):
        self.leading_nowhere(board='state = "remembered"')

    def test_what_worked_last_is_not_forgotten_in_safe_mode(self):
        board = self.leading_nowhere()
        # One that cannot even be read is not used either.
        board.config.write_text("[board\n")
        self.check(self.mqboard(board, "reset", "--normal", "--wait"))
        info = json.loads(self.check(self.mqboard(board, "info", "-o", "json")).text)
        self.assertFalse(info["boot.safe_mode"])
        self.assertIn("starting with the last configuration that worked", board.process.stderr())

    def test_a_board_without_a_watchdog_of_its_own_is_not_reset_by_mqboots(self):
        board = self.booted(self.server, options=["--watchdog", "1"])
        begin = time.monotonic()
        # As long as it takes a board that is not fed to be reset, and again.
        wait_until(lambda: time.monotonic() - begin > 4, "twice the watchdog's time-out, and more")
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")
        self.assertEqual((list(board.statuses.lives()), self.crash_reports(board)), ([1], {}))

    def test_look_alike_feeds_do_not_keep_a_hung_board_alive(self):
        """Whoever sees the board's feeds repeats them, and makes up more."""
        board = self.booted(self.server, config='[watchdog]\ntimeout = "3s"\nallok = "2s"\n')
        hostile = self.peer(self.server, "gateway/test/mqb/cmd/eval/#")
        feed = hostile.wait_for(lambda m: b".feed(" in m.payload, "a feed to repeat")
        self.check(self.mqboard(board, "put", "-", "/main.py", stdin=HUNG.encode()))
        self.check(self.mqboard(board, "reset"))
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 2, "the start that hangs")
        done = threading.Event()

        def repeat():
            number = 0
            while not done.wait(0.02):
                number += 1
                seen = [m for m in list(hostile.messages) if b".feed(" in m.payload]
                for message in (feed, seen[-1]):
                    hostile.publish(message.topic, message.payload)
                    hostile.publish(f"gateway/test/mqb/cmd/eval/{number:08x}", message.payload)

        attacker = threading.Thread(target=repeat)
        attacker.start()
        try:
            reset = board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the reset by the watchdog")
        finally:
            done.set()
            attacker.join()
        self.assertEqual(reset["boot"]["reset_cause"], "watchdog")
        self.assertTrue(wait_until(lambda: self.crash_reports(board), "the report"))


if __name__ == "__main__":
    unittest.main()
