# The board's MQTT connection for applications: what start(mqtt, config) gets as `mqtt`.
#
# There is one connection, made by the firmware; publishing and subscribing wait for it while it is down.
import sys
import asyncio
import logging
import _board
import _mqb
from board import fail_led
from _tasks import failed, guard, guarded_task, must_be_callable, name_of, watched

log = logging.getLogger('mqtt')

# An on_init coroutine that takes longer no longer holds up those after it.
INIT_PATIENCE_MS = 10000

_init = []
_on_mqtt = []
_on_msg = []
_begun = False
_connected = False
_had_connection = False


class Client:
    async def publish(self, topic, msg, retain=False, qos=0, sync=True):
        await _board.publish(topic, msg, bool(retain), qos, bool(sync))

    async def subscribe(self, topic, qos=0):
        return await _board.subscribe(topic, qos)

    async def unsubscribe(self, topic):
        await _board.unsubscribe(topic)

    def isconnected(self):
        return _board.connected()


client = Client()


def on_init(coroutine):
    """Runs the coroutine once, after the first connection; those registered before it have their turn first."""
    if not hasattr(coroutine, 'send'):
        must_be_callable(coroutine)
    _init.append(coroutine)
    if _had_connection and len(_init) == 1:
        asyncio.create_task(_run_init())


def on_mqtt(callback):
    """Starts `callback(connected)`, a coroutine function, whenever the connection comes up or goes down."""
    must_be_callable(callback)
    _on_mqtt.append(callback)


def on_msg(callback):
    """Calls `callback(topic, msg, retained, qos, dup)`, topic and msg being bytes, for every message that arrives."""
    must_be_callable(callback)
    _on_msg.append(callback)


async def _run_init():
    while _init:
        coroutine = _init[0]
        done = asyncio.Event()
        asyncio.create_task(_init_one(coroutine() if callable(coroutine) else coroutine, done))
        try:
            await asyncio.wait_for_ms(done.wait(), INIT_PATIENCE_MS)
        except asyncio.TimeoutError:
            log.warning('%s of on_init takes long, going on', coroutine)
        _init.pop(0)


async def _init_one(coroutine, done):
    await guard('on_init', coroutine)
    done.set()


def _on_connection(connected):
    global _connected, _had_connection
    if connected == _connected:
        return
    _connected = connected
    fail_led(not connected)
    for callback in _on_mqtt:
        try:
            guarded_task(name_of(callback), callback(connected))
        except Exception as e:
            failed(name_of(callback), e)
    if connected and not _had_connection:
        _had_connection = True
        asyncio.create_task(_run_init())


def _on_message(topic, msg, retained, qos, dup):
    for callback in _on_msg:
        try:
            guarded_task(name_of(callback), callback(topic, msg, retained, qos, dup))
        except Exception as e:
            failed(name_of(callback), e)


def _begin():
    # By the launcher, once the modules are loaded, or when one does not let the others go on.
    global _begun
    if _begun:
        return
    _begun = True
    _mqb.on_event('mqtt', _on_connection)
    fail_led(True)
    _on_connection(_board.connected())


# From the start: a task of an early module may subscribe while a later one is still being loaded.
_mqb.on_event('message', _on_message)
MQTT = sys.modules[__name__]
