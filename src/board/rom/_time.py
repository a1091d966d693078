# What time has on the Python mqboard's firmware beyond MicroPython: microseconds since 2000, and setting the clock in
# them. The clock set is the one Python and the log see.
import time
import _board

_FROM_1970_TO_2000_US = 946684800000000


def time_us():
    return time.time_ns() // 1000 - _FROM_1970_TO_2000_US


def settime(seconds, us=0):
    _board.set_utc(_FROM_1970_TO_2000_US + seconds * 1000000 + us)


def adjtime(us):
    _board.set_utc(time.time_ns() // 1000 + us)


def tzset(zone):
    """Has no effect: the board's time is UTC."""


for _name in ('time_us', 'settime', 'adjtime', 'tzset'):
    setattr(time, _name, globals()[_name])
