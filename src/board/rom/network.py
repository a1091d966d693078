# network for a board whose network is its host's: it can be looked at, and is configured there.
import json
from errno import EPERM
import _board

STA_IF = 0
AP_IF = 1

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010


def _facts():
    return json.loads(_board.network())


def hostname(name=None):
    if name is None:
        return _facts()['hostname']
    raise OSError(EPERM, 'the host name is the host\'s')


class _Interface:
    def active(self, on=None):
        """Whether the host has a network. Switching it on or off has no effect."""
        return self.isconnected()

    def connect(self, *args, **kwargs):
        pass

    def disconnect(self):
        pass

    def isconnected(self):
        return _facts()['up']

    def status(self, what=None):
        if what is not None:
            raise ValueError('unknown: ' + what)
        return STAT_GOT_IP if self.isconnected() else STAT_IDLE

    def ifconfig(self, config=None):
        """(address, netmask, gateway, nameserver)"""
        if config is not None:
            raise OSError(EPERM, 'the network is configured on the host')
        f = _facts()
        none = '0.0.0.0'
        return (f['address'] or none, f['netmask'] or none, f['gateway'] or none, f['nameserver'] or none)

    def config(self, what=None, **settings):
        if what is None:
            return None  # settings have no effect
        f = _facts()
        if what == 'mac':
            return bytes.fromhex(f['mac'])
        if what in ('hostname', 'dhcp_hostname'):
            return f['hostname']
        if what == 'ifname':
            return f['interface']
        raise ValueError('unknown: ' + what)


class WLAN(_Interface):
    IF_STA = STA_IF
    IF_AP = AP_IF

    def __init__(self, interface=STA_IF):
        self._station = interface == STA_IF

    def isconnected(self):
        return self._station and super().isconnected()

    def scan(self):
        return []


class LAN(_Interface):
    def __init__(self, *args, **kwargs):
        pass
