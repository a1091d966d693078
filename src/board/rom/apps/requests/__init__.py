# HTTP requests with the interface of requests of micropython-lib. Other than there, the server of https:// has to have
# a certificate that the host trusts, or that `verify` says: a file of certificates to trust, or False for any.
import json as _json
import socket
from errno import ECONNABORTED

_TIMEOUT_S = 30
_REDIRECTS = (301, 302, 303, 307, 308)
_WITHOUT_BODY = (204, 304)
_PRIVATE = ('authorization', 'cookie', 'host')


class Response:
    def __init__(self, sock, status, reason, headers):
        self.raw = sock
        self.status_code = status
        self.reason = reason
        self.headers = headers
        self.encoding = 'utf-8'
        self._content = None

    @property
    def content(self):
        if self._content is None:
            try:
                self._content = self._body()
            finally:
                self.close()
        return self._content

    def _body(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        if 'chunked' in headers.get('transfer-encoding', '').lower():
            pieces = []
            while True:
                size = int(self.raw.readline().split(b';')[0], 16)
                pieces.append(self._exactly(size))
                self.raw.readline()
                if not size:
                    return b''.join(pieces)
        size = headers.get('content-length')
        return self.raw.read() if size is None else self._exactly(int(size))

    def _exactly(self, size):
        data = self.raw.read(size)
        if len(data) < size:
            raise OSError(ECONNABORTED, 'the answer breaks off')
        return data

    @property
    def text(self):
        return str(self.content, self.encoding)

    def json(self):
        return _json.loads(self.content)

    def close(self):
        if self.raw:
            self.raw.close()
            self.raw = None

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def _split(url):
    scheme, _, rest = url.partition('://')
    if scheme not in ('http', 'https'):
        raise NotImplementedError('http:// and https:// only')
    host, slash, path = rest.partition('/')
    name, _, port = host.partition(':')
    return scheme, host, name, int(port or (443 if scheme == 'https' else 80)), '/' + path


def _secured(s, name, verify):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    elif verify is not True:
        context.load_verify_locations(verify)
    return context.wrap_socket(s, server_hostname=name)


def _send(s, method, path, headers, data):
    s.write('%s %s HTTP/1.1\r\n' % (method, path))
    for name, value in headers.items():
        s.write('%s: %s\r\n' % (name, value))
    s.write('\r\n')
    if data:
        s.write(data)


def _receive(s):
    parts = s.readline().split(None, 2)
    if len(parts) < 2:
        raise ValueError('not an HTTP answer')
    headers = {}
    while True:
        line = s.readline()
        if not line or line == b'\r\n':
            break
        name, _, value = line.decode().partition(':')
        headers[name] = value.strip()
    return Response(s, int(parts[1]), parts[2].strip().decode() if len(parts) > 2 else '', headers)


def request(method, url, data=None, json=None, headers={}, stream=None, auth=None, timeout=_TIMEOUT_S,
            parse_headers=True, verify=True):
    scheme, host, name, port, path = _split(url)
    fields = {'Host': host, 'Connection': 'close'}
    fields.update(headers)
    if auth:
        from binascii import b2a_base64
        fields['Authorization'] = 'Basic ' + b2a_base64(':'.join(auth)).decode().strip()
    if json is not None:
        data = _json.dumps(json)
        fields['Content-Type'] = 'application/json'
    if isinstance(data, str):
        data = data.encode()
    if data is not None:
        fields['Content-Length'] = len(data)
    family, _, _, _, address = socket.getaddrinfo(name, port)[0]
    s = socket.socket(family)
    try:
        s.settimeout(timeout)
        s.connect(address)
        if scheme == 'https':
            s = _secured(s, name, verify)
        _send(s, method, path, fields, data)
        response = _receive(s)
        if method == 'HEAD' or response.status_code in _WITHOUT_BODY:
            response._content = b''
    except BaseException:
        s.close()
        raise
    to = response.headers.get('Location') or response.headers.get('location')
    if response.status_code not in _REDIRECTS or not to:
        return response
    response.close()
    if response.status_code < 307 and method != 'HEAD':
        method, data = 'GET', None
    if to.startswith('//'):
        to = scheme + ':' + to
    elif to.startswith('/'):
        to = '%s://%s%s' % (scheme, host, to)
    if _split(to)[:2] != (scheme, host):
        # What was meant for this server is not for another, nor to be sent in the clear.
        auth = None
        headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE}
    return request(method, to, data, None, headers, stream, auth, timeout, parse_headers, verify)


def head(url, **kwargs):
    return request('HEAD', url, **kwargs)


def get(url, **kwargs):
    return request('GET', url, **kwargs)


def post(url, **kwargs):
    return request('POST', url, **kwargs)


def put(url, **kwargs):
    return request('PUT', url, **kwargs)


def patch(url, **kwargs):
    return request('PATCH', url, **kwargs)


def delete(url, **kwargs):
    return request('DELETE', url, **kwargs)
