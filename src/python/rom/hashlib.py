# sha256 is MicroPython's own; sha1 and md5, for what speaks no other language, are the host's.
from uhashlib import sha256
import _mqb


class _Hash:
    def __init__(self, data=b''):
        self._state = self._update(b'', data)

    def update(self, data):
        self._state = self._update(self._state, data)

    def digest(self):
        return self._update(self._state, None)

    def hexdigest(self):
        return self.digest().hex()


class sha1(_Hash):
    _update = staticmethod(_mqb._sha1)


class md5(_Hash):
    _update = staticmethod(_mqb._md5)
