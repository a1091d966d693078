# The Python half of the border to C++ (the other half: src/python/border.cpp, session.cpp).
#
# Applications use from here: on_event(name, callable), and Deferred, what a host function that answers later
# returns. Names with an underscore belong to the host.
import sys
import builtins
import __main__
import _mqbhost
from uctypes import addressof, bytearray_at
from errno import ETIMEDOUT
from utime import ticks_add, ticks_diff, ticks_ms

_call = _mqbhost.call
_Host = type(_call)
_main = __main__.__dict__

# Numbers of host functions, see session.cpp.
_CALL_PACKED = 1
_POLL = 2
_SLEEP = 3
_CAPTURE = 4
_WAIT_FOR_ANSWER = 5
_TICKS_US = 6
_TIME_NS = 7
_BORROW = 8
_RANDOM = 9
_SHA1 = 10
_MD5 = 11
_JOB_NAME = 12
_EVENT_ARGUMENT = 13
_ANSWER_TOKEN = 14
_ANSWER_VALUE = 15
_AT_TOP = 16
_STOPPING = 17
_FIRST_FUNCTION = 18

# What a host object stands for, see border.cpp.
_BYTES = 3
_INT = 4
_RAISE = 5
_DEFERRED = 6
_AGAIN = 7

# Exception::Type of value.hpp, in its order.
_EXCEPTIONS = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError,
               RuntimeError, MemoryError)


def _exception(r):
    n = r.n
    if n == -1:
        return KeyboardInterrupt()
    if n == 9:
        from asyncio import TimeoutError
        return TimeoutError(r.s)
    if n == 0:
        if not r.c:
            return OSError(r.s)
        return OSError(r.c, r.s) if r.s else OSError(r.c)
    return _EXCEPTIONS[n](r.s)


def _value(r):
    t = r.t
    if t == _BYTES:
        b = bytes(r.n)
        _call(0, r, id(b))
        return b
    if t == _INT:
        return int(r.s)
    if t == _DEFERRED:
        return Deferred(r.n)
    raise _exception(r)


def _call_packed(n, args):
    tags = ''
    flat = []
    keep = []
    for a in args:
        t = type(a)
        if t is bytes or t is bytearray:
            tags += 'b'
            flat.append(addressof(a))
            flat.append(len(a))
        elif t is memoryview:
            if bytearray_at(id(a) + 4, 1)[0] & 0x7f not in b'\x01Bb':  # its typecode
                a = bytes(a)
                keep.append(a)
            tags += 'b'
            flat.append(addressof(a))
            flat.append(len(a))
        elif t is int and not -0x40000000 <= a < 0x40000000:
            if not -0x8000000000000000 <= a <= 0x7fffffffffffffff:
                raise OverflowError('int too large')
            tags += 'i'
            flat.append(str(a))
        elif a is None or t is bool or t is int or t is float or t is str:
            tags += 'v'
            flat.append(a)
        else:
            raise TypeError("can't pass " + t.__name__ + ' to the host')
    return _call(_CALL_PACKED, n, tags, *flat)


# A built-in function of the host: its arguments are plain values.
def _builtin(n):
    def function(*args):
        r = _call(n, *args)
        return _value(r) if type(r) is _Host else r
    return function


# Function n of the host's modules.
def _function(n):
    n += _FIRST_FUNCTION

    def function(*args):
        for a in args:
            if type(a) is int and not -0x40000000 <= a < 0x40000000:
                r = _call_packed(n, args)
                break
        else:
            r = _call(n, *args)
        if type(r) is _Host:
            if r.t != _AGAIN:
                return _value(r)
            r = _call_packed(n, args)
            if type(r) is _Host:
                return _value(r)
        return r
    return function


_poll = _builtin(_POLL)
_sleep = _builtin(_SLEEP)
_wait_for_answer = _builtin(_WAIT_FOR_ANSWER)
_ticks_us = _builtin(_TICKS_US)
_time_ns = _builtin(_TIME_NS)
_random = _builtin(_RANDOM)
_at_top = _builtin(_AT_TOP)
_stopping = _builtin(_STOPPING)
_sha1 = _function(_SHA1 - _FIRST_FUNCTION)
_md5 = _function(_MD5 - _FIRST_FUNCTION)


# The host calls the entry points below without arguments: what they need they fetch, so that running out of memory
# is an exception in here like any other. They answer None, or True after an expression, or an exit code, or:
_FAILED = -1
_INTERRUPTED = -2

_CAPTURE_NOTHING = 0
_CAPTURE_VALUE = 1
_CAPTURE_TRACEBACK = 2

_print_exception = sys.print_exception


def _exit_code(e):
    a = e.args
    if not a or a[0] is None:
        return 0
    if type(a[0]) is int:
        return a[0] & 0xff
    print(a[0])
    return 1


def _failed(e):
    if isinstance(e, SystemExit):
        return _exit_code(e)
    _call(_CAPTURE, _CAPTURE_TRACEBACK)
    _print_exception(e)
    _call(_CAPTURE, _CAPTURE_NOTHING)
    return _INTERRUPTED if isinstance(e, KeyboardInterrupt) else _FAILED


# The source of a job as a str that borrows the host's memory: a fresh str object that the host makes point there.
# It must not outlive the job.
def _source():
    source = chr(1) * 16
    _call(_BORROW, id(source))
    return source


# Memory given up while an operator's expression is evaluated, so that a heap filled by an application can still
# be looked at and cleared. In pieces: what an expression leaves behind in one does not cost the others.
_reserve = [bytes(1024) for _ in range(8)]


def _give_up_reserve():
    for i in range(len(_reserve)):
        _reserve[i] = None


def _set_reserve_aside():
    try:
        for i in range(len(_reserve)):
            _reserve[i] = bytes(1024)
    except MemoryError:
        pass


