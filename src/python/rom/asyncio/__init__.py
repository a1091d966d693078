# asyncio as on a MicroPython board. The event loop is the Python thread's own: tasks run inside asyncio.run() and,
# when no program sits in it, from the host's main loop.
from asyncio.core import (
    CancelledError, Event, Lock, Loop, Task, ThreadSafeFlag, TimeoutError, create_task, current_task, gather,
    get_event_loop, new_event_loop, run, run_until_complete, sleep, sleep_ms, ticks, wait_for, wait_for_ms)
from asyncio import core
