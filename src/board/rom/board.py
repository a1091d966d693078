# The board's configuration and LEDs: what board.py and board_config.py are on the Python mqboard.
import json
import _board
from machine import Pin

_facts = json.loads(_board.facts())

kind = _facts['kind']
location = _facts['location']
mqtt_prefix = prefix = _facts['prefix']
version = _facts['version']
modules = _facts['modules']
safemode = _facts['safe_mode']

act_led = Pin('act_led', Pin.OUT)
fail_led = Pin('fail_led', Pin.OUT)


def table(name):
    """The table of a module in board.toml as a new dict, empty if there is none."""
    return json.loads(_board.table(name))


def get_battery_voltage():
    return 0


def connect_wifi():
    # The network is the host's.
    pass


def __getattr__(name):
    if name in modules:
        return table(name)
    raise AttributeError(name)
