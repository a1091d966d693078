# The event loop, on top of MicroPython's own TaskQueue and Task. Those expect `cur_task`, `_task_queue` and
# `CancelledError` in this module, and a task's `state` to say what its end means:
#   True        runs, nobody waits for it        TaskQueue   runs, these tasks wait for it
#   None        ended, nobody asked how yet      False       ended, somebody knows how
# A task's `data` is what it waits for, then the exception to resume it with, at last the exception it ended with.
#
# KeyboardInterrupt can strike in this file as in any other. MicroPython raises it at jumps only, so a task taken
# off the queue is either resumed or put back.
import sys
import _mqb
from time import ticks_ms as ticks, ticks_add, ticks_diff
from _asyncio import Task, TaskQueue

_LONGEST_MS = 0x0fffffff  # ticks_diff() can tell apart
_STEPS = 8  # tasks resumed before the host looks for other work


class CancelledError(BaseException):
    pass


class TimeoutError(Exception):
    pass


cur_task = None
_task_queue = TaskQueue()
_mains = []  # tasks that a run_until_complete() in progress waits for, innermost last
_poll = _mqb._poll


# Sleeping

class _Sleep:
    def __init__(self, until):
        self.until = until

    def __iter__(self):
        return self

    def __next__(self):
        until = self.until
        if until is None:
            raise StopIteration
        self.until = None
        _task_queue.push(cur_task, until)


def _sleep_long(ms):
    while ms > 0:
        yield from _Sleep(ticks_add(ticks(), min(ms, _LONGEST_MS)))
        ms -= _LONGEST_MS


def sleep_ms(ms):
    if ms > _LONGEST_MS:
        return _sleep_long(ms)
    return _Sleep(ticks_add(ticks(), max(0, ms)))


def sleep(seconds):
    return sleep_ms(int(seconds * 1000))


# Tasks

async def _await(awaitable):
    return await awaitable


def create_task(coro):
    if not hasattr(coro, 'send'):
        if not hasattr(coro, '__iter__'):
            raise TypeError('coroutine expected')
        coro = _await(coro)
    task = Task(coro, globals())
    _task_queue.push(task)
    return task


def current_task():
    if cur_task is None:
        raise RuntimeError('no running event loop')
    return cur_task


def _promote(awaitable):
    return awaitable if isinstance(awaitable, Task) else create_task(awaitable)


# A task ended with `error`. Interrupted, this may be repeated: what was done is not done again.
def _end(task, error):
    state = task.state
    task.data = error
    if state is True:
        if task in _mains or isinstance(error, (StopIteration, CancelledError, KeyboardInterrupt)):
            task.state = False if task in _mains else None
        else:
            # Onto the queue once more, so that its error is reported unless somebody asks for it until then.
            task.state = None
            _task_queue.push(task)
            task.data = error
    elif state:
        while state.peek():
            _task_queue.push(state.pop())
        task.state = False


def _report(task):
    if task.state is None:
        task.state = False
        Loop.call_exception_handler({'message': "Task exception wasn't retrieved", 'exception': task.data,
                                     'future': task})


def _step():
    global cur_task
    outer = cur_task
    task = cur_task = _task_queue.pop()
    resumed = False
    error = None
    try:
        error = task.data
        if not task.state:
            cur_task = outer
            return _report(task)
        if error:
            task.data = None
            resumed = True
            task.coro.throw(error)
        else:
            resumed = True
            task.coro.send(None)
    except BaseException as e:
        if not resumed:
            cur_task = outer
            if task.state:
                _task_queue.push(task)
                task.data = error
            raise
        interrupt = None
        while True:
            try:
                _end(task, e)
                break
            except KeyboardInterrupt as i:
                interrupt = i
        cur_task = outer
        if interrupt:
            raise interrupt
        if not isinstance(e, (Exception, CancelledError)):
            raise
    cur_task = outer


# The loop

def run_until_complete(main=None):
    global cur_task
    outer = cur_task
    if main is not None:
        _mains.append(main)
    try:
        while main is None or not main.done():
            task = _task_queue.peek()
            _poll(max(0, ticks_diff(task.ph_key, ticks())) if task else -1)
            task = _task_queue.peek()
            if task and ticks_diff(task.ph_key, ticks()) <= 0:
                _step()
    finally:
        if main is not None:
            _mains.remove(main)
        cur_task = outer
    main.state = False
    error = main.data
    if isinstance(error, StopIteration):
        return error.value
    raise error


def run(coro):
    return run_until_complete(create_task(coro))


