# TLS over the sockets of socket.py, with the interface of MicroPython's ssl. The host's OpenSSL does it.
import _socket
from socket import socket
from time import ticks_add, ticks_diff, ticks_ms

PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2


class SSLSocket(socket):
    """What wrap_socket() makes of a socket. Both are one: closing one closes the other."""

    def __init__(self, sock):
        self._sock = sock
        self._family = sock._family
        self._type = sock._type
        self._waits = [None, None]

    @property
    def _handle(self):
        return self._sock._handle

    @property
    def _timeout_ms(self):
        return self._sock._timeout_ms

    def setblocking(self, flag):
        self._sock.setblocking(flag)

    def settimeout(self, seconds):
        self._sock.settimeout(seconds)

    def close(self):
        self._sock.close()

    # TLS may have to write before it can read, and the other way round.
    def _ready(self, for_write):
        return super()._ready(_socket.waits_to_write(self._handle, bool(for_write)))

    def _shake_hands(self):
        end = ticks_add(ticks_ms(), self._timeout_ms) if self._timeout_ms > 0 else None
        while _socket.handshake(self._handle) is None:
            self._ready(0).wait(-1 if end is None else max(0, ticks_diff(end, ticks_ms())))

    def getpeercert(self, binary_form=False):
        """The peer's certificate as DER, None if it has none."""
        if not binary_form:
            raise NotImplementedError('getpeercert(True)')
        return _socket.peer_certificate(self._handle)

    def cipher(self):
        """(name of the cipher suite, version of TLS), None before the handshake."""
        text = _socket.cipher(self._handle)
        return text and tuple(text.split(' '))


def _content(what):
    # The name of a file; or what stands in one, which as a str only PEM can be.
    if isinstance(what, str):
        if '-----BEGIN ' in what:
            return what.encode()
        with open(what, 'rb') as file:
            return file.read()
    return what


class SSLContext:
    def __init__(self, protocol):
        if protocol not in (PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER):
            raise ValueError('PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER')
        self._server = protocol == PROTOCOL_TLS_SERVER
        self._check = CERT_NONE if self._server else CERT_REQUIRED
        self._certificates = None
        self._key = None
        self._trusted = b''
        self._ciphers = ''

    @property
    def verify_mode(self):
        return self._check

    @verify_mode.setter
    def verify_mode(self, mode):
        if mode not in (CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED):
            raise ValueError('CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED')
        self._check = mode

    @property
    def verify_callback(self):
        return None

    # Better than an attribute without effect.
    @verify_callback.setter
    def verify_callback(self, callback):
        raise NotImplementedError('verify_callback')

    def load_cert_chain(self, certfile, keyfile=None):
        """Our own certificate, those that lead from it to a root, and its key: names of files, or their content."""
        content = _content(certfile)
        certificates = _socket.certificates(content)
        self._key = _socket.private_key(content if keyfile is None else _content(keyfile), certificates)
        self._certificates = certificates

    def load_verify_locations(self, cafile=None, cadata=None):
        """Whom to trust, in addition to whom was loaded before: the name of a file, or its content."""
        if cafile is None and cadata is None:
            raise ValueError('cafile or cadata')
        if cafile is not None:
            self._trusted += _socket.certificates(_content(cafile))
        if cadata is not None:
            self._trusted += _socket.certificates(cadata)

    def get_ciphers(self):
        return _socket.cipher_names(self._ciphers).split(':')

    def set_ciphers(self, ciphers):
        """A list of names, or one."""
        ciphers = ciphers if isinstance(ciphers, str) else ':'.join(ciphers)
        if not ciphers:
            raise ValueError('no ciphers')
        _socket.cipher_names(ciphers)
        self._ciphers = ciphers

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        if not isinstance(sock, socket):
            raise TypeError('a socket is expected')
        if server_side and not self._server:
            raise ValueError('server_side requires PROTOCOL_TLS_SERVER')
        if self._server:
            if not self._certificates:
                raise ValueError('a server requires load_cert_chain()')
            if self._check == CERT_REQUIRED and not self._trusted:
                raise ValueError('CERT_REQUIRED requires load_verify_locations()')
        elif self._check == CERT_REQUIRED and not server_hostname:
            raise ValueError('CERT_REQUIRED requires server_hostname')
        _socket.start_tls(sock._handle, self._server, self._check, server_hostname, self._certificates, self._key,
                          self._trusted, self._ciphers)
        wrapped = SSLSocket(sock)
        if do_handshake_on_connect:
            wrapped._shake_hands()
        return wrapped


def wrap_socket(sock, server_side=False, key=None, cert=None, cert_reqs=CERT_NONE, cadata=None, server_hostname=None,
                do_handshake=True, keyfile=None, certfile=None):
    """As a context of its own would do it; the peer is not verified unless cert_reqs says so."""
    context = SSLContext(PROTOCOL_TLS_SERVER if server_side else PROTOCOL_TLS_CLIENT)
    cert = certfile if cert is None else cert
    if cert is not None:
        context.load_cert_chain(cert, keyfile if key is None else key)
    elif key is not None or keyfile is not None:
        raise ValueError('a key requires its certificate')
    if cadata is not None:
        context.load_verify_locations(cadata=cadata)
    context.verify_mode = cert_reqs
    return context.wrap_socket(sock, server_side, do_handshake, server_hostname)
