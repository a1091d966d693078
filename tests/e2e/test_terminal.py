#!/usr/bin/env python3
"""What an operator sees: a terminal of tmux, keys typed into it, its screen compared with what is expected."""
import os
import random
import re
import shlex
import subprocess
import threading
import time
import unittest

from harness import BIN, DEADLINE_S, EndToEnd
from proxy import Proxy

GREETING = "Python on gateway/test. Ctrl-C interrupts, Ctrl-E is paste mode, Ctrl-] leaves."


class Terminal:
    """A terminal of 90 columns in which a shell command runs; afterwards it shows 'ended with STATUS'."""

    def __init__(self, case, command, env, rows=24):
        self.case = case
        self._server = ["tmux", "-S", str(case.directory / f"tmux-{time.monotonic_ns()}"), "-f", "/dev/null"]
        self._run("new-session", "-d", "-x", "90", "-y", str(rows), f"{command}; echo ended with $?; exec sleep 3600",
                  env=env)
        case.addCleanup(subprocess.run, [*self._server, "kill-server"], capture_output=True)

    def _run(self, *arguments, env=None):
        done = subprocess.run([*self._server, *arguments], capture_output=True, text=True, env=env)
        self.case.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def keys(self, *keys):
        """Names of keys (Enter, C-c, Up), or text."""
        self._run("send-keys", *keys)

    def type(self, *lines):
        """Text, each line ended by Enter."""
        for line in lines:
            if line:
                self._run("send-keys", "-l", line)
            self._run("send-keys", "Enter")

    def screen(self, colours=False):
        lines = self._run("capture-pane", "-p", *(["-e"] if colours else [])).rstrip("\n").split("\n")
        return "\n".join(line.rstrip() for line in lines)

    def _wait(self, holds, failed, colours=False):
        end = time.monotonic() + DEADLINE_S
        while not holds(screen := self.screen(colours)):
            if time.monotonic() > end:
                failed(screen)
                raise AssertionError(f"it was there too late:\n{screen}")
            threading.Event().wait(0.03)
        return screen

    def shows(self, *lines):
        """Waits until exactly these lines are on the screen."""
        expected = "\n".join(lines)
        self._wait(lambda screen: screen == expected, lambda screen: self.case.assertEqual(screen, expected))

    def contains(self, pattern, colours=False):
        """Waits for a regular expression to match somewhere; the match."""
        def failed(screen):
            raise AssertionError(f"no {pattern!r} on the screen:\n{screen}")
        return re.search(pattern, self._wait(lambda screen: re.search(pattern, screen), failed, colours))