# Runs what is due when no program sits in run_until_complete().
def _run_ready():
    for _ in range(_STEPS):
        task = _task_queue.peek()
        if not task:
            return -1
        wait = ticks_diff(task.ph_key, ticks())
        if wait > 0:
            return wait
        _step()
    return 0


def _in_task():
    return cur_task is not None


_mqb._loop = _run_ready
_mqb._in_task = _in_task


class Loop:
    _exc_handler = None
    _stopper = None

    @staticmethod
    def create_task(coro):
        return create_task(coro)

    @staticmethod
    def run_forever():
        stopper = Event()
        outer = Loop._stopper
        Loop._stopper = stopper
        try:
            run_until_complete(create_task(stopper.wait()))
        finally:
            Loop._stopper = outer

    @staticmethod
    def run_until_complete(awaitable):
        return run_until_complete(_promote(awaitable))

    @staticmethod
    def stop():
        if Loop._stopper:
            Loop._stopper.set()

    @staticmethod
    def close():
        pass

    @staticmethod
    def set_exception_handler(handler):
        Loop._exc_handler = handler

    @staticmethod
    def get_exception_handler():
        return Loop._exc_handler

    @staticmethod
    def default_exception_handler(loop, context):
        print(context['message'], file=sys.stderr)
        print('future:', context['future'], 'coro=', context['future'].coro, file=sys.stderr)
        sys.print_exception(context['exception'], sys.stderr)

    @staticmethod
    def call_exception_handler(context):
        (Loop._exc_handler or Loop.default_exception_handler)(Loop, context)


def get_event_loop(runq_len=0, waitq_len=0):
    return Loop


def new_event_loop():
    global _task_queue, cur_task
    _task_queue = TaskQueue()
    cur_task = None
    return Loop


# Waiting for one another

class Event:
    def __init__(self):
        self._set = False
        self._waiting = TaskQueue()

    def is_set(self):
        return self._set

    def set(self):
        self._set = True
        while self._waiting.peek():
            _task_queue.push(self._waiting.pop())

    def clear(self):
        self._set = False

    def wait(self):
        if not self._set:
            self._waiting.push(cur_task)
            cur_task.data = self._waiting
            yield
        return True


class ThreadSafeFlag:
    def __init__(self):
        self._event = Event()

    def set(self):
        self._event.set()

    def clear(self):
        self._event.clear()

    def wait(self):
        yield from self._event.wait()
        self._event.clear()


class Lock:
    def __init__(self):
        self._owner = None  # True, or the task it was handed to and that did not run since
        self._waiting = TaskQueue()

    def locked(self):
        return self._owner is not None

    def acquire(self):
        if self._owner is not None:
            self._waiting.push(cur_task)
            cur_task.data = self._waiting
            try:
                yield
            except CancelledError:
                if self._owner is cur_task:
                    self._owner = True
                    self.release()
                raise
        self._owner = True
        return True

    def release(self):
        if self._owner is None:
            raise RuntimeError('Lock not acquired')
        if self._waiting.peek():
            self._owner = self._waiting.pop()
            _task_queue.push(self._owner)
        else:
            self._owner = None

    async def __aenter__(self):
        return await self.acquire()

    async def __aexit__(self, exc_type, exc, traceback):
        return self.release()


def wait_for_ms(awaitable, ms):
    return _wait_for(awaitable, ms)


def wait_for(awaitable, timeout):
    return _wait_for(awaitable, None if timeout is None else int(timeout * 1000))


async def _wait_for(awaitable, ms):
    if ms is None:
        return await awaitable
    task = _promote(awaitable)
    expired = []

    async def expire():
        await sleep_ms(ms)
        if not task.done():
            expired.append(True)
            task.cancel()

    timer = create_task(expire())
    try:
        return await task
    except CancelledError:
        if expired:
            raise TimeoutError
        raise
    finally:
        timer.cancel()


async def gather(*awaitables, return_exceptions=False):
    tasks = [_promote(a) for a in awaitables]
    results = [None] * len(tasks)
    finished = Event()
    left = len(tasks)
    failure = None

    async def watch(i):
        nonlocal left, failure
        try:
            results[i] = await tasks[i]
        except (CancelledError, Exception) as e:
            results[i] = e
            if not return_exceptions and failure is None:
                failure = e
                finished.set()
        left -= 1
        if not left:
            finished.set()

    for i in range(len(tasks)):
        create_task(watch(i))
    if tasks:
        try:
            await finished.wait()
        except CancelledError:
            for task in tasks:
                task.cancel()
            raise
    if failure is not None:
        raise failure
    return results
