# Blinks the activity LED, says so in the log, and lets the period be changed by a message.
#
# [blinky] period = 1000 (milliseconds from on to on), topic = "<prefix>/blinky/period" (where to send a new one)
import asyncio
import logging
from board import act_led, prefix

log = logging.getLogger(__name__)

SHORTEST_MS = 50
LONGEST_MS = 60000


class Blinky:
    def __init__(self, client, period, topic):
        self.client = client
        self.period = period
        self.topic = topic

    async def blink(self):
        while True:
            for led in (1, 0):
                act_led(led)
                log.info("on" if led else "off")
                await asyncio.sleep_ms(self.period // 2)

    # Runs once, when the board has connected for the first time.
    async def connected(self):
        await self.client.subscribe(self.topic, qos=1)
        await self.publish_state()

    async def publish_state(self):
        await self.client.publish(prefix + "/blinky/state", '{"period":%d}' % self.period, retain=True, qos=1)

    # Called with every message of every subscription. A coroutine may await; a plain function would do as well.
    async def on_msg(self, topic, msg, retained, qos, dup):
        if topic.decode() != self.topic:
            return
        try:
            period = int(msg)
            if not SHORTEST_MS <= period <= LONGEST_MS:
                raise ValueError("period must be %d to %d ms" % (SHORTEST_MS, LONGEST_MS))
        except ValueError as e:
            log.exc(e, "ignored: %s", bytes(msg))
            return
        self.period = period
        log.info("period is now %d ms", period)
        await self.publish_state()


def start(mqtt, config):
    blinky = Blinky(mqtt.client, config.get("period", 1000), config.get("topic", prefix + "/blinky/period"))
    mqtt.watched(blinky.blink)
    mqtt.on_msg(blinky.on_msg)
    mqtt.on_init(blinky.connected())
