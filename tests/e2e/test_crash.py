#!/usr/bin/env python3
"""Every kind of death leaves a report that `mqboard crash` shows: cause, firmware, uptime, last log lines, traces."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from booted import BootTest
from harness import BIN, wait_until

FAST_WATCHDOG = '[watchdog]\ntimeout = "2s"\nallok = "1s"\n'

CRASHING = """
import asyncio, logging
log = logging.getLogger('crashing')
async def start(mqtt, config):
    log.warning('about to divide')
    await asyncio.sleep(0.1)
    return 1 / 0
"""

HANGING = """
import asyncio, logging
log = logging.getLogger('hanging')
async def start(mqtt, config):
    log.warning('never to return')
    await asyncio.sleep(1)
    spin()
def spin():
    while True:
        pass
"""


class Crash(BootTest):
    def setUp(self):
        super().setUp()
        self.server = self.broker()

    def version(self):
        said = subprocess.run([BIN / "mqboardd", "--version"], capture_output=True, check=True).stdout
        return said.decode().split()[1]

    def next_start(self, board, cause):
        """The first status of a start after `cause`."""
        return board.statuses.wait_for(lambda s: s["boot"]["reset_cause"] == cause, f"a start after {cause}")

    def facts_hold(self, report, boot=1):
        self.assertEqual(self.field(report, "firmware"), self.version())
        self.assertEqual(self.field(report, "image"), "factory factory normal")
        self.assertEqual(self.field(report, "boot"), str(boot))
        self.assertGreater(int(self.field(report, "uptime_ms")), 0)
        self.assertGreater(int(self.field(report, "time_s")), 1_600_000_000)
        self.assertIn("reset cause", self.section(report, "log"))

    def test_an_applications_exception_with_its_traceback_and_the_others_run_on(self):
        log = self.peer(self.server, "gateway/test/log")
        board = self.booted(self.server, board='modules = ["crashing"]', files={"crashing.py": CRASHING})
        log.wait_for(lambda m: b"crash report 00000001" in m.payload, "the announcement")
        report = self.crash_report(board, "exception: crashing")
        self.facts_hold(report)
        self.assertIn('File "crashing.py", line 7, in start', self.section(report, "traceback"))
        self.assertIn("ZeroDivisionError: divide by zero", self.section(report, "traceback"))
        self.assertIn("about to divide", self.section(report, "log"))
        self.assertEqual(self.section(report, "backtrace"), "")
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")

    def test_a_segfault_has_a_native_backtrace_and_is_announced_by_the_next_start(self):
        log = self.peer(self.server, "gateway/test/log")
        board = self.booted(self.server)
        self.check(self.mqboard(board, "eval", "import logging; logging.getLogger('app').warning('last words')"))
        board.kill_firmware(signal.SIGSEGV)
        self.next_start(board, "crash")
        log.wait_for(lambda m: b"crash report 00000001: signal: SIGSEGV" in m.payload, "the announcement")
        report = self.crash_report(board, "signal: SIGSEGV")
        self.facts_hold(report)
        backtrace = self.section(report, "backtrace")
        self.assertRegex(backtrace, r"^signal 11 sent by process \d+\n#0 ")
        self.assertRegex(backtrace, r"#\d+ mqboardd\+0x[0-9a-f]+")
        self.assertIn("last words", self.section(report, "log"))
        info = json.loads(self.check(self.mqboard(board, "info", "-o", "json")).text)
        self.assertEqual(next(value for name, value in info.items() if name.endswith("crash_reports")), 1)

    def test_a_kill_is_told_from_a_crash(self):
        board = self.booted(self.server)
        board.kill_firmware(signal.SIGKILL)
        self.next_start(board, "crash")
        report = self.crash_report(board, "killed: SIGKILL by another process")
        self.facts_hold(report)
        board.kill_firmware(signal.SIGABRT)
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the third start")
        report = self.crash_report(board, "signal: SIGABRT")
        self.facts_hold(report, boot=2)
        self.assertIn("epoll_wait", self.section(report, "backtrace"))

    def test_the_kernels_killer_of_what_takes_too_much_memory_is_told_from_a_kill(self):
        group = self.memory_group(8_000_000)
        board = self.booted(self.server, board='heap = "64MB"')
        (group / "cgroup.procs").write_text(str(board.firmware_pid()))
        self.start_mqboard(board, "eval", "len(bytearray(40_000_000))")
        self.next_start(board, "crash")
        self.facts_hold(self.crash_report(board, "out_of_memory: SIGKILL by the kernel"))
        board.kill_firmware()
        board.statuses.wait_for(lambda s: s["boot"]["count"] == 3, "the third start")
        self.assertIn("killed", list(self.crash_reports(board).values())[-1])

    def memory_group(self, limit_bytes):
        """A control group whose processes may have so much memory; the test is skipped where none can be made."""
        root = pathlib.Path("/sys/fs/cgroup")
        first = (root / "memory").is_dir()  # version 1 of control groups
        group = (root / "memory" if first else root) / f"mqb-test-{os.getpid()}"
        try:
            group.mkdir()
            self.addCleanup(group.rmdir)
            (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit_bytes))
        except OSError as error:
            self.skipTest(f"no control group: {error}")
        return group

    def test_a_stack_overflow_names_the_thread_and_has_a_backtrace(self):
        board = self.booted(self.server, preload=BIN / "mqb_deep_fstatvfs.so")
        log = self.peer(self.server, "gateway/test/log")
        for number, (thread, request) in enumerate((("python", ("eval", "import os; os.statvfs('/')")),
                                                    ("main", ("info",))), 1):
            self.start_mqboard(board, *request)
            log.wait_for(lambda m, id_=number: b"crash report %08d: signal: SIGSEGV: stack" % id_ in m.payload,
                         f"the announcement of report {number}")
            report = self.crash_report(board, f"signal: SIGSEGV: stack overflow of thread {thread}")
            self.facts_hold(report, boot=number)
            self.assertRegex(self.section(report, "backtrace"),
                             r"^signal 11 at address 0x[0-9a-f]+\n#0 mqb_deep_fstatvfs.so\+0x[0-9a-f]+\n")

    def test_a_hung_application_is_reset_and_where_it_hung_is_kept(self):
        board = self.booted(self.server, config=FAST_WATCHDOG, board='modules = ["hanging"]',
                            files={"hanging.py": HANGING})
        self.next_start(board, "watchdog")
        report = wait_until(lambda: self.crash_report(board, "watchdog: not patted for 2000 ms"), "the report")
        self.facts_hold(report)
        self.assertIn("in spin", self.section(report, "traceback"))
        self.assertIn("KeyboardInterrupt", self.section(report, "traceback"))
        self.assertRegex(self.section(report, "backtrace"), r"signal 3 sent by process \d+\n#0 ")
        self.assertIn("never to return", self.section(report, "log"))
        self.assertRegex(self.section(report, "log"), "the watchdog was not fed; Python: ")
        # … and in the list.
        self.assertRegex(next(iter(self.crash_reports(board).values())),
                         r'^watchdog: not patted for 2000 ms: File "hanging.py", line \d+, in spin$')

    def test_a_starved_firmware_that_does_not_answer_is_reset_all_the_same(self):
        board = self.booted(self.server, config=FAST_WATCHDOG)
        board.kill_firmware(signal.SIGSTOP)
        self.next_start(board, "watchdog")
        self.facts_hold(self.crash_report(board, "watchdog"))

    def test_a_trap_of_the_interpreter_has_its_source_and_the_board_goes_on(self):
        board = self.booted(self.server)
        trapped = self.mqboard(board, "eval", "import uctypes\nprint(uctypes.bytearray_at(0x7ffffff0, 16)[0])")
        self.assertIn("interpreter crashed (out of bounds memory access)", self.check(trapped, 1).err)
        report = self.crash_report(board, "interpreter_trap: out of bounds memory access in eval")
        self.facts_hold(report)
        self.assertIn("bytearray_at", self.section(report, "traceback"))
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")

    def test_memory_that_runs_out_and_an_exception_in_main_py_are_reports_too(self):
        board = self.booted(self.server, files={"main.py": "x = []\nwhile True:\n    x.append(bytearray(5000))\n"})
        report = wait_until(lambda: self.crash_reports(board) and self.crash_report(board, "exception: main.py"),
                            "the report")
        self.assertIn("MemoryError", self.section(report, "traceback"))
        self.assertEqual(self.check(self.mqboard(board, "eval", "x = None\n45+876")).status, 0)

    def test_reports_are_bounded_listed_and_removed(self):
        board = self.booted(self.server)
        store = board.slots / "crash"

        def kill(starts):
            board.kill_firmware()
            board.statuses.wait_for(lambda s: s["boot"]["count"] == starts, f"start {starts}")

        kill(2)
        for number in range(2, 16):
            (store / f"{number:08}").write_bytes((store / "00000001").read_bytes())
        kill(3)
        kill(4)
        names = sorted(self.crash_reports(board))
        self.assertEqual((len(names), names[0], names[-1]), (16, "00000002", "00000017"))
        self.assertEqual(len(list(store.iterdir())), 16)
        self.check(self.mqboard(board, "crash", "rm", names[0]))
        self.assertEqual(sorted(self.crash_reports(board)), names[1:])
        self.assertIn("no crash report '99'", self.check(self.mqboard(board, "crash", "get", "99"), 1).err)
        self.check(self.mqboard(board, "crash", "rm", "--all"))
        self.assertEqual(self.crash_reports(board), {})


if __name__ == "__main__":
    unittest.main()
