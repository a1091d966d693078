# An MQTT client of the application's own, with the interface of umqtt.simple of micropython-lib. The board's own
# connection, module mqtt, is there already, and encrypted.
import socket
import struct


class MQTTException(Exception):
    pass


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


def _string(text):
    text = _bytes(text)
    return struct.pack('!H', len(text)) + text


def _packet(kind, *parts):
    body = b''.join(parts)
    size = len(body)
    header = bytes([kind])
    while size > 0x7f:
        header += bytes([size & 0x7f | 0x80])
        size >>= 7
    return header + bytes([size]) + body


class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None, ssl_params={}):
        self.client_id = client_id
        self.server = server
        self.port = port or (8883 if ssl else 1883)
        self.ssl = ssl
        self.ssl_params = ssl_params
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.sock = None
        self.cb = None
        self.pid = 0
        self.lw_topic = None

    def set_callback(self, f):
        """f(topic, msg), both bytes, for every message that arrives."""
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.lw_topic = topic
        self.lw_msg = msg
        self.lw_retain = retain
        self.lw_qos = qos

    def connect(self, clean_session=True, timeout=None):
        """Whether the broker knew the session."""
        self.close()
        family, _, _, _, address = socket.getaddrinfo(self.server, self.port)[0]
        self.sock = socket.socket(family)
        try:
            self.sock.settimeout(timeout)
            self.sock.connect(address)
            if self.ssl:
                self._secure()
            return self._introduce(clean_session)
        except BaseException:
            self.sock.close()
            raise

    # `ssl` is a context (or anything with its wrap_socket), or True: ssl.wrap_socket(), which verifies nobody unless
    # ssl_params say so.
    def _secure(self):
        params = {'server_hostname': self.server}
        params.update(self.ssl_params)
        if hasattr(self.ssl, 'wrap_socket'):
            wrap_socket = self.ssl.wrap_socket
        else:
            from ssl import wrap_socket
        self.sock = wrap_socket(self.sock, **params)

    def _introduce(self, clean_session):
        flags = clean_session << 1
        payload = _string(self.client_id)
        if self.lw_topic:
            flags |= 4 | self.lw_qos << 3 | self.lw_retain << 5
            payload += _string(self.lw_topic) + _string(self.lw_msg)
        if self.user is not None:
            flags |= 0x80
            payload += _string(self.user)
            if self.pswd is not None:
                flags |= 0x40
                payload += _string(self.pswd)
        self.sock.write(_packet(0x10, b'\x00\x04MQTT\x04', bytes([flags]), struct.pack('!H', self.keepalive), payload))
        answer = self._read(4)
        if answer[:2] != b'\x20\x02':
            raise MQTTException('not a CONNACK')
        if answer[3]:
            raise MQTTException(answer[3])
        return answer[2] & 1

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def disconnect(self):
        self.sock.write(b'\xe0\0')
        self.close()

    def ping(self):
        self.sock.write(b'\xc0\0')

    def publish(self, topic, msg, retain=False, qos=0):
        kind = 0x30 | qos << 1 | retain
        if not qos:
            self.sock.write(_packet(kind, _string(topic), _bytes(msg)))
            return
        if qos > 1:
            raise ValueError('QoS 0 or 1')
        pid = self._next_pid()
        self.sock.write(_packet(kind, _string(topic), pid, _bytes(msg)))
        self._wait_for(0x40, pid)

    def subscribe(self, topic, qos=0):
        if self.cb is None:
            raise ValueError('set_callback() comes first')
        pid = self._next_pid()
        self.sock.write(_packet(0x82, pid, _string(topic), bytes([qos])))
        granted = self._wait_for(0x90, pid)[0]
        if granted == 0x80:
            raise MQTTException(granted)

    def _next_pid(self):
        self.pid = self.pid % 0xffff + 1
        return struct.pack('!H', self.pid)

    def _wait_for(self, kind, pid):
        while True:
            got, body = self._receive()
            if got == kind and body[:2] == pid:
                return body[2:]

    def _read(self, size):
        data = self.sock.read(size)
        if len(data) < size:
            raise OSError(-1)  # the broker has closed the connection, as umqtt.simple says it
        return data

    # Answers (kind, body) of the next packet, (None, b'') when there is none and the socket does not block.
    def _receive(self):
        first = self.sock.read(1)
        self.sock.setblocking(True)
        if first is None:
            return None, b''
        if first == b'':
            raise OSError(-1)
        size = shift = 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        body = self._read(size)
        if first[0] & 0xf0 == 0x30:
            self._take(first[0], body)
        return first[0], body

    def _take(self, kind, body):
        start = 2 + (body[0] << 8 | body[1])
        topic = body[2:start]
        if kind & 6:
            pid = body[start:start + 2]
            start += 2
        self.cb(topic, body[start:])
        if kind & 6:
            self.sock.write(b'\x40\x02' + pid)

    def wait_msg(self):
        """Waits for one packet and hands a message to the callback. None: an answer to ping()."""
        kind = self._receive()[0]
        return None if kind == 0xd0 else kind

    def check_msg(self):
        """The same for a packet that has arrived already."""
        self.sock.setblocking(False)
        return self.wait_msg()
