#!/usr/bin/env python3
"""The verbs that are about the board as a whole: reset, crash, view with its filters, log-level, discover, info."""
import json
import re
import signal
import unittest

from harness import EndToEnd

FAILING = "def start(mqtt, config):\n    raise ValueError('no valve')\n"


class BoardVerbs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server, board='modules = ["faulty"]', files={"faulty.py": FAILING})

    def ok(self, *arguments, **options):
        return self.check(self.mqboard(self.b, *arguments, **options))

    def info(self):
        return json.loads(self.ok("-o", "json", "info").out)

    def test_reset_in_each_way_returns_when_the_board_is_back(self):
        before = self.info()
        self.ok("eval", "kept = 1")
        self.ok("reset", "--soft", "--wait")
        self.assertEqual(self.mqboard(self.b, "eval", "kept").status, 1, "Python began anew")
        boots = before["boot.count"]
        for option, safe in (("--safe", True), ("--hard", False), ("--safe", True), ("--normal", False)):
            self.ok("reset", option, "--wait")
            now = self.info()
            self.assertEqual((now["boot.safe_mode"], now["online"]), (safe, True), option)
            self.assertGreater(now["boot.count"], boots, option)
            boots = now["boot.count"]

    def test_crash_reports_are_listed_printed_and_removed(self):
        peer = self.peer(self.server, f"{self.b.prefix}/log")
        self.ok("reset", "--hard", "--wait")
        peer.wait_for(lambda m: b"crash report" in m.payload, "the report's announcement")
        reports = json.loads(self.ok("-o", "json", "crash", "ls").out)
        self.assertGreaterEqual(len(reports), 1)
        name = reports[0]["name"]
        line = next(line for line in self.ok("crash", "ls").text.splitlines() if name in line)
        self.assertRegex(line, rf"^(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d|- {{18}}) +\d+  {re.escape(name)}  \S")
        self.assertIn("ValueError: no valve", self.ok("crash", "get", name).text)
        self.assertEqual(self.mqboard(self.b, "crash", "rm").status, 2)
        self.ok("crash", "rm", name)
        gone = self.mqboard(self.b, "crash", "get", name)
        self.assertEqual((gone.status, gone.err),
                         (1, f"mqboard: no crash report '{name}'; see `mqboard crash ls`\n"))
        self.ok("crash", "rm", "--all")
        self.assertEqual(self.ok("crash", "ls").out, b"")

    def test_view_begins_with_what_was_logged_since_the_start(self):
        lines = self.ok("view", "--since-boot", "-n", "2").text.splitlines()
        self.assertRegex(lines[0], r"^I [0-9:.]+ +board: mqboardd .*, gateway/test, boot 1,")
        for level, logger in (("info", "oven"), ("warning", "oven.door"), ("error", "oven"), ("error", "ovenproof")):
            self.ok("eval", f"import logging; logging.getLogger('{logger}').{level}('from {logger}, {level}')")
        shown = self.ok("view", "--since-boot", "--name", "oven", "-n", "3").text
        self.assertEqual([line.partition(": ")[2] for line in shown.splitlines()],
                         ["from oven, info", "from oven.door, warning", "from oven, error"])
        shown = self.ok("view", "--since-boot", "--name", "oven", "--level", "warning", "--json", "-n", "2").text
        records = [json.loads(line) for line in shown.splitlines()]
        self.assertEqual([(r["level"], r["name"], r["message"]) for r in records],
                         [("warning", "oven.door", "from oven.door, warning"), ("error", "oven", "from oven, error")])
        error = self.mqboard(self.b, "view", "--level", "loud")
        self.assertEqual(error.status, 2)
        self.assertIn("debug, info, warning, error or critical", error.err)

    def test_view_without_a_past_shows_what_comes(self):
        view = self.start_mqboard(self.b, "-v", "view", "--level", "error", "--name", "x", "-n", "1")
        self.assertIn(b"connected", view.stderr.readline())
        # Logged until it arrives: the subscription may be made after the connection was announced.
        while view.poll() is None:
            self.ok("eval", "import logging; log = logging.getLogger('x'); log.info('quiet'); log.error('loud')")
        out, _ = view.communicate(timeout=30)
        self.assertRegex(out.decode(), r"^E [0-9:.]+ +x: loud\n$")

    def test_levels_are_shown_and_changed(self):
        self.ok("log-level", "net.wifi", "debug")
        self.assertEqual(self.ok("log-level", "net.wifi").text, "debug    net.wifi\n")
        self.assertEqual(self.ok("log-level", "net").text, "inherit  net\n")
        levels = json.loads(self.ok("-o", "json", "log-level").out)
        self.assertIn({"name": "net.wifi", "level": "debug"}, levels)
        self.ok("log-level", "net.wifi", "inherit")
        self.assertEqual(self.ok("log-level", "net.wifi").text, "inherit  net.wifi\n")

    def test_discover_shows_who_is_there_and_who_was(self):
        other = self.board(self.server, prefix="esp32/the-cellar-below")
        other.process.kill(signal.SIGTERM)
        shown = self.ok("discover").text.splitlines()
        self.assertEqual(len(shown), 2)
        self.assertRegex(shown[0], r"^esp32/the-cellar-below  offline  v2")
        self.assertRegex(shown[1], r"^gateway/test {12}online   v2  \d+\.\d+\.\d+")
        boards = json.loads(self.ok("discover", "-o", "json").out)
        self.assertEqual([(b["board"], b["online"]) for b in boards],
                         [("esp32/the-cellar-below", False), ("gateway/test", True)])
        self.assertEqual(boards[1]["status"]["board"]["kind"], "gateway")

    def test_info_is_in_units_for_people_and_in_numbers_for_programs(self):
        text = self.ok("info").text
        self.assertRegex(text, r"(?m)^uptime +\d+ (ms|s)")
        self.assertRegex(text, r"(?m)^flash\.free +[\d.]+ [kMGT]B$")
        self.assertNotRegex(text, r"(?m)^epoch")
        self.assertRegex(self.ok("-v", "info").text, r"(?m)^epoch +\d+$")
        info = self.info()
        self.assertEqual((info["board"], info["board.kind"], info["protocols"]), (self.b.prefix, "gateway", [1, 2]))
        self.assertIsInstance(info["uptime_ms"], int)


if __name__ == "__main__":
    unittest.main()
