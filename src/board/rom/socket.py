# Network sockets as on a board: TCP and UDP, IPv4 and IPv6, blocking, with timeout, or not blocking.
import json
from errno import EAGAIN, EINPROGRESS
import _socket

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
SOL_SOCKET = 1
SO_REUSEADDR = 2
SO_BROADCAST = 6
SO_KEEPALIVE = 9
TCP_NODELAY = 1
IP_ADD_MEMBERSHIP = 35
IP_DROP_MEMBERSHIP = 36

_CHUNK = 4096


class timeout(OSError):
    pass


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """A list of (family, type, proto, canonname, address) for a name or an address."""
    found = json.loads(_socket.resolve(host or '0.0.0.0', int(port), af).wait())
    return [(family, type or SOCK_STREAM, proto, '', (address, number)) for family, address, number in found]


def inet_ntop(af, data):
    if af == AF_INET:
        return '%d.%d.%d.%d' % tuple(data)
    return ':'.join(['%x' % (data[i] << 8 | data[i + 1]) for i in range(0, 16, 2)])


def inet_pton(af, text):
    if af != AF_INET:
        raise NotImplementedError('IPv4 only')
    return bytes([int(part) for part in text.split('.')])


def _is_address(host):
    return not host or ':' in host or all([c in '0123456789.' for c in host])


def _pair(text):
    host, port = text.rsplit(' ', 1)
    return (host, int(port))


class socket:
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0, *, _handle=None):
        self._family = af
        self._type = type
        self._handle = _socket.open(af, type) if _handle is None else _handle
        self._timeout_ms = -1
        self._waits = [None, None]

    # Completes when reading, or writing, is worth a try. One at a time is under way: an abandoned one serves again.
    def _ready(self, for_write):
        wait = self._waits[for_write]
        if wait is None or wait.done():
            wait = self._waits[for_write] = _socket.wait(self._handle, bool(for_write))
        return wait

    def _block(self, for_write):
        if self._timeout_ms == 0:
            raise OSError(EAGAIN)
        self._ready(for_write).wait(self._timeout_ms)

    def _address(self, address):
        host, port = address[:2]
        if not _is_address(host):
            host = getaddrinfo(host, port, self._family)[0][-1][0]
        return host, port

    def setblocking(self, flag):
        self._timeout_ms = -1 if flag else 0

    def settimeout(self, seconds):
        self._timeout_ms = -1 if seconds is None else int(seconds * 1000)

    def setsockopt(self, level, option, value):
        _socket.set_option(self._handle, level, option, value)

    def bind(self, address):
        _socket.bind(self._handle, *self._address(address))

    def listen(self, backlog=5):
        _socket.listen(self._handle, backlog)

    def accept(self):
        while True:
            handle = _socket.accept(self._handle)
            if handle is not None:
                break
            self._block(0)
        return socket(self._family, self._type, _handle=handle), _pair(_socket.peer(handle))

    def connect(self, address):
        if _socket.connect(self._handle, *self._address(address)) is None:
            if self._timeout_ms == 0:
                raise OSError(EINPROGRESS)
            self._block(1)
            self._check()

    def _check(self):
        error = _socket.error(self._handle)
        if error:
            raise OSError(error)

    def getsockname(self):
        return _pair(_socket.local(self._handle))

    def getpeername(self):
        return _pair(_socket.peer(self._handle))

    def send(self, data):
        while True:
            sent = _socket.send(self._handle, data)
            if sent is not None:
                return sent
            self._block(1)

    def sendall(self, data):
        data = memoryview(data.encode() if isinstance(data, str) else data)
        while data:
            data = data[self.send(data):]

    def sendto(self, data, address):
        host, port = self._address(address)
        while True:
            sent = _socket.send(self._handle, data, host, port)
            if sent is not None:
                return sent
            self._block(1)

    def recv(self, size):
        while True:
            data = _socket.receive(self._handle, size)
            if data is not None:
                return data
            self._block(0)

    def recvfrom(self, size):
        data = self.recv(size)
        return data, _pair(_socket.sender(self._handle))

    # As a stream. Without blocking, what there is, or None.

    def read(self, size=-1):
        if self._timeout_ms == 0:
            return _socket.receive(self._handle, _CHUNK if size < 0 else size)
        # Joined once: a sum that grows piece by piece leaves the heap full of all its lengths.
        pieces = []
        while size != 0:
            more = self.recv(_CHUNK if size < 0 else size)
            if not more:
                break
            pieces.append(more)
            if size > 0:
                size -= len(more)
        return b''.join(pieces)

    def readinto(self, buffer, size=-1):
        end = len(buffer) if size < 0 else min(size, len(buffer))
        at = 0
        while at < end:
            size = min(_CHUNK, end - at)
            data = _socket.receive(self._handle, size) if self._timeout_ms == 0 else self.recv(size)
            if data is None:
                return at or None
            if not data:
                break
            buffer[at:at + len(data)] = data
            at += len(data)
        return at

    def readline(self):
        line = b''
        while not line.endswith(b'\n'):
            c = self.recv(1)
            if not c:
                break
            line += c
        return line

    def write(self, data, size=-1):
        if size >= 0:
            data = memoryview(data)[:size]
        if self._timeout_ms == 0:
            return _socket.send(self._handle, data)
        self.sendall(data)
        return len(data)

    def makefile(self, mode='rb', buffering=0):
        return self

    def fileno(self):
        return self._handle

    def close(self):
        if self._handle >= 0:
            _socket.close(self._handle)
            self._handle = -1

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def create_connection(address, timeout=None):
    s = socket(getaddrinfo(address[0], address[1])[0][0])
    s.settimeout(timeout)
    s.connect(address)
    s.setblocking(True)
    return s
