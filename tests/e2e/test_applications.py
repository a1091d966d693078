#!/usr/bin/env python3
"""Whatever an application does to its interpreter and its board, an operator reaches the board and replaces it."""
import unittest

from booted import BootTest
from harness import wait_until

APPLICATIONS = {
    "swallows every exception": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "never leaves its finally": "while True:\n try:\n  while True: pass\n finally: continue",
    "turns interrupts off": """
import micropython, machine
micropython.kbd_intr(-1)
machine.disable_irq()
while True: pass
""",
    "recurses from its handler": "def f():\n try: f()\n except: f()\nf()",
    "a generator that cannot be closed": """
def g():
    while True:
        try: yield 1
        except GeneratorExit: pass
for x in g(): pass
""",
    "locks the heap": "import micropython\nmicropython.heap_lock()\nwhile True: pass",
    "fills the heap": """
import gc
gc.disable()
kept = []
for size in (1000, 10):
    try:
        while True: kept.append(bytearray(size))
    except MemoryError: pass
while True: pass
""",
    "asks for too much": "try: 'x' * 10**12\nexcept MemoryError: pass\nimport os\nos.urandom(10**9)",
    "an expression too deep": "exec('x = (' + '(' * 100000 + ')' * 100000 + ')')",
    "a match without end": "import re\nre.match('(a*)*(a*)*(a*)*b', 'a' * 60)",
    "a number without end": "pow(3, 10**8)",
    "a sum without end": "sum(range(10**15))",
    "takes the builtins away": """
import builtins
for name in ('exec', 'eval', 'compile', 'print', 'repr', 'str', 'type', 'Exception', 'BaseException'):
    setattr(builtins, name, None)
""",
    "takes the modules away": "import sys\nsys.modules.clear()\nglobals().clear()",
    "takes the file system away": "import os\nos.umount('/')",
    "takes all descriptors": """
kept = []
try:
    while True: kept.append(open('/f%d' % len(kept), 'w'))
except OSError: pass
import socket
try:
    while True: kept.append(socket.socket())
except OSError: pass
""",
    "stops the event loop": "import asyncio\nasyncio.get_event_loop().stop()\nasyncio.new_event_loop()",
    "a timer that never returns": """
import machine
def struck(timer):
    while True: pass
machine.Timer(-1).init(period=1, callback=struck)
""",
    "schedules itself for ever": "import micropython\ndef f(x): micropython.schedule(f, 0)\nf(0)",
    "floods the log": "while True: print('x' * 1000)",
    "floods the broker": "import mqtt\nwhile True: mqtt.publish('gateway/flood', b'x' * 1000, qos=1)",
    "turns the network off": "import network\nnetwork.WLAN(network.STA_IF).active(False)",
    "sleeps for years": "import time\ntime.sleep(10**9)",
    "leaves": "import sys\nsys.exit()",
}


class Applications(BootTest):
    def test_the_operator_replaces_what_does_its_worst(self):
        board = self.booted(self.broker(), config='[watchdog]\ntimeout = "60s"\nallok = "60s"\n')
        program, begun = self.directory / "main.py", board.flash / "begun"
        for number, (name, source) in enumerate(APPLICATIONS.items(), 1):
            with self.subTest(name):
                program.write_text(f"with open('/begun', 'w') as f: f.write('{name}')\n{source}\n")
                self.check(self.mqboard(board, "put", program, "/main.py"))
                self.check(self.mqboard(board, "reset", "--wait"))
                wait_until(lambda name=name: begun.exists() and begun.read_text() == name, "its first deed")
                for verb in ("info", "interrupt", "info"):
                    self.check(self.mqboard(board, verb))
                self.assertEqual(len(board.statuses.lives()), 1 + number, "only the operator resets")
        program.write_text("print('in order')\n")
        self.check(self.mqboard(board, "put", program, "/main.py"))
        self.check(self.mqboard(board, "reset", "--wait"))
        self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")


if __name__ == "__main__":
    unittest.main()
