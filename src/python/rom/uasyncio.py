from asyncio import *
from asyncio import core
