#!/usr/bin/env python3
"""Boards that sleep, under mqboot and without, by themselves and because the application wants to; their operators."""
import json
import os
import signal
import time
import unittest

from harness import BIN, Board, EndToEnd, Process
from proxy import Proxy

NAP = """
import machine
rtc = machine.RTC()
n = len(rtc.memory())
print('start', n, machine.reset_cause() == machine.DEEPSLEEP_RESET, machine.wake_reason() == machine.TIMER_WAKE)
if n < 2:
    rtc.memory(b'x' * (n + 1))
    machine.deepsleep(1000)
"""


class BootedBoard(Board):
    """A mqboardd started by mqboot, as its factory firmware."""

    def start(self):
        slots = self.directory / "slots"
        self.process = Process([BIN / "mqboot", "--factory", BIN / "mqboardd", "--slots", slots, "--flash", self.flash,
                                "--config", self.config], self.directory, "mqboot")


class Power(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()

    def sleeper(self, kind=Board, prefix="gateway/test", **options):
        """A board that may be asleep again before anybody looks; its status and log in order."""
        status = self.peer(self.server, f"{prefix}/mqb/status")
        log = self.peer(self.server, f"{prefix}/log")
        board = kind(self.directory, self.server, prefix, **options)
        self.addCleanup(lambda: board.process.close())
        return board, status, log

    def proxy(self, one_way_s):
        proxy = Proxy(self.server.port, one_way_s)
        self.addCleanup(proxy.close)
        return proxy

    def naps(self, kind, **options):
        """Sleeps twice; RTC memory is kept and the reset cause is right. The statuses seen."""
        _, status, log = self.sleeper(kind, files={"main.py": NAP}, **options)
        log.wait_for(lambda m: b"start 2 True True" in m.payload, "the third start")
        lines = [m.payload.split(b"print: ")[1] for m in log.messages if b"print: start" in m.payload]
        self.assertEqual(lines, [b"start 0 False False", b"start 1 True True", b"start 2 True True"])
        status.wait_count(3, lambda m: json.loads(m.payload)["online"])
        return [json.loads(m.payload) for m in status.messages]

    def check_naps(self, statuses):
        asleep = [s for s in statuses if not s["online"]]
        self.assertEqual(len(asleep), 2, statuses)
        for s in asleep:
            self.assertEqual((s["sleeping"], s["reason"]), (True, "deep_sleep"))
            self.assertLess(abs(s["wakes_at"] - time.time()), 60)
        self.assertTrue(all("sleeping" not in s for s in statuses if s["online"]))
        self.assertEqual(statuses[-1]["boot"]["reset_cause"], "deep_sleep")

    def test_deepsleep_under_mqboot_ends_the_firmware_and_keeps_rtc_memory(self):
        self.check_naps(self.naps(BootedBoard))

    def test_deepsleep_without_mqboot_makes_the_board_anew_in_the_process(self):
        self.check_naps(self.naps(Board))

    def test_an_application_that_sleeps_at_once_is_heard_first_however_long_the_way(self):
        self.check_naps(self.naps(BootedBoard, mqtt=f'server = "{self.proxy(0.2).url}"\n'))

    def test_a_board_that_sleeps_as_soon_as_it_starts_can_be_managed_from_far_away(self):
        board, status, log = self.sleeper(BootedBoard, files={"main.py": "import machine\nmachine.deepsleep(1500)"})
        request = self.peer(self.server, f"{board.prefix}/mqb/cmd/stay_awake")
        status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep")
        self.check(self.mqboard(board, "-T", "30", "rm", "/main.py", env={"MQBOARD_SERVER": self.proxy(0.3).url}))
        request.wait_for(lambda m: not m.payload, "the request to stay awake taken back")
        log.wait_for(lambda m: b"staying awake" in m.payload, "the board saying so")
        self.assertFalse((board.flash / "main.py").exists())

    def test_the_reset_button_wakes_a_board_that_sleeps_for_long(self):
        board, status, _ = self.sleeper(BootedBoard, files={"main.py": """
import machine
if machine.reset_cause() != machine.HARD_RESET:
    machine.deepsleep(3600000)
"""})
        status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep")
        os.kill(board.process.pid, signal.SIGUSR1)
        status.wait_for(lambda m: json.loads(m.payload)["boot"]["reset_cause"] == "hard_reset", "awake")

    def test_lightsleep_leaves_the_board_connected_and_manageable(self):
        board = self.board(self.server, files={"x": b"1"})
        stuck = self.start_mqboard(board, "-T", "30", "eval", "machine.lightsleep(1000); 'woke'")
        self.assertEqual(self.check(self.mqboard(board, "cat", "/x")).text, "1")
        out, err = stuck.communicate(timeout=30)
        self.assertEqual(stuck.returncode, 0, err)

    def test_a_board_that_wakes_periodically_sleeps_by_itself_and_says_until_when(self):
        board, status, _ = self.sleeper(config="[power]\nwake_every = 4\nstay_awake = 1\n")
        first = status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep")
        self.assertEqual(json.loads(first.payload)["wake_every"], 4)
        status.wait_for(lambda m: json.loads(m.payload)["boot"]["reset_cause"] == "deep_sleep"
                        and json.loads(m.payload)["online"], "awake again")

    def test_it_stays_awake_under_an_operator(self):
        board, status, _ = self.sleeper(config="[power]\nwake_every = 60\nstay_awake = 4\n")
        status.wait_for(lambda m: json.loads(m.payload)["online"], "online")
        # Each longer than the window, begun within it: a v1 request, and a channel.
        source = b"import time\ntime.sleep(4.5)\nprint('done')\n"
        calls = [self.start_mqboard(board, "-T", "30", verb, "-") for verb in ("eval", "exec")]
        for call in calls:
            call.stdin.write(source)
            call.stdin.close()
        for call in calls:
            self.assertEqual(call.wait(30), 0, call.stderr.read())
            self.assertEqual(call.stdout.read(), b"done\n")
        self.assertFalse(any(json.loads(m.payload).get("sleeping") for m in status.messages))
        status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep, once nobody is there")

    def test_an_applications_deepsleep_waits_for_the_operator(self):
        board = self.board(self.server)
        told = self.peer(self.server, f"{board.prefix}/mqb/status", f"{board.prefix}/mqb/reply/out/slowput1",
                         f"{board.prefix}/log")
        put = f"{board.prefix}/mqb/cmd/put/slowput1/slow.txt"
        told.publish(put, b"\x00\x00first,")
        self.check(self.mqboard(board, "eval", """
import asyncio
async def nap():
    print('about to sleep')
    machine.deepsleep(60000)
asyncio.create_task(nap())
"""))
        told.wait_for(lambda m: b"about to sleep" in m.payload, "the application")
        told.publish(put, b"\x80\x01second")
        told.wait_for(lambda m: m.payload == b"\xff\xffOK", "the reply")
        told.wait_for(lambda m: b'"sleeping":true' in m.payload, "asleep")
        self.assertEqual((board.flash / "slow.txt").read_text(), "first,second")
        order = [m.payload for m in told.messages if m.payload == b"\xff\xffOK" or b'"sleeping":true' in m.payload]
        self.assertEqual(order[0], b"\xff\xffOK")

    def test_the_operators_tool_waits_for_a_sleeping_board_as_long_as_told(self):
        board, status, _ = self.sleeper(files={"x": b"1"}, config="[power]\nwake_every = 3\nstay_awake = 1\n")
        for arguments, expected in ((("eval", "6*7"), "42\n"), (("cat", "/x"), "1")):
            status.clear()
            status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep")
            self.assertEqual(self.check(self.mqboard(board, "-T", "30", *arguments)).text, expected)

    def test_a_board_that_sleeps_longer_is_an_error_at_once_that_says_until_when(self):
        board, status, _ = self.sleeper(files={"main.py": "import machine\nmachine.deepsleep(600000)"})
        status.wait_for(lambda m: json.loads(m.payload).get("sleeping"), "asleep")
        for arguments in (("eval", "6*7"), ("cat", "/x"), ("info",)):
            result = self.check(self.mqboard(board, "-T", "120", *arguments), status=4)
            self.assertIn(f"board {board.prefix} is asleep until 20", result.err)
        self.assertIn("asleep", self.check(self.mqboard(board, "discover", "--wait", "0.1")).text)


class Resumption(EndToEnd):
    def test_a_wake_takes_up_the_tls_session_of_before(self):
        certificates = self.certificates()
        server = self.broker(certificates=certificates)
        log = self.peer(server, "gateway/test/log")
        board = BootedBoard(self.directory, server, files={"main.py": NAP},
                            mqtt=f'server = "{server.tls_url}"\ncafile = "{certificates.ca}"\n')
        self.addCleanup(lambda: board.process.close())
        log.wait_for(lambda m: b"start 2 True True" in m.payload, "the third start")
        log.wait_count(3, lambda m: b"connected to" in m.payload)
        resumed = [b"TLS resumed" in m.payload for m in log.messages if b"connected to" in m.payload]
        self.assertEqual(resumed, [False, True, True])


if __name__ == "__main__":
    unittest.main()
