# gc with what the Python mqboard's firmware has beyond it.
from gc import *
from gc import collect, mem_free


def mem_maxfree():
    """About how many bytes can be had in one piece: too few by 1/64 of what is free at most."""
    collect()
    least = 0
    most = mem_free() // 4
    step = most // 64 + 1
    while most - least > step:
        words = (least + most) // 2
        try:
            # Clearing a list frees its memory at once, while a bytearray may be taken for used for a long time.
            ([None] * words).clear()
            least = words
        except MemoryError:
            most = words
    return 4 * least