def _evaluate():
    _give_up_reserve()
    try:
        source = _source()
        try:
            code = compile(source, '<stdin>', 'eval')
        except SyntaxError:
            exec(compile(source, '<stdin>', 'exec'), _main)
        else:
            value = eval(code, _main)
            del code
            _call(_CAPTURE, _CAPTURE_VALUE)
            print((value,), end='')
            _call(_CAPTURE, _CAPTURE_NOTHING)
            return True
    except BaseException as e:
        return _failed(e)
    finally:
        _set_reserve_aside()


def _execute():
    try:
        exec(compile(_source(), _call(_JOB_NAME), 'exec'), _main)
    except BaseException as e:
        return _failed(e)


def _candidates(text):
    start = len(text)
    while start and (text[start - 1].isalpha() or text[start - 1].isdigit() or text[start - 1] in '_.'):
        start -= 1
    parts = text[start:].split('.')
    last = parts[-1]
    if len(parts) == 1:
        names = list(_main) + dir(builtins)
    else:
        value = _main.get(parts[0])
        for part in parts[1:-1]:
            value = getattr(value, part, None)
        names = dir(value) if value is not None else ()
    head = text[start:len(text) - len(last)]
    for name in sorted(set(names)):
        if name.startswith(last) and (last or name[0] != '_'):
            yield head + name


def _complete():
    try:
        for candidate in _candidates(_source()):
            print(candidate)
    except BaseException as e:
        return _failed(e)


# Events and answers.

_handlers = {}
_waiting = {}


def on_event(name, handler):
    if handler is None:
        _handlers.pop(name, None)
    else:
        _handlers[name] = handler


def _event_argument(i):
    r = _call(_EVENT_ARGUMENT, i)
    return _value(r) if type(r) is _Host else r


def _deliver():
    try:
        handler = _handlers.get(_event_argument(0))
        if handler is None:
            return
        result = handler(*[_event_argument(i) for i in range(1, _event_argument(-1))])
        if type(result) is _generator:
            from asyncio import create_task
            create_task(result)
    except BaseException as e:
        return _failed(e)


def _nothing():
    yield


_generator = type(_nothing())


class Deferred:
    """An answer that comes later: await it, or wait() for it."""

    def __init__(self, token):
        self._token = token
        self._done = False
        self._value = None
        self._error = None
        self._event = None
        _waiting[token] = self

    def done(self):
        return self._done

    def _answer(self, value, error):
        self._done = True
        self._value = value
        self._error = error
        if self._event:
            self._event.set()

    def _result(self):
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout_ms=-1):
        """Returns when the answer has come; OSError(ETIMEDOUT) when it does not come in time."""
        if not self._done and _waits_at_top():
            _serve(timeout_ms, self.done)
            if not self._done:
                raise OSError(ETIMEDOUT)
        if not self._done:
            try:
                value = _wait_for_answer(self._token, timeout_ms)
            except OSError as e:
                if e.errno == ETIMEDOUT:
                    raise
                _waiting.pop(self._token, None)
                self._answer(None, e)
            except Exception as e:
                _waiting.pop(self._token, None)
                self._answer(None, e)
            else:
                _waiting.pop(self._token, None)
                self._answer(value, None)
        return self._result()

    def __await__(self):
        if not self._done:
            if self._event is None:
                from asyncio import Event
                self._event = Event()
            yield from self._event.wait()
        return self._result()

    __iter__ = __await__


def _answer():
    try:
        waiter = _waiting.pop(_call(_ANSWER_TOKEN), None)
        if waiter is None:
            return
        r = _call(_ANSWER_VALUE)
        if type(r) is not _Host:
            waiter._answer(r, None)
        elif r.t == _RAISE:
            waiter._answer(None, _exception(r))
        else:
            waiter._answer(_value(r), None)
    except BaseException as e:
        return _failed(e)


# Set by asyncio when it is imported: runs what is due, answers the milliseconds until more is, or -1.
_loop = None
# Set likewise: whether a task runs.
_in_task = None


# Whether the program that waits now is in none of its tasks and no handler. Then all others go on: see _serve().
def _waits_at_top():
    return _at_top() and not (_in_task and _in_task())


# Waits at the top of a program, until done() or so many milliseconds are over (negative: for ever). Meanwhile tasks,
# handlers and jobs have their turn, as on the idle thread.
def _serve(ms, done=None):
    end = None if ms < 0 else ticks_add(ticks_ms(), ms)
    while not (done and done()):
        wait = _loop() if _loop else -1
        if end is not None:
            left = max(0, ticks_diff(end, ticks_ms()))
            wait = left if wait < 0 else min(wait, left)
        _poll(wait)
        if end is not None and ticks_diff(end, ticks_ms()) <= 0:
            break


def _run_tasks():
    try:
        return _loop() if _loop else -1
    except BaseException as e:
        _failed(e)


# What scripts ask for is the system they run on, not what MicroPython was compiled to. These constants cannot be
# assigned; their text can be another: length and address stand behind type and hash.
_platform = b'linux'
_machine = b'mqboard on Linux'


def _retell(constant, text):
    at = addressof(text)
    bytearray_at(id(constant) + 8, 8)[:] = bytes([len(text), 0, 0, 0] + [at >> shift & 255 for shift in (0, 8, 16, 24)])


_retell(sys.platform, _platform)
_retell(sys.implementation._machine, _machine)

# Modules that the ROM puts in place of built-in ones: by their old names, too, which MicroPython would take for the
# built-in ones.
import hashlib
import os
import time

sys.modules['uhashlib'] = hashlib
sys.modules['uos'] = os
sys.modules['utime'] = time
sys.path[:] = ['', '/rom', '.frozen', '/lib']
