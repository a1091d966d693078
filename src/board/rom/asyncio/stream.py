# asyncio's streams over the sockets of socket.py, with TLS of ssl.py, and over machine.UART.
import _socket
import socket
from asyncio import create_task, sleep_ms, wait_for
from errno import EBADF

# A client that does not get on with its handshake holds a socket for so long.
_HANDSHAKE_S = 30
# Before a server tries again when it could not take a client.
_PAUSE_MS = 50


class Stream:
    def __init__(self, s, e={}):
        self.s = s
        self.e = e
        self.out = b''
        self.io = getattr(s, '_io', _socket)
        if self.io is _socket:
            s.setblocking(False)

    def get_extra_info(self, what):
        return self.e[what]

    def close(self):
        pass

    async def wait_closed(self):
        self.s.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *args):
        await self.wait_closed()

    async def _receive(self, size):
        while True:
            data = self.io.receive(self.s._handle, size)
            if data is not None:
                return data
            await self.s._ready(0)

    async def read(self, n=-1):
        if n >= 0:
            return await self._receive(n)
        pieces = []
        while True:
            more = await self._receive(4096)
            if not more:
                return b''.join(pieces)
            pieces.append(more)

    async def readinto(self, buffer):
        data = await self._receive(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    async def readexactly(self, n):
        # Joined once: a sum that grows piece by piece leaves the heap full of all its lengths.
        pieces = []
        while n > 0:
            more = await self._receive(n)
            if not more:
                raise EOFError
            pieces.append(more)
            n -= len(more)
        return b''.join(pieces)

    async def readline(self):
        line = b''
        while not line.endswith(b'\n'):
            c = await self._receive(1)
            if not c:
                break
            line += c
        return line

    def write(self, data):
        if isinstance(data, str):
            data = data.encode()
        if not self.out:
            # Straight out, as far as it goes: drain() sends the rest.
            sent = self.io.send(self.s._handle, data) or 0
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        self.out += bytes(data)

    async def drain(self):
        while self.out:
            sent = self.io.send(self.s._handle, self.out)
            if sent is None:
                await self.s._ready(1)
            else:
                self.out = self.out[sent:]


StreamReader = Stream
StreamWriter = Stream


async def _secure(s, context, server_side, server_hostname=None):
    s = context.wrap_socket(s, server_side, False, server_hostname)
    while _socket.handshake(s._handle) is None:
        await s._ready(0)
    return s


def _context(ssl):
    if ssl is not True:
        return ssl
    import ssl
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def open_connection(host, port, ssl=None, server_hostname=None):
    import json
    found = json.loads(await _socket.resolve(host, port, 0))
    family, address, port = found[0]
    s = socket.socket(family)
    s.setblocking(False)
    try:
        if _socket.connect(s._handle, address, port) is None:
            await s._ready(1)
            s._check()
        if ssl:
            s = await _secure(s, _context(ssl), False, server_hostname or host)
    except BaseException:
        s.close()
        raise
    stream = Stream(s, {'peername': (address, port)})
    return stream, stream


async def _welcome(client, peer, ssl, callback):
    try:
        client = await wait_for(_secure(client, ssl, True), _HANDSHAKE_S)
    except Exception as e:
        client.close()
        import logging
        why = e.args[-1] if len(e.args) > 1 else str(e) or 'no answer'
        return logging.getLogger('asyncio').warning('TLS handshake with %s failed: %s', peer[0], why)
    except BaseException:
        client.close()
        raise
    stream = Stream(client, {'peername': peer})
    create_task(callback(stream, stream))


class Server:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *args):
        self.close()
        await self.wait_closed()

    def close(self):
        self.task.cancel()

    async def wait_closed(self):
        try:
            await self.task
        except BaseException:
            pass

    async def _serve(self, s, callback, ssl):
        try:
            while True:
                try:
                    handle = _socket.accept(s._handle)
                except OSError as e:
                    if e.errno == EBADF:
                        raise
                    await sleep_ms(_PAUSE_MS)  # too many are open; the others still have to be served
                    continue
                if handle is None:
                    await s._ready(0)
                    continue
                client = socket.socket(s._family, _handle=handle)
                try:
                    peer = client.getpeername()
                except OSError:  # it has gone already
                    client.close()
                    continue
                if ssl:
                    create_task(_welcome(client, peer, ssl, callback))
                    continue
                stream = Stream(client, {'peername': peer})
                create_task(callback(stream, stream))
        finally:
            s.close()


async def start_server(callback, host, port, backlog=5, ssl=None):
    if ssl and not hasattr(ssl, 'wrap_socket'):
        raise TypeError('ssl: an SSLContext is expected')
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(backlog)
    server = Server()
    server.task = create_task(server._serve(s, callback, ssl))
    return server
