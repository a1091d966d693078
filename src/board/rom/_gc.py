# gc with what the Python mqboard's firmware has beyond it.
from gc import *
from gc import mem_free


def mem_maxfree():
    """The largest number of bytes that can be had in one piece."""
    least = 0
    most = mem_free()
    while most - least > 64:
        size = (least + most) // 2
        try:
            bytearray(size)
            least = size
        except MemoryError:
            most = size
    return least
