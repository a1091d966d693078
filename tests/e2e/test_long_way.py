#!/usr/bin/env python3
"""What 100 ms of round trip cost: counted in round trips at the proxy, not in seconds of this machine."""
import itertools
import os
import pty
import random
import select
import signal
import time
import unittest

from harness import DEADLINE_S, EndToEnd
from proxy import Proxy

RTT_S = 0.1


class LongWay(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server)
        self.proxy = Proxy(self.server.port, RTT_S / 2)
        self.addCleanup(self.proxy.close)

    def far(self, *arguments, **options):
        start = time.monotonic()
        result = self.check(self.mqboard(self.b, *arguments, env={"MQBOARD_SERVER": self.proxy.url}, **options))
        return result, (time.monotonic() - start) / RTT_S

    def test_an_eval_takes_two_and_a_half_round_trips_with_connecting(self):
        # TCP's own handshake ends at the proxy; the rest is CONNECT+SUBSCRIBE+PUBLISH and the answer.
        self.assert_at_best(lambda: self.far("eval", "45+876")[1], 2.5)

    def test_an_interrupt_strikes_after_one_way(self):
        watcher = self.peer(self.server, f"{self.b.prefix}/mqb/reply/#", qos=0)
        script = self.directory / "loop.py"
        script.write_text("print('started')\ntry:\n while True: pass\nexcept KeyboardInterrupt: print('struck')\n")

        def once():
            watcher.clear()
            run = self.start_mqboard(self.b, "exec", script, env={"MQBOARD_SERVER": self.proxy.url})
            self.assertEqual(run.stdout.readline(), b"started\n")
            start = time.monotonic()
            run.send_signal(signal.SIGINT)
            watcher.wait_for(lambda m: b"struck" in m.payload, "the interrupt")
            taken = time.monotonic() - start
            run.communicate(timeout=30)
            return taken

        self.assert_at_best(once, RTT_S / 2 + 0.1)

    def test_the_repl_answers_a_line_in_one_round_trip(self):
        terminal, theirs = pty.openpty()
        repl = self.start_mqboard(self.b, "repl", env={"MQBOARD_SERVER": self.proxy.url}, terminal=theirs)
        os.close(theirs)
        screen = b""

        def shown(text):
            nonlocal screen
            while text not in screen:
                ready, _, _ = select.select([terminal], [], [], DEADLINE_S)
                self.assertTrue(ready, screen)
                screen += os.read(terminal, 65536)
            screen = screen.partition(text)[2]

        numbers = itertools.count(1000, 1000)

        def once():
            number = next(numbers)
            os.write(terminal, b"%d+1\r" % number)
            start = time.monotonic()
            shown(b"\n%d\r\n" % (number + 1))
            taken = time.monotonic() - start
            shown(b">>> ")
            return taken / RTT_S

        shown(b">>> ")
        best = self.assert_at_best(once, 1.5)
        os.write(terminal, b"\x1d")  # Ctrl-]
        self.assertEqual(repl.wait(DEADLINE_S), 0)
        os.close(terminal)
        self.assertGreaterEqual(best, 1)

    def test_files_of_1_5_mb_each_way_are_whole(self):
        local, back = self.directory / "local", self.directory / "back"
        content = random.Random(11)

        def put():
            local.write_bytes(content.randbytes(1_500_000))
            taken = self.far("put", local, "/big")[1]
            self.assertEqual((self.b.flash / "big").read_bytes(), local.read_bytes())
            return taken

        def get():
            back.unlink(missing_ok=True)
            taken = self.far("get", "/big", back)[1]
            self.assertEqual(back.read_bytes(), local.read_bytes())
            return taken

        self.assert_at_best(put, 12)
        self.assert_at_best(get, 12)


if __name__ == "__main__":
    unittest.main()
