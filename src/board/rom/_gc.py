# gc with what the Python mqboard's firmware has beyond it.
from gc import *
from gc import collect, mem_free


def mem_maxfree():
    """About how many bytes can be had in one piece: 1/16 less at most."""
    collect()
    # From the top, for a piece once had may be taken for used afterwards.
    size = mem_free()
    while size > 16:
        try:
            bytearray(size)
            break
        except MemoryError:
            size -= size // 16
    collect()
    return size
