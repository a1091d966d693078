#!/usr/bin/env python3
"""One log for Python, the services and mqboot: its levels, and what it never shows."""
import json
import os
import signal
import unittest

from harness import BIN, EndToEnd, wait_until
from test_power import BootedBoard

SECRET = "the-brokers-pass-word"
TOKEN = "token-of-the-module"


class Levels(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")

    def say(self, board, logger, level, text):
        self.check(self.mqboard(board, "eval", f"logging.getLogger('{logger}').{level}('{text}')"))

    def seen(self, text):
        return any(text.encode() in m.payload for m in list(self.log.messages))

    def test_a_level_set_by_code_lets_its_records_through(self):
        board = self.board(self.server)
        self.say(board, "app", "debug", "first")
        self.check(self.mqboard(board, "eval", "logging.getLogger('app').setLevel(logging.DEBUG)"))
        self.say(board, "app", "debug", "second")
        self.log.wait_for(lambda m: b"second" in m.payload)
        self.assertFalse(self.seen("first"))

    def test_levels_set_by_an_operator_hold_for_loggers_below_and_across_restarts(self):
        board = self.board(self.server)
        self.check(self.mqboard(board, "log-level", "app", "debug"))
        self.say(board, "app.pump", "debug", "one")
        self.log.wait_for(lambda m: b"one" in m.payload)
        self.check(self.mqboard(board, "log-level", "app.pump", "error"))
        self.say(board, "app.pump.valve", "warning", "unseen")
        self.say(board, "app.lamp", "debug", "two")
        self.log.wait_for(lambda m: b"two" in m.payload)
        board.restart(signal.SIGKILL)
        self.wait_online(board)
        self.assertIn("app.pump", self.check(self.mqboard(board, "log-level")).text)
        self.say(board, "app.pump.valve", "warning", "unseen")
        self.say(board, "app.lamp", "debug", "three")
        self.log.wait_for(lambda m: b"three" in m.payload)
        self.assertFalse(self.seen("unseen"))


class OneStream(EndToEnd):
    def test_what_mqboot_says_about_a_start_is_among_its_first_lines(self):
        server = self.broker()
        log = self.peer(server, "gateway/test/log")
        board = BootedBoard(self.directory, server)
        self.addCleanup(lambda: board.process.close())
        self.wait_online(board)
        log.wait_for(lambda m: b"mqboot: start 1 after power_on" in m.payload)
        os.kill(board.process.pid, signal.SIGUSR1)
        log.wait_for(lambda m: b"mqboot: start 2 after hard_reset" in m.payload)
        lines = [m.payload.decode() for m in log.messages]
        second = next(i for i, line in enumerate(lines) if "boot 2, reset cause hard_reset" in line)
        self.assertTrue(any("start 2 after hard_reset" in line for line in lines[second:second + 3]), lines[second:])


FLOOD = """
import logging
log = logging.getLogger('flood')
def start(mqtt, config):
    for i in range(5000):
        log.log(logging.ERROR if i % 500 == 0 else logging.INFO, 'line %d', i)
    log.error('over')
"""


class Floods(EndToEnd):
    def test_a_flood_of_lines_costs_the_least_severe_and_the_log_counts_them(self):
        server = self.broker(extra=["max_queued_messages 0"])  # the broker must drop nothing for a slow watcher
        log = self.peer(server, "gateway/test/log")
        board = self.board(server, board='modules = ["flood"]', files={"flood.py": FLOOD})
        log.wait_for(lambda m: b"flood: over" in m.payload, "the end of the flood")
        self.check(self.mqboard(board, "eval", "log.warning('the last word')"))
        log.wait_for(lambda m: b"the last word" in m.payload, "a line after it")
        lines = [m.payload.decode() for m in log.messages]
        kept = [int(line.split()[-1]) for line in lines if "flood: line" in line]
        missing = sum(int(line.split()[3]) for line in lines if line.startswith("W") and "had no room" in line)
        self.assertIn(len(kept) + missing, range(5000, 5020))  # the board's own lines may be among the missing
        self.assertEqual([i for i in kept if i % 500 == 0], list(range(0, 5000, 500)))
        times = [line.split()[1] for line in lines]
        if times[0] < times[-1]:  # not over midnight
            self.assertEqual(times, sorted(times))


class SecretsStay(EndToEnd):
    APPLICATION = """
import logging
def start(mqtt, config):
    logging.getLogger('leaky').warning('my token is %s', config['token'])
    print('all I know:', config)
    print('x' * 1015 + config['token'])
    raise ValueError('wrong token ' + config['token'])
"""

    def test_nothing_of_secrets_toml_is_in_log_status_info_or_crash_reports(self):
        server = self.broker(passwords={"board": SECRET, "tester": "tester"})
        self.environment |= {"MQBOARD_USERNAME": "tester", "MQBOARD_PASSWORD": "tester"}
        tester = {"user": "tester", "password": "tester"}
        everything = self.peer(server, "#", **tester)
        board = self.board(server, board='modules = ["leaky"]', mqtt='user = "board"\n', watch_as=tester,
                           secrets=f'[mqtt]\npassword = "{SECRET}"\n[leaky]\ntoken = "{TOKEN}"\n',
                           files={"leaky.py": self.APPLICATION})
        everything.wait_for(lambda m: b"wrong token ***" in m.payload, "the failure in the log")
        everything.wait_for(lambda m: b"my token is ***" in m.payload, "the log line")
        everything.wait_for(lambda m: b"crash report" in m.payload and m.topic.endswith("/log"), "the crash report")
        told = [self.check(self.mqboard(board, "info", "-o", "json")).text]
        report = json.loads(self.check(self.mqboard(board, "crash", "ls", "-o", "json")).text)[0]["name"]
        told.append(self.check(self.mqboard(board, "crash", "get", report)).text)
        self.assertIn("wrong token ***", told[1])
        told += [m.payload.decode(errors="replace") for m in everything.messages]
        told.append(board.process.stderr())
        for secret in (SECRET, TOKEN):
            self.assertFalse([text for text in told if secret[:8] in text])


if __name__ == "__main__":
    unittest.main()
