# Time from an NTP server, for Python and the log; the host's clock is the host's.
import time as _time
import _board

host = 'pool.ntp.org'
timeout = 1


def _offset_us():
    return _board.query_ntp(host).wait(timeout * 1000)


def time():
    """Seconds since 1970, from the server."""
    return (_time.time_ns() // 1000 + _offset_us()) // 1000000


def settime():
    offset_us = _offset_us()
    _board.set_utc(_time.time_ns() // 1000 + offset_us)
