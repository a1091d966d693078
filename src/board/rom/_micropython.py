# micropython with what its ports for microcontrollers have beyond it.
from micropython import *


def alloc_emergency_exception_buf(size):
    """Has no effect: handlers run between tasks, where exceptions can be allocated."""
