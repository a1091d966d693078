# MicroPython's time with the host's clock: sleeping blocks in the host, where it can be interrupted, and costs
# nothing; at the top of a program it lets all others go on. time() counts whole seconds since 1970 as on a board.
from utime import gmtime, localtime, mktime, ticks_add, ticks_diff, ticks_ms
from _mqb import _serve, _sleep, _waits_at_top, _ticks_us as ticks_us, _ticks_us as ticks_cpu, _time_ns as time_ns


_LONGEST_MS = 0x0fffffff  # ticks_diff() can tell apart


def sleep(seconds):
    sleep_ms(int(seconds * 1000))


def sleep_ms(ms):
    if not _waits_at_top():
        _sleep(ms)
        return
    while ms > _LONGEST_MS:
        _serve(_LONGEST_MS)
        ms -= _LONGEST_MS
    _serve(max(0, ms))


def sleep_us(us):
    end = ticks_add(ticks_us(), us)
    if us >= 1000:
        sleep_ms(us // 1000)
    while ticks_diff(end, ticks_us()) > 0:
        pass


def time():
    return time_ns() // 1000000000
