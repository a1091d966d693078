# Waiting for several sockets and serial ports. sys.stdin may be registered too: nothing ever comes from it.
import sys
from errno import EINVAL, ENOENT
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms
import _socket
from _mqb import _serve, _waits_at_top

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

# How often to look where no answer of the host can be waited for: in a task and in a handler.
_LOOK_MS = 5


def _can_wait(thing):
    return hasattr(thing, '_ready')  # a socket, machine.UART


def _ready(thing, mask):
    return getattr(thing, '_io', _socket).ready(thing._handle, mask) if _can_wait(thing) else 0


class poll:
    def __init__(self):
        self._masks = {}

    def register(self, thing, mask=POLLIN | POLLOUT):
        if not _can_wait(thing) and thing not in (sys.stdin, sys.stdout, sys.stderr):
            raise OSError(EINVAL, 'only sockets and UARTs can be polled')
        new = thing not in self._masks
        self._masks[thing] = mask
        return new

    def modify(self, thing, mask):
        if thing not in self._masks:
            raise OSError(ENOENT)
        self._masks[thing] = mask

    def unregister(self, thing):
        self._masks.pop(thing, None)

    def poll(self, timeout=-1):
        """A list of (object, events), empty after `timeout` milliseconds."""
        end = None if timeout is None or timeout < 0 else ticks_add(ticks_ms(), timeout)
        while True:
            found = [(thing, events) for thing, events in self._events() if events]
            left = -1 if end is None else ticks_diff(end, ticks_ms())
            if found or end is not None and left <= 0:
                return found
            self._wait(left)

    def _events(self):
        return [(thing, _ready(thing, mask)) for thing, mask in self._masks.items()]

    def _wait(self, ms):
        if not _waits_at_top():
            return sleep_ms(_LOOK_MS if ms < 0 else min(ms, _LOOK_MS))
        answers = []
        for thing, mask in self._masks.items():
            if _can_wait(thing):
                if mask & POLLOUT:
                    answers.append(thing._ready(1))
                if mask & POLLIN or not mask & POLLOUT:
                    answers.append(thing._ready(0))
        _serve(ms, lambda: any([answer.done() for answer in answers]))

    def ipoll(self, timeout=-1, flags=0):
        for found in self.poll(timeout):
            yield found
            if flags & 1:  # one shot
                self._masks[found[0]] = 0


def select(readers, writers, broken, timeout=None):
    """The ready ones of each list, all empty after `timeout` seconds."""
    poller = poll()
    for thing in set(list(readers) + list(writers) + list(broken)):
        mask = (POLLIN if thing in readers else 0) | (POLLOUT if thing in writers else 0)
        poller.register(thing, mask)
    found = dict(poller.poll(-1 if timeout is None else int(timeout * 1000)))
    down = POLLERR | POLLHUP
    return ([r for r in readers if found.get(r, 0) & (POLLIN | down)],
            [w for w in writers if found.get(w, 0) & (POLLOUT | down)],
            [b for b in broken if found.get(b, 0) & POLLERR])
