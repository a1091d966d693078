# What becomes of tasks that end with an exception: it is logged with its traceback, reported for the crash log, and a
# watched task is started again.
import asyncio
import logging
import _board
from _mqb import _give_up_reserve, _set_reserve_aside, _stopping
from time import ticks_ms, ticks_diff

log = logging.getLogger('main')

FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 60000


def failed(task, e, what='failed'):
    # What filled the heap may hold on to it until this is over.
    _give_up_reserve()
    try:
        _tell(task, e, what)
    finally:
        _set_reserve_aside()


def _tell(task, e, what):
    if isinstance(e, KeyboardInterrupt) and _stopping():
        log.info('%s ends: the board goes down', task)
        return
    try:
        text = logging.traceback(e)
    except MemoryError:
        text = type(e).__name__
    if isinstance(e, KeyboardInterrupt):
        log.error('%s interrupted\n%s', task, text)
    else:
        log.error('%s %s\n%s', task, what, text)
        _board.failure(task, text)


def name_of(function):
    return getattr(function, '__name__', None) or str(function)


def _name_of_coroutine(coroutine):
    # Shown as <generator object 'blink' at 3c40>.
    parts = str(coroutine).split("'")
    return parts[1] if len(parts) == 3 else 'task'


def on_exception(loop, context):
    future = context.get('future')
    e = context['exception']
    _give_up_reserve()
    failed(_name_of_coroutine(getattr(future, 'coro', None)), e)


async def guard(name, awaitable):
    try:
        return await awaitable
    except Exception as e:
        failed(name, e)


def guarded_task(name, result):
    # What a callback returned: nothing, or a coroutine that still has to run.
    if result is not None and hasattr(result, 'send'):
        asyncio.create_task(guard(name, result))


def must_be_callable(function):
    if not callable(function):
        raise TypeError('a function is expected, not %r' % (function,))


def watched(function, *args, **kwargs):
    """Runs the coroutine function as a task, and again whenever it ends or raises. Cancel the task to end it."""
    must_be_callable(function)
    return asyncio.create_task(_watch(function, args, kwargs))


async def _watch(function, args, kwargs):
    name = name_of(function)
    pause_ms = FIRST_PAUSE_MS
    while True:
        began = ticks_ms()
        try:
            await function(*args, **kwargs)
            log.warning('%s ended', name)
        except (Exception, KeyboardInterrupt) as e:
            failed(name, e)
        if ticks_diff(ticks_ms(), began) >= LONGEST_PAUSE_MS:
            pause_ms = FIRST_PAUSE_MS
        log.warning('%s starts again in %d s', name, pause_ms // 1000)
        await asyncio.sleep_ms(pause_ms)
        pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
