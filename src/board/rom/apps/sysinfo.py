# Publishes how the board is, as JSON:
#   up         seconds since this interpreter started
#   free       bytes free in Python's heap
#   cont_free  the longest piece of it
#   mqtt_conn  connections made so far
#
# [sysinfo] topic = "<prefix>/sysinfo", interval = 60 (seconds)
import gc
import time
import json
import asyncio
import logging
import board

log = logging.getLogger('sysinfo')


class SysInfo:
    def __init__(self, mqtt, topic, interval):
        self.mqtt = mqtt
        self.topic = topic
        self.interval = interval
        self.connections = 0
        self.up_ms = 0
        self.at = time.ticks_ms()

    async def connected(self, is_up):
        self.connections += is_up

    def message(self):
        now = time.ticks_ms()
        self.up_ms += time.ticks_diff(now, self.at)
        self.at = now
        gc.collect()
        return json.dumps({'up': self.up_ms // 1000, 'free': gc.mem_free(), 'cont_free': gc.mem_maxfree(),
                           'mqtt_conn': self.connections})

    async def begin(self):
        self.mqtt.watched(self.run)

    async def run(self):
        while True:
            text = self.message()
            log.info(text)
            await self.mqtt.client.publish(self.topic, text)
            await asyncio.sleep(self.interval)


def start(mqtt, config):
    info = SysInfo(mqtt, config.get('topic', board.prefix + '/sysinfo'), config.get('interval', 60))
    mqtt.on_mqtt(info.connected)
    mqtt.on_init(info.begin())
