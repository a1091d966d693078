# network for a board whose network is its host's: it can be looked at, and is configured there.
import json
from errno import EPERM
import _board

STA_IF = 0
AP_IF = 1

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204

AUTH_OPEN = 0
AUTH_WEP = 1
AUTH_WPA_PSK = 2
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4


def _facts():
    return json.loads(_board.network())


def hostname(name=None):
    """The host's name. Setting it has no effect."""
    if name is None:
        return _facts()['hostname']


def country(code=None):
    """Has no effect: radios are the host's."""
    if code is None:
        return 'XX'


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

    def ipconfig(self, what=None, **settings):
        if settings:
            raise OSError(EPERM, 'the network is configured on the host')
        address, netmask, gateway, _ = self.ifconfig()
        if what == 'addr4':
            return (address, netmask)
        if what == 'gw4':
            return gateway
        raise ValueError('unknown: ' + str(what))

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
        if what in ('ssid', 'essid'):
            return ''  # joining one is the host's business
        raise ValueError('unknown: ' + what)


class WLAN(_Interface):
    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        self._station = interface == STA_IF

    def active(self, on=None):
        if on and not self._station:
            # A script that waits for it would wait for ever.
            raise OSError(EPERM, 'there is no access point: the network is the host\'s')
        return super().active(on)

    def isconnected(self):
        return self._station and super().isconnected()

    def scan(self):
        return []


class LAN(_Interface):
    def __init__(self, *args, **kwargs):
        pass
