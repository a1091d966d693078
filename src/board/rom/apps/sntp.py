# Keeps the time from an NTP server. A host that keeps its own clock is left alone.
#
# [sntp] host = "pool.ntp.org", poll = 1024 (seconds), max_step = 1 (seconds: beyond it the step is worth a warning)
import time
import asyncio
import logging
import _board
import mqtt as _mqtt

log = logging.getLogger('sntp')


async def _step(host, max_step_us):
    offset_us = await _board.query_ntp(host)
    _board.set_utc(time.time_ns() // 1000 + offset_us)
    level = logging.WARNING if abs(offset_us) > max_step_us else logging.DEBUG
    log.log(level, 'clock adjusted by %d us', offset_us)


async def _keep(host, poll, max_step):
    if _board.clock_known():
        log.info("the host's clock is synchronised")
        return await asyncio.Event().wait()
    while True:
        try:
            await _step(host, int(max_step * 1000000))
            await asyncio.sleep(poll)
        except OSError as e:
            log.warning('%s: %s', host, e)
            await asyncio.sleep(11)


def start(mqtt, config):
    _mqtt.watched(_keep, config.get('host', 'pool.ntp.org'), config.get('poll', 1024), config.get('max_step', 1))
