# esp32: firmware slots as partitions, and the non-volatile storage.
import json
from errno import ENOENT, EPERM
import _board
import _nvs

_NOT_FOUND = -0x1102


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id):
        for slot in (_running(), _other()):
            if slot and id in (slot['label'], Partition.BOOT, Partition.RUNNING):
                self._slot = slot
                return
        raise OSError(ENOENT, 'no slot ' + str(id))

    @staticmethod
    def find(type=TYPE_APP, subtype=0xff, label=None, block_size=4096):
        if type != Partition.TYPE_APP:
            return []
        found = [Partition(slot['label']) for slot in (_running(), _other()) if slot]
        return [p for p in found if label in (None, p._slot['label']) and subtype in (0xff, p.info()[1])]

    def info(self):
        """(type, subtype, address, size, label, encrypted); the address is 0, slots being files."""
        slot = self._slot
        return (Partition.TYPE_APP, 17 if slot['label'] == 'b' else 16, 0, slot['size'], slot['label'], False)

    def get_next_update(self):
        slot = _other()
        if not slot:
            raise OSError(ENOENT, 'no other slot')
        return Partition(slot['label'])

    def set_boot(self):
        _board.select_slot(self._slot['label'])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        _board.confirm_image()

    def ioctl(self, operation, argument=0):
        if operation == 4:
            return (self._slot['size'] + 4095) // 4096
        if operation == 5:
            return 4096
        return 0

    def readblocks(self, block, buffer, offset=0):
        raise OSError(EPERM, 'slots are read by mqboot alone')

    def writeblocks(self, block, buffer, offset=0):
        raise OSError(EPERM, 'firmware is installed by mqboard ota, which verifies it')

    def __repr__(self):
        return '<Partition %s, %d bytes>' % (self._slot['label'], self._slot['size'])


def _running():
    return json.loads(_board.running_slot())


def _other():
    return json.loads(_board.other_slot())


class NVS:
    """Values by name that survive everything once commit() has returned."""

    def __init__(self, namespace):
        if not 1 <= len(namespace) <= 15:
            raise ValueError('namespace of 1 to 15 characters')
        self._namespace = namespace

    def set_i32(self, key, value):
        _nvs.set_i32(self._namespace, key, value)

    def get_i32(self, key):
        return self._get(key, int)

    def set_blob(self, key, value):
        _nvs.set_blob(self._namespace, key, value)

    def get_blob(self, key, buffer):
        value = self._get(key, bytes)
        if len(value) > len(buffer):
            raise OSError(-0x110c, 'ESP_ERR_NVS_INVALID_LENGTH')
        buffer[:len(value)] = value
        return len(value)

    def erase_key(self, key):
        if not _nvs.erase(self._namespace, key):
            raise OSError(_NOT_FOUND, 'ESP_ERR_NVS_NOT_FOUND')

    def commit(self):
        _nvs.commit()

    def _get(self, key, kind):
        value = _nvs.get(self._namespace, key)
        if not isinstance(value, kind):
            raise OSError(_NOT_FOUND, 'ESP_ERR_NVS_NOT_FOUND')
        return value
