#!/usr/bin/env python3
"""machine.UART of a board whose port is a pseudo-terminal: a sensor's script reads lines from it and publishes them, an
operator looks in meanwhile, the port goes and comes back. What board.toml does not name is said so."""
import contextlib
import os
import pathlib
import pty
import select
import time
import tty
import unittest

from harness import DEADLINE_S, EndToEnd, wait_until

SENSOR = """
import time, sys
from machine import UART
from umqtt.simple import MQTTClient

uart = UART(1, baudrate=9600, tx=17, rx=16, timeout=60000)
client = MQTTClient('sensor', '127.0.0.1', port=%d)
client.connect()
print('on', sys.platform)
uart.write('START\\r\\n')
while True:
    line = uart.readline()
    if line:
        client.publish(b'lab/line', line.strip())
        uart.write(b'OK %%d\\r\\n' %% len(line))
"""

ECHO = """
import asyncio
from machine import UART

async def echo(uart):
    reader = asyncio.StreamReader(uart)
    writer = asyncio.StreamWriter(uart, {})
    writer.write('here\\n')
    while True:
        line = await reader.readline()
        writer.write(b'you said ' + line)
        await writer.drain()

def start(mqtt, config):
    mqtt.watched(echo, UART(config['port'], 115200))
"""


class Port:
    """A pseudo-terminal: `path` is what the board opens, the rest is what is connected to it."""

    def __init__(self, link):
        self._master, self._port = pty.openpty()
        tty.setraw(self._port)
        self._got = b""
        self.path = link
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(os.ttyname(self._port), link)

    def send(self, data):
        os.write(self._master, data)

    def receive_line(self):
        end = time.monotonic() + DEADLINE_S
        while b"\n" not in self._got:
            if not select.select([self._master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no line, only {self._got!r}")
            self._got += os.read(self._master, 4096)
        line, _, self._got = self._got.partition(b"\n")
        return line + b"\n"

    def close(self):
        for descriptor in (self._port, self._master):
            os.close(descriptor)


class Uart(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.unplugged = []
        self.port = self.plug_in()

    def plug_in(self):
        port = Port(str(self.directory / "ttySensor"))
        self.addCleanup(lambda: port in self.unplugged or port.close())
        return port

    def unplug(self):
        self.unplugged.append(self.port)
        os.unlink(self.port.path)
        self.port.close()

    def start(self, **options):
        config = f'[uart]\n1 = "{self.port.path}"\n' + options.pop("config", "")
        return self.board(self.server, config=config, **options)

    @staticmethod
    def open_ports(board):
        count = 0
        for descriptor in pathlib.Path(f"/proc/{board.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += os.readlink(descriptor).startswith("/dev/pts/")
        return count

    def evaluate(self, board, source):
        return self.check(self.mqboard(board, "eval", source)).text

    def test_a_sensors_script_reads_lines_while_an_operator_looks_in(self):
        lines = self.peer(self.server, "lab/line")
        log = self.peer(self.server, "gateway/test/log")
        board = self.start(files={"main.py": SENSOR % self.server.port})
        self.assertEqual(self.port.receive_line(), b"START\r\n")
        for number in range(3):
            self.port.send(b"t=2%d.5\r\n" % number)
            self.assertEqual(self.port.receive_line(), b"OK 8\r\n")
            # The script waits for its next line.
            self.assertEqual(self.evaluate(board, "6 * 7"), "42\n")
        self.assertEqual([m.payload for m in lines.wait_count(3)], [b"t=20.5", b"t=21.5", b"t=22.5"])
        log.wait_for(lambda m: b"on linux" in m.payload)
        # It waits for a minute, but is interrupted at once.
        self.check(self.mqboard(board, "interrupt"))
        log.wait_for(lambda m: b"main.py interrupted" in m.payload)

    def test_an_asyncio_module_answers_and_survives_the_port(self):
        board = self.start(board='modules = ["echo"]', files={"echo.py": ECHO}, config="[echo]\nport = 1\n")
        log = self.peer(self.server, "gateway/test/log")
        self.assertEqual(self.port.receive_line(), b"here\n")
        self.port.send(b"one\ntwo\n")
        self.assertEqual(self.port.receive_line(), b"you said one\n")
        self.assertEqual(self.port.receive_line(), b"you said two\n")
        self.unplug()
        log.wait_for(lambda m: b"echo failed" in m.payload)
        self.assertIn("OSError", self.mqboard(board, "eval", "__import__('machine').UART(1)").err)
        self.port = self.plug_in()
        self.evaluate(board, "import machine; u = machine.UART(1, timeout=30000); u.write('back\\n')")
        self.assertEqual(self.port.receive_line(), b"back\n")
        wait_until(lambda: self.open_ports(board) == 1, "the old port to be closed")

    def test_what_board_toml_does_not_name_or_the_host_does_not_have(self):
        board = self.start(config='[i2c]\n0 = "/dev/i2c-987"\n')
        for source, what in (("machine.UART(2)", '[uart] 2 = "/dev/ttyUSB0"'),
                             ("machine.I2C(0)", "ENODEV: /dev/i2c-987"),
                             ("machine.SPI(1, 1000000)", '[spi] 1 = "/dev/spidev0.0"'),
                             ("machine.PWM(machine.Pin(18))", '[pwm] 18 = "pwmchip0/0"'),
                             ("machine.ADC(0)", '[adc] 0 = "iio:device0/voltage0"')):
            self.assertIn(what, self.check(self.mqboard(board, "eval", source), 1).err)

    def test_a_reset_closes_the_port(self):
        # With the smallest heap there is.
        main = "from machine import UART\nuart = UART(1)\nuart.write('up\\n')\n"
        board = self.start(board='heap = "128KB"', files={"main.py": main})
        for _ in range(3):
            self.assertEqual(self.port.receive_line(), b"up\n")
            self.check(self.mqboard(board, "reset", "--soft"))
        self.assertEqual(self.port.receive_line(), b"up\n")


if __name__ == "__main__":
    unittest.main()
