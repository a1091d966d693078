# HTTP requests with the interface of requests of micropython-lib. There is no TLS.
import json as _json
import socket

_TIMEOUT_S = 30
_REDIRECTS = (301, 302, 303, 307, 308)


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
            body = b''
            while True:
                size = int(self.raw.readline().split(b';')[0], 16)
                body += self.raw.read(size)
                self.raw.readline()
                if not size:
                    return body
        size = headers.get('content-length')
        return self.raw.read() if size is None else self.raw.read(int(size))

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
    if scheme != 'http':
        raise NotImplementedError('http:// only: there is no TLS' if scheme == 'https' else 'http:// only')
    host, slash, path = rest.partition('/')
    name, _, port = host.partition(':')
    return host, name, int(port or 80), '/' + path


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
            parse_headers=True):
    host, name, port, path = _split(url)
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
    s = socket.socket()
    try:
        s.settimeout(timeout)
        s.connect(socket.getaddrinfo(name, port)[0][-1])
        _send(s, method, path, fields, data)
        response = _receive(s)
    except BaseException:
        s.close()
        raise
    to = response.headers.get('Location') or response.headers.get('location')
    if response.status_code not in _REDIRECTS or not to:
        return response
    response.close()
    if response.status_code < 307 and method != 'HEAD':
        method, data = 'GET', None
    if to.startswith('/'):
        to = 'http://' + host + to
    return request(method, to, data, None, headers, stream, auth, timeout)


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
