# MicroPython's os with what boards have beyond it.
import sys
from collections import namedtuple
from uos import *
from uos import ilistdir as _ilistdir, remove as unlink
from _mqb import _random


def ilistdir(directory=''):
    """(name, type, inode, size) of each entry."""
    base = directory if directory in ('', '/') or directory[-1:] == '/' else directory + '/'
    for entry in _ilistdir(directory) if directory else _ilistdir():
        size = 0 if entry[1] == 0x4000 else stat(base + entry[0])[6]
        yield (entry[0], entry[1], entry[2], size)


def urandom(n):
    return _random(n)


def sync():
    pass


_Uname = namedtuple('uname', ('sysname', 'nodename', 'release', 'version', 'machine'))


def uname():
    release = '.'.join([str(n) for n in sys.implementation.version[:3]])
    version = sys.version.split('MicroPython ')[-1]
    return _Uname('linux', 'mqboard', release, version, sys.implementation._machine)


from os import path
