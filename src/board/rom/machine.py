# machine for a board that is a Linux machine: what exists there does what it says, what does not exist is missing.
import json
import time
import _board
import _mqb
import _pins

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
CRASH_RESET = 6  # beyond MicroPython's: the firmware died

PIN_WAKE = 2
TIMER_WAKE = 4


def reset_cause():
    return json.loads(_board.facts())['reset_cause']


def wake_reason():
    return TIMER_WAKE if reset_cause() == DEEPSLEEP_RESET else 0


def unique_id():
    return _board.unique_id()


_going_down = False  # for the launcher


def _end():
    # What asked for the end must not run on while the board goes down.
    global _going_down
    _going_down = True
    raise SystemExit


def reset():
    _board.reset(_board.HARD, _board.AS_DECIDED)
    _end()


def soft_reset():
    _board.reset(_board.SOFT, _board.AS_DECIDED)
    _end()


def deepsleep(time_ms=0):
    _board.deep_sleep(time_ms)
    _end()


def lightsleep(time_ms=None):
    """Stops Python for so long; the board stays connected. Without a time: until it is interrupted."""
    if time_ms is not None:
        time.sleep_ms(time_ms)
        return
    while True:
        time.sleep(3600)


sleep = lightsleep


def idle():
    time.sleep_ms(1)


def freq(hz=None, **kwargs):
    """The processor's present frequency, 0 if unknown. Setting it has no effect: it is the host's."""
    return _board.cpu_hz() if hz is None else None


def disable_irq():
    """Nothing to do: handlers of pins and timers run between tasks, never in the middle of Python code."""
    return True


def enable_irq(state=True):
    pass


class _Irq:
    def __init__(self, pin):
        self._pin = pin
        self.handler = None
        self._trigger = 0
        self._flags = 0

    def trigger(self):
        return self._trigger

    def flags(self):
        return self._flags

    def __call__(self):
        if self.handler:
            self.handler(self._pin)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    _irqs = {}

    def __init__(self, id, mode=-1, pull=-1, *, value=None, **kwargs):
        self._name = str(id)
        _pins.look_up(self._name)  # ValueError if there is no such pin
        if mode != -1 or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, **kwargs):
        _pins.configure(self._name, mode, 0 if pull is None else pull, value)

    def value(self, level=None):
        if level is None:
            return _pins.read(self._name)
        _pins.write(self._name, bool(level))

    __call__ = value

    def on(self):
        _pins.write(self._name, True)

    def off(self):
        _pins.write(self._name, False)

    high = on
    low = off

    def toggle(self):
        _pins.write(self._name, not _pins.read(self._name))

    def irq(self, handler=None, trigger=3, *, priority=1, wake=None, hard=False):
        irq = Pin._irqs.get(self._name)
        if irq is None:
            irq = Pin._irqs[self._name] = _Irq(self)
        irq.handler = handler
        irq._trigger = trigger
        _pins.watch(self._name, trigger if handler else 0)
        return irq

    def __repr__(self):
        return 'Pin(%s)' % self._name


def _on_pin(name, level):
    irq = Pin._irqs.get(name)
    if irq and irq.handler:
        irq._flags = Pin.IRQ_RISING if level else Pin.IRQ_FALLING
        if irq._flags & irq._trigger:
            irq.handler(irq._pin)


def time_pulse_us(pin, pulse_level, timeout_us=1000000):
    """How long the pin has this level, from when it takes it; -2 if it does not take it in time, -1 if it keeps it."""
    ticks_us = time.ticks_us
    ticks_diff = time.ticks_diff
    read = _pins.read
    name = pin._name
    level = int(bool(pulse_level))
    start = ticks_us()
    while read(name) != level:
        if ticks_diff(ticks_us(), start) >= timeout_us:
            return -2
    start = ticks_us()
    while read(name) == level:
        if ticks_diff(ticks_us(), start) >= timeout_us:
            return -1
    return ticks_diff(ticks_us(), start)


class Signal:
    def __init__(self, pin, *args, invert=False, **kwargs):
        self._pin = pin if hasattr(pin, 'value') else Pin(pin, *args, **kwargs)
        self._invert = bool(invert)

    def value(self, level=None):
        if level is None:
            return int(bool(self._pin.value()) != self._invert)
        self._pin.value(bool(level) != self._invert)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class RTC:
    def __init__(self, id=0):
        pass

    def init(self, datetime):
        self.datetime(datetime)

    def datetime(self, datetime=None):
        """(year, month, day, weekday, hours, minutes, seconds, microseconds) in UTC. Setting it leaves the host's clock
        alone: Python and the log see the new time."""
        if datetime is None:
            now = time.time_ns()
            t = time.gmtime(now // 1000000000)
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], now // 1000 % 1000000)
        year, month, day, _, hours, minutes, seconds, us = datetime
        _board.set_utc(time.mktime((year, month, day, hours, minutes, seconds, 0, 0)) * 1000000 + us)

    def memory(self, data=None):
        """Up to 2048 bytes that survive every reset, but not the loss of power."""
        if data is None:
            return _board.rtc_memory()
        _board.set_rtc_memory(data)


class WDT:
    """Resets the board, cause WDT_RESET, when not fed for `timeout` milliseconds. It cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        if timeout < 1:
            raise ValueError('timeout')
        self._timeout_ms = timeout
        self.feed()

    def feed(self):
        _board.feed_wdt(self._timeout_ms)


class Timer:
    """Calls back between tasks: not while Python code runs on without awaiting."""

    ONE_SHOT = 0
    PERIODIC = 1

    _numbered = {}

    def __init__(self, id=-1, **kwargs):
        self._id = id
        self._task = None
        if kwargs:
            self.init(**kwargs)

    def init(self, *, mode=PERIODIC, freq=-1, period=-1, callback=None, tick_hz=1000, hard=False):
        period_ms = int(1000 / freq) if freq > 0 else period * 1000 // tick_hz
        if period_ms < 0:
            raise ValueError('neither period nor freq')
        if self._id >= 0:
            other = Timer._numbered.get(self._id)
            if other:
                other.deinit()
            Timer._numbered[self._id] = self
        self.deinit()
        import asyncio
        self._task = task = asyncio.create_task(self._run(mode, max(period_ms, 1), callback))
        return task

    def deinit(self):
        task = self._task
        self._task = None
        if task:
            try:
                task.cancel()
            except RuntimeError:
                pass  # called from the callback: _run() sees it

    async def _run(self, mode, period_ms, callback):
        from asyncio import sleep_ms
        from _tasks import failed
        task = self._task
        due = time.ticks_add(time.ticks_ms(), period_ms)
        while self._task is task:
            await sleep_ms(max(0, time.ticks_diff(due, time.ticks_ms())))
            try:
                if callback:
                    callback(self)
            except Exception as e:
                failed('timer', e)
            if mode == Timer.ONE_SHOT and self._task is task:
                self._task = None
            due = time.ticks_add(due, period_ms)


_mqb.on_event('pin', _on_pin)

# These need Pin.
from _buses import I2C, SPI, SoftI2C, SoftSPI
from _levels import ADC, PWM
from _serial import UART
