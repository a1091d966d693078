#!/usr/bin/env python3
"""Applications written for MicroPython boards run on ours: modules of board.toml, boot.py, main.py, machine."""
import json
import re
import unittest

from harness import ROOT, EndToEnd, wait_until

# As one finds them for the Python mqboard.
GREENHOUSE = """
import logging, uasyncio as asyncio
from uasyncio import Loop as loop, sleep_ms
from machine import Pin
from board import act_led

log = logging.getLogger(__name__)

class Greenhouse:
    def __init__(self, client, topic, period):
        self.client, self.topic, self.period = client, topic, period
        self.valve = Pin(25, Pin.OUT)

    async def pulse(self):
        while True:
            act_led(1)
            await sleep_ms(self.period // 2)
            act_led(0)
            await sleep_ms(self.period // 2)
            log.debug("pulse")

    def on_msg(self, topic, msg, retained, qos, dup):
        topic = str(topic, "utf-8")
        if topic != self.topic + "/valve":
            return
        try:
            self.valve(int(msg))
            log.info("valve %d ret=%d qos=%d dup=%d", self.valve(), retained, qos, dup)
            loop.create_task(self.client.publish(self.topic + "/state", b"%d" % self.valve(), retain=True, qos=1))
        except Exception as e:
            log.exc(e, "bad message %s", msg)

    async def hook_up(self, mqtt):
        mqtt.on_msg(self.on_msg)
        await mqtt.client.subscribe(self.topic + "/#", qos=1)
        log.info("subscribed to %s", self.topic)

seen = []
async def on_mqtt(connected):
    log.info("connected: %s", connected)
    seen.append(connected)

def start(mqtt, config):
    g = Greenhouse(mqtt.client, config["topic"], config.get("period", 1000))
    loop.create_task(g.pulse())
    mqtt.on_init(g.hook_up(mqtt))
    mqtt.on_mqtt(on_mqtt)
"""

# As one finds them for any board: everything in main.py, asyncio.run() at its end.
COUNTER = """
import asyncio, gc, time, machine
from machine import Pin, Timer, WDT

led = Pin(2, Pin.OUT)
count = 0

def blink(timer):
    led.value(not led.value())

Timer(0).init(period=20, mode=Timer.PERIODIC, callback=blink)

async def counter():
    global count
    while True:
        count += 1
        if count == 5:
            print("counted to five")
        await asyncio.sleep_ms(10)

async def main():
    t = asyncio.create_task(counter())
    while True:
        gc.collect()
        await asyncio.sleep(1)

try:
    asyncio.run(main())
finally:
    asyncio.new_event_loop()
"""

TICKER = """
import asyncio, logging
async def tick():
    while True:
        logging.getLogger('ticker').info('tick')
        await asyncio.sleep_ms(50)
def start(mqtt, config):
    mqtt.watched(tick)
"""


