# machine.UART: the host's serial ports. As on a board a read returns what has come when nothing more comes in time.
from errno import ETIMEDOUT
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms
import _uart

_CHUNK = 4096  # what the kernel holds, in either direction
_BITS = 13  # of a character, at the most


class UART:
    RTS = 1
    CTS = 2

    _io = _uart  # for select and asyncio

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, *, tx=None, rx=None, rts=None, cts=None,
                 txbuf=None, rxbuf=None, timeout=0, timeout_char=0, invert=0, flow=0):
        self._handle = str(id)
        self.init(baudrate, bits, parity, stop, timeout=timeout, timeout_char=timeout_char, invert=invert, flow=flow)

    # What is not given stays. Pins and buffers are the host's.
    def init(self, baudrate=None, bits=None, parity=-1, stop=None, *, tx=None, rx=None, rts=None, cts=None, txbuf=None,
             rxbuf=None, timeout=None, timeout_char=None, invert=0, flow=None):
        baudrate = self._baudrate if baudrate is None else baudrate
        bits = self._bits if bits is None else bits
        parity = self._parity if parity == -1 else parity
        stop = self._stop if stop is None else stop
        flow = self._flow if flow is None else flow
        if invert:
            raise ValueError('invert')
        if flow not in (0, UART.RTS | UART.CTS):
            raise ValueError('flow is 0 or UART.RTS | UART.CTS')
        if parity not in (None, 0, 1):
            raise ValueError('parity is None, 0 or 1')
        _uart.open(self._handle, baudrate, bits, -1 if parity is None else parity, stop, flow != 0)
        self._waits = [None, None]
        self._baudrate, self._bits, self._parity, self._stop, self._flow = baudrate, bits, parity, stop, flow
        self._character_ms = _BITS * 1000 // baudrate + 1
        self._drain_ms = _CHUNK * _BITS * 1000 // baudrate + 100
        if timeout is not None:
            self._timeout = timeout
        if timeout_char is not None:
            self._timeout_char = timeout_char
        self._timeout_char = max(self._timeout_char, self._character_ms)

    def __repr__(self):
        return 'UART(%s, baudrate=%d, bits=%d, parity=%s, stop=%d, timeout=%d, timeout_char=%d)' % (
            self._handle, self._baudrate, self._bits, self._parity, self._stop, self._timeout, self._timeout_char)

    # Completes when reading, or writing, is worth a try. One at a time is under way: an abandoned one serves again.
    def _ready(self, for_write):
        wait = self._waits[for_write]
        if wait is None or wait.done():
            wait = self._waits[for_write] = _uart.wait(self._handle, bool(for_write))
        return wait

    def _wait(self, for_write, ms):
        """Whether it is ready within so many milliseconds."""
        if ms <= 0:
            return False
        try:
            self._ready(for_write).wait(ms)
        except OSError as e:
            if e.errno != ETIMEDOUT:
                raise
            return False
        return True

    # None, unless the first byte comes within `timeout`; ends where none follows within `timeout_char`.
    def _receive(self, size):
        data = _uart.receive(self._handle, size)
        if data is None and self._wait(0, self._timeout):
            data = _uart.receive(self._handle, size)
        while data is not None and len(data) < size and self._wait(0, self._timeout_char):
            data += _uart.receive(self._handle, size - len(data)) or b''
        return data

    def read(self, size=-1):
        if size == 0:
            return b''
        data = b''
        while size < 0 or len(data) < size:
            more = self._receive(_CHUNK if size < 0 else min(_CHUNK, size - len(data)))
            if more is None:
                break
            data += more
        return data or None

    def readinto(self, buffer, size=-1):
        data = self.read(len(buffer) if size < 0 else min(size, len(buffer)))
        if data is None:
            return None
        buffer[:len(data)] = data
        return len(data)

    def readline(self, size=-1):
        line = b''
        while not line.endswith(b'\n') and len(line) != size:
            c = self._receive(1)
            if c is None:
                break
            line += c
        return line or None

    def write(self, data):
        """How many bytes are on their way; less than all only if for as long as the buffer takes none leaves."""
        data = memoryview(data.encode() if isinstance(data, str) else data)
        written = 0
        while written < len(data):
            sent = _uart.send(self._handle, data[written:])
            if sent is not None:
                written += sent
            elif not self._wait(1, self._timeout + self._drain_ms):
                break
        return written if written or not len(data) else None

    def any(self):
        return _uart.any(self._handle)

    def txdone(self):
        return _uart.sent(self._handle)

    def flush(self):
        end = ticks_add(ticks_ms(), self._timeout + 2 * self._drain_ms)
        while not _uart.sent(self._handle):
            if ticks_diff(end, ticks_ms()) <= 0:
                raise OSError(ETIMEDOUT)
            sleep_ms(1)

    def sendbreak(self):
        self.flush()
        _uart.set_break(self._handle, True)
        try:
            sleep_ms(self._character_ms)
        finally:
            _uart.set_break(self._handle, False)

    def deinit(self):
        _uart.close(self._handle)

    close = deinit  # asyncio's streams call it
