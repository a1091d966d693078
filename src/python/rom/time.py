# MicroPython's time with the host's clock: sleeping blocks in the host, where it can be interrupted, and costs
# nothing; time() counts whole seconds since 1970 as on a board.
from utime import gmtime, localtime, mktime, ticks_add, ticks_diff, ticks_ms
from _mqb import _sleep, _ticks_us as ticks_us, _ticks_us as ticks_cpu, _time_ns as time_ns


def sleep(seconds):
    _sleep(int(seconds * 1000))


def sleep_ms(ms):
    _sleep(ms)


def sleep_us(us):
    end = ticks_add(ticks_us(), us)
    if us >= 1000:
        _sleep(us // 1000)
    while ticks_diff(end, ticks_us()) > 0:
        pass


def time():
    return time_ns() // 1000000000