class Modules(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()

    def log_of(self, prefix="gateway/test"):
        return self.peer(self.server, f"{prefix}/log")

    def evaluate(self, board, source):
        return self.check(self.mqboard(board, "eval", source)).text.rstrip("\n")

    def test_a_module_of_the_python_mqboard(self):
        log = self.log_of()
        states = self.peer(self.server, "house/#")
        self.board(self.server, files={"lib/greenhouse.py": GREENHOUSE},
                   board='modules = ["mqtt", "logging", "mqrepl", "watchdog", "greenhouse"]',
                   config='[greenhouse]\ntopic = "house/green"\nperiod = 20\n')
        log.wait_for(lambda m: b"greenhouse: subscribed to house/green" in m.payload, "the subscription")
        log.wait_for(lambda m: b"greenhouse: connected: True" in m.payload, "on_mqtt")
        states.publish("house/green/valve", "1")
        log.wait_for(lambda m: b"valve 1 ret=0 qos=1 dup=0" in m.payload, "the message in the log")
        states.wait_for(lambda m: m.topic == "house/green/state" and m.payload == b"1", "the state")
        states.publish("house/green/valve", "open")
        log.wait_for(lambda m: b"ValueError" in m.payload, "the traceback")
        states.publish("house/green/valve", "0")
        states.wait_for(lambda m: m.topic == "house/green/state" and m.payload == b"0", "the next state")

    def test_a_script_that_ends_in_asyncio_run(self):
        log = self.log_of()
        board = self.board(self.server, files={"main.py": COUNTER, "lib/ticker.py": TICKER},
                           board='modules = ["ticker"]')
        log.wait_for(lambda m: b"counted to five" in m.payload, "what main.py prints")
        log.wait_count(20, lambda m: b"tick" in m.payload)
        before = int(self.evaluate(board, "count"))
        wait_until(lambda: int(self.evaluate(board, "count")) > before, "main.py goes on while evals are answered")
        wait_until(lambda: self.evaluate(board, "led()") == "1", "the timer turns the LED on")
        wait_until(lambda: self.evaluate(board, "led()") == "0", "the timer turns the LED off")
        self.check(self.mqboard(board, "interrupt"))
        log.wait_for(lambda m: b"main.py interrupted" in m.payload, "the end of main.py")
        log.clear()
        log.wait_count(20, lambda m: b"tick" in m.payload)  # the module outlives its main.py

    def test_what_an_application_does_at_its_end_is_done_and_its_last_words_are_heard(self):
        for number, wait in enumerate(("asyncio.run(asyncio.sleep(1000))", "time.sleep(1000)")):
            board = self.board(self.server, prefix=f"gateway/test{number}", files={"main.py": (
                f"import asyncio, time\nprint('runs')\ntry:\n    {wait}\nfinally:\n    print('valve closed')\n")})
            log = self.log_of(board.prefix)
            self.check(self.mqboard(board, "eval", "1"))
            self.check(self.mqboard(board, "reset"))
            log.wait_for(lambda m: b"valve closed" in m.payload, "what finally prints")
            log.wait_for(lambda m: b"main.py ends: the board goes down" in m.payload, "the launcher")
            log.wait_for(lambda m: b"HARD_RESET" in m.payload, "the reset")
            self.assertFalse([m for m in log.messages if b"KeyboardInterrupt" in m.payload])

    def test_one_bad_module_leaves_the_others_running(self):
        log = self.log_of()
        board = self.board(
            self.server, board='modules = ["absent", "broken", "raises", "ticker"]',
            files={"lib/broken.py": "def start(:\n", "lib/ticker.py": TICKER,
                   "lib/raises.py": "def start(mqtt, config):\n    config['key']\n"})
        log.wait_for(lambda m: b"tick" in m.payload, "the good module")
        log.wait_for(lambda m: b"absent" in m.payload and m.payload.startswith(b"E"), "the missing module")
        log.wait_for(lambda m: b"SyntaxError" in m.payload, "the syntax error")
        log.wait_for(lambda m: b'File "/lib/raises.py", line 2' in m.payload, "the line of the exception")
        log.wait_for(lambda m: b"KeyError" in m.payload, "the exception")
        self.assertEqual(self.evaluate(board, "1+1"), "2")

    def test_the_blinky_example(self):
        log = self.log_of()
        states = self.peer(self.server, "gateway/test/blinky/state")
        board = self.board(self.server, files={"lib/blinky.py": (ROOT / "examples/blinky/blinky.py").read_text()},
                           board='modules = ["blinky"]', config="[blinky]\nperiod = 100\n")
        log.wait_for(lambda m: m.payload.endswith(b"blinky: off"), "the LED off")
        states.wait_for(lambda m: json.loads(m.payload) == {"period": 100}, "the state")
        self.peer(self.server).publish("gateway/test/blinky/period", "60")
        states.wait_for(lambda m: json.loads(m.payload) == {"period": 60}, "the new state")
        self.assertIn(self.evaluate(board, "board.act_led()"), ("0", "1"))

    def test_the_board_tells_the_truth_about_itself(self):
        board = self.board(self.server)
        self.assertEqual(self.evaluate(board, "board.kind, board.location, board.prefix"),
                         "('gateway', 'test', 'gateway/test')")
        self.assertEqual(self.evaluate(board, "len(machine.unique_id()) >= 6"), "True")
        self.assertEqual(self.evaluate(board, "mqtt.client.isconnected()"), "True")
        self.assertRegex(self.evaluate(board, "import network; print(network.WLAN(network.STA_IF).ifconfig())"),
                         r"^\('[\d.]+', '[\d.]+', '[\d.]+', '[\d.:a-f]+'\)$")
        self.assertEqual(self.evaluate(board, "import esp32; print(esp32.Partition(1).info()[0])"), "0")

    def test_what_must_survive_a_reset_does(self):
        board = self.board(self.server)
        log = self.log_of()
        self.evaluate(board, "machine.RTC().memory(b'\\x00kept'); import esp32; n = esp32.NVS('app'); "
                             "n.set_i32('boots', 41); n.commit(); logging.set_level('app', logging.DEBUG)")
        unique_id = self.evaluate(board, "machine.unique_id()")
        self.mqboard(board, "eval", "machine.reset()")
        log.wait_for(lambda m: b"HARD_RESET" in m.payload, "the reset cause")
        wait_until(lambda: self.mqboard(board, "eval", "1").status == 0, "the board")
        self.assertEqual(self.evaluate(board, "machine.reset_cause() == machine.HARD_RESET"), "True")
        self.assertEqual(self.evaluate(board, "machine.RTC().memory()"), r"b'\x00kept'")
        self.assertEqual(self.evaluate(board, "machine.unique_id()"), unique_id)
        board.restart()
        self.wait_online(board)
        self.assertEqual(self.evaluate(board, "import esp32; print(esp32.NVS('app').get_i32('boots'))"), "41")
        self.assertEqual(self.evaluate(board, "logging.getLogger('app').isEnabledFor(10)"), "True")

    def test_an_application_that_starves_its_own_watchdog_is_reset(self):
        log = self.log_of()
        board = self.board(self.server)
        self.check(self.mqboard(board, "eval", "w = machine.WDT(timeout=200)"))
        log.wait_for(lambda m: b"WDT_RESET" in m.payload, "the reset")
        wait_until(lambda: self.mqboard(board, "eval", "1").status == 0, "the board")
        self.assertEqual(self.evaluate(board, "machine.reset_cause() == machine.WDT_RESET"), "True")

    def test_sysinfo_of_the_firmware(self):
        infos = self.peer(self.server, "gateway/test/sysinfo")
        self.board(self.server, board='modules = ["sysinfo"]', config="[sysinfo]\ninterval = 0.1\n")
        for message in infos.wait_count(3):
            info = json.loads(message.payload)
            self.assertEqual(info["mqtt_conn"], 1)
            self.assertGreater(info["free"], info["cont_free"] - 1)
            self.assertGreater(info["cont_free"], 1000)

    def test_messages_before_and_after_a_broker_restart(self):
        log = self.log_of()
        board = self.board(self.server, files={"lib/greenhouse.py": GREENHOUSE}, board='modules = ["greenhouse"]',
                           config='[greenhouse]\ntopic = "house/green"\n')
        log.wait_for(lambda m: b"subscribed to" in m.payload, "the subscription")
        self.server.restart()
        seen = "sys.modules['greenhouse'].seen"
        wait_until(lambda: self.mqboard(board, "-T", "1", "eval", seen).text == "[True, False, True]\n", "on_mqtt")
        states = self.peer(self.server, "house/green/state")
        states.publish("house/green/valve", "1")
        states.wait_for(lambda m: m.payload == b"1", "a message after the restart")

    def test_times_in_the_log_and_in_python_agree(self):
        board = self.board(self.server)
        log = self.log_of()
        stamp = self.evaluate(board, "import time; t = time.gmtime(); logging.warning('stamp'); "
                                     "print('%02d:%02d' % t[3:5])")
        line = log.wait_for(lambda m: b"stamp" in m.payload, "the line").payload.decode()
        if re.match(r"W \d\d:", line):
            self.assertIn(stamp[:2], line)


if __name__ == "__main__":
    unittest.main()