class OnATerminal(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server, files={"marker": "x"})

    def terminal(self, *arguments, server=None, **options):
        environment = self.environment | {"MQBOARD_SERVER": server or self.server.url, "MQBOARD_TOPIC": self.b.prefix,
                                          "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        return Terminal(self, " ".join(["mqboard", *(shlex.quote(str(a)) for a in arguments)]), environment, **options)

    def repl(self, **options):
        terminal = self.terminal("repl", **options)
        terminal.shows(GREETING, ">>>")
        return terminal

    def test_statements_are_answered_and_blocks_indented(self):
        terminal = self.repl()
        terminal.type("45+876")
        terminal.shows(GREETING, ">>> 45+876", "921", ">>>")
        terminal.type("for i in range(2):", "print(i)")
        terminal.type("")
        block = [">>> for i in range(2):", "...     print(i)", "...", "0", "1", ">>>"]
        terminal.shows(GREETING, ">>> 45+876", "921", *block)
        terminal.type("1/0")
        terminal.shows(GREETING, ">>> 45+876", "921", *block[:-1], ">>> 1/0", "Traceback (most recent call last):",
                       '  File "<stdin>", line 1, in <module>', "ZeroDivisionError: divide by zero", ">>>")
        terminal.keys("C-d")
        terminal.contains("ended with 0")

    def test_lines_are_edited_and_remembered(self):
        terminal = self.repl()
        terminal.keys("print(13)", "Left", "BSpace", "2", "Home", "x = 5; ", "Enter")
        terminal.shows(GREETING, ">>> x = 5; print(12)", "12", ">>>")
        terminal.type("if x:", "print(x)", "")
        terminal.contains(r"\n5\n>>>$")
        terminal.keys("C-d")
        terminal.contains("ended with 0")
        history = self.directory / "state/mqboard/history"
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)
        again = self.repl()
        again.keys("Up")
        again.shows(GREETING, ">>> if x:", "    print(x)")
        again.keys("Enter")
        again.shows(GREETING, ">>> if x:", "    print(x)", "5", ">>>")
        again.keys("Up", "Up", "Enter")
        again.shows(GREETING, ">>> if x:", "    print(x)", "5", ">>> x = 5; print(12)", "12", ">>>")

    def test_tab_completes_names_of_the_board(self):
        terminal = self.repl()
        terminal.type("import os", "temperature_of_the_cellar = 12", "temperature_of_the_attic = 30")
        said = [GREETING, ">>> import os", ">>> temperature_of_the_cellar = 12", ">>> temperature_of_the_attic = 30"]
        terminal.shows(*said, ">>>")
        terminal.keys("os.listd", "Tab", "('/')")
        terminal.shows(*said, ">>> os.listdir('/')")
        terminal.keys("Enter")
        said += [">>> os.listdir('/')", "['marker']"]
        terminal.shows(*said, ">>>")
        terminal.keys("tempera", "Tab")
        terminal.shows(*said, ">>> temperature_of_the_")
        terminal.keys("Tab", "Tab")
        listed = [">>> temperature_of_the_", "temperature_of_the_attic   temperature_of_the_cellar"]
        terminal.shows(*said, *listed, ">>> temperature_of_the_")
        terminal.keys("c", "Tab", "Enter")
        terminal.shows(*said, *listed, ">>> temperature_of_the_cellar", "12", ">>>")
        terminal.keys("no_such_name", "Tab", "x", "C-u", "2+2", "Enter")
        terminal.shows(*said, *listed, ">>> temperature_of_the_cellar", "12", ">>> 2+2", "4", ">>>")

    def test_pasted_code_is_executed_as_a_whole(self):
        terminal = self.repl()
        terminal.keys("C-e")
        paste = [GREETING, ">>>", "paste mode; Ctrl-C to cancel, Ctrl-D to finish"]
        terminal.shows(*paste, "===")
        terminal.type("def f(x):", "    return x * 2", "", "print(f(21))")
        paste += ["=== def f(x):", "===     return x * 2", "===", "=== print(f(21))", "==="]
        terminal.shows(*paste)
        terminal.keys("C-d")
        terminal.shows(*paste, "42", ">>>")
        terminal.keys("C-e")
        terminal.type("never = 1")
        terminal.keys("C-c")
        terminal.type("'never' in globals()")
        terminal.contains(r"\nFalse\n>>>$")

    def test_ctrl_c_interrupts_what_runs_and_output_is_live(self):
        terminal = self.repl()
        terminal.type("print('running')", "while True: pass", "")
        loop = [GREETING, ">>> print('running')", "running", ">>> while True: pass", "..."]
        terminal.shows(*loop)
        terminal.keys("C-c")
        terminal.contains(r"KeyboardInterrupt:?\n>>>$")
        terminal.type("input('name? ')")
        terminal.contains(r"name\?\nTraceback (?s:.*)EOFError:?\n>>>$")
        terminal.type("import time", "for i in range(100000): print('live', i); time.sleep(0.05)", "")
        terminal.contains(r"live 3\n")
        terminal.keys("C-c")
        terminal.contains(r"KeyboardInterrupt:?\n>>>$")
        terminal.keys("not sent")
        terminal.contains(r">>> not sent$")
        terminal.keys("C-c")
        terminal.contains(r">>> not sent\nKeyboardInterrupt\n>>>$")
        terminal.type("6*7")
        terminal.contains(r"\n42\n>>>$")

    def test_ctrl_bracket_leaves_also_while_something_runs(self):
        terminal = self.repl()
        terminal.keys("C-]")
        terminal.shows(GREETING, ">>>", "ended with 0")
        terminal = self.repl()
        terminal.type("print('on'); exec('while True: pass')")
        terminal.shows(GREETING, ">>> print('on'); exec('while True: pass')", "on")
        terminal.keys("C-]")
        terminal.contains("ended with 0")
        self.assertEqual(self.check(self.mqboard(self.b, "eval", "1+1")).out, b"2\n", "what ran was interrupted")

    def test_a_transfer_shows_progress_with_rate_and_time_left(self):
        slow = Proxy(self.server.port, slice_bytes=8192, bytes_per_s=200_000)
        self.addCleanup(slow.close)
        content = random.Random(5).randbytes(600_000)
        local = self.directory / "picture.raw"
        local.write_bytes(content)
        terminal = self.terminal("put", local, "/picture.raw", server=slow.url)
        shown = terminal.contains(r"picture\.raw \[=+ +\] +(\d+)% +([\d.]+) kB +([\d.]+) kB/s +(\d):(\d\d)$")
        percent, done, rate = int(shown[1]), float(shown[2]), float(shown[3])
        self.assertEqual(percent, int(done * 1000 * 100 / len(content)))
        self.assertLess(rate, 400, "the link carries 200 kB/s, and the board's window is ahead of it")
        self.assertLess(int(shown[4]) * 60 + int(shown[5]), 30)
        terminal.shows("ended with 0")
        self.assertEqual((self.b.flash / "picture.raw").read_bytes(), content)
        terminal = self.terminal("get", "/picture.raw", self.directory / "back", server=slow.url)
        terminal.contains(r"^/?picture\.raw \[=+ +\] +\d+% +[\d.]+ kB +[\d.]+ kB/s +\d:\d\d$")
        terminal.shows("ended with 0")
        quiet = self.terminal("-q", "get", "/picture.raw", self.directory / "quiet", server=slow.url)
        quiet.shows("ended with 0")

    def test_waiting_for_a_board_that_sleeps_is_shown_until_it_is_awake(self):
        status = self.peer(self.server, f"{self.b.prefix}/mqb/status")
        self.mqboard(self.b, "eval", "machine.deepsleep(6000)")
        status.wait_for(lambda m: b'"sleeping":true' in m.payload, "asleep")
        terminal = self.terminal("-T", "30", "eval", "6*7")
        terminal.contains(r"^board gateway/test is asleep until \S+ \S+ UTC: waiting$")
        terminal.shows("42", "ended with 0")

    def test_the_log_has_colours_on_a_terminal_only(self):
        source = "import logging; log = logging.getLogger('oven'); log.info('warm'); log.error('hot')"
        terminal = self.terminal("view", "-n", "2", "--name", "oven")
        logged = threading.Event()
        writer = threading.Thread(target=self.log_until, args=(logged, source))
        writer.start()
        try:
            terminal.contains("\x1b\\[32mI [0-9:.]+ +oven: warm", colours=True)
            terminal.contains("\x1b\\[[0-9;]*31m(\x1b\\[1m)?E [0-9:.]+ +oven: hot|\x1b\\[1m\x1b\\[31mE .*oven: hot",
                              colours=True)
            piped = self.check(self.mqboard(self.b, "view", "-n", "2", "--name", "oven"))
        finally:
            logged.set()
            writer.join()
        self.assertNotIn("\x1b", piped.text)
        self.assertEqual(piped.err, "")

    def log_until(self, logged, source):
        while not logged.is_set():
            self.mqboard(self.b, "eval", source)

    def test_a_pipe_gets_nothing_but_data(self):
        content = random.Random(6).randbytes(300_000)
        local = self.directory / "data.bin"
        local.write_bytes(content)
        for arguments, out in ((("put", local, "/data.bin"), b""), (("get", "/data.bin", "-"), content),
                               (("cat", "/data.bin"), content), (("rm", "/data.bin"), b""),
                               (("ls",), b"marker\n"), (("eval", "'a'"), b"'a'\n"),
                               (("reset", "--soft", "--wait"), b""), (("discover",), None)):
            result = self.check(self.mqboard(self.b, *arguments))
            self.assertEqual(result.err, "", arguments)
            if out is not None:
                self.assertEqual(result.out, out, arguments)


if __name__ == "__main__":
    unittest.main()
