# esp, for the boot.py of so many tutorials. There is no vendor's log to redirect, and the flash is a directory.
import os

LOG_NONE = 0
LOG_ERROR = 1
LOG_WARNING = 2
LOG_INFO = 3
LOG_DEBUG = 4
LOG_VERBOSE = 5


def osdebug(uart, level=LOG_NONE):
    """Has no effect: the firmware's messages are in the board's log."""


def flash_size():
    space = os.statvfs('/')
    return space[1] * space[2]
