#!/usr/bin/env python3
"""An application that loops for ever, making garbage or not, does not take the board away from its operator."""
import os
import time
import unittest

from harness import EndToEnd

# A minute in a long run; CI takes a few seconds of it.
GARBAGE_S = float(os.environ.get("MQB_GARBAGE_S", "5"))


class StuckPython(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()

    def stuck_board(self, loop):
        application = f"import logging\nlogging.getLogger('app').warning('looping')\n{loop}\n"
        log = self.peer(self.server, "gateway/test/log")
        board = self.board(self.server, files={"main.py": application, "data.txt": "0123456789" * 10})
        log.wait_for(lambda m: b"looping" in m.payload, "the application's log")
        return board

    def still_manageable(self, board):
        self.assertIn("main.py", self.check(self.mqboard(board, "ls", "/")).text)
        self.assertEqual(self.check(self.mqboard(board, "cat", "/data.txt")).text, "0123456789" * 10)
        local = self.directory / "new"
        local.write_text("print('fixed')\n")
        self.check(self.mqboard(board, "put", local, "/new.py"))
        self.assertEqual((board.flash / "new.py").read_text(), "print('fixed')\n")

    def interrupted(self, board):
        log = self.peer(self.server, f"{board.prefix}/log")
        self.check(self.mqboard(board, "interrupt"))
        log.wait_for(lambda m: b"KeyboardInterrupt" in m.payload, "KeyboardInterrupt in the log")
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")

    def test_an_endless_loop(self):
        board = self.stuck_board("while True: pass")
        self.still_manageable(board)
        self.interrupted(board)

    def test_a_loop_making_garbage_keeps_memory_flat(self):
        board = self.stuck_board("i = 0\nwhile True:\n    i += 1\n    x = [str(i)] * 100")
        self.still_manageable(board)
        before = board.rss_kb()
        end = time.monotonic() + GARBAGE_S
        while time.monotonic() < end:
            self.still_manageable(board)
        self.assertLess(board.rss_kb(), before + 1024)
        self.interrupted(board)

    def test_a_runaway_eval_is_interrupted_and_says_so(self):
        board = self.board(self.server)
        stuck = self.start_mqboard(board, "-T", "20", "eval", "while True: pass")
        self.peer(self.server, "#").wait_for(lambda m: True, "the broker")  # the retained status: subscriptions work
        while stuck.poll() is None:
            self.check(self.mqboard(board, "interrupt"))
        out, err = stuck.communicate()
        self.assertEqual((stuck.returncode, out), (1, b""), err)
        self.assertIn(b"KeyboardInterrupt", err)

    def test_recursion_and_exhausted_memory_are_exceptions_and_the_board_goes_on(self):
        board = self.board(self.server)
        for source, error in (("def f(): f()\nf()", "RuntimeError"),
                              ("x=[]\nwhile 1: x.append(bytearray(1000))", "MemoryError"),
                              ("bytearray(1<<28)", "MemoryError")):
            result = self.mqboard(board, "eval", source)
            self.assertEqual(result.status, 1)
            self.assertIn(error, result.err)
            self.mqboard(board, "eval", "x=None")
            self.assertEqual(self.check(self.mqboard(board, "eval", "1+1")).text, "2\n")


if __name__ == "__main__":
    unittest.main()
