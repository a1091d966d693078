# What MicroPython's ssl is made of, where certificates are given as they are, never by the name of a file.
import ssl
from ssl import CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER


def _data(data):
    return data.encode() if isinstance(data, str) else data


class SSLContext(ssl.SSLContext):
    def load_cert_chain(self, cert, key):
        super().load_cert_chain(_data(cert), _data(key))

    def load_verify_locations(self, cadata):
        super().load_verify_locations(cadata=cadata)
