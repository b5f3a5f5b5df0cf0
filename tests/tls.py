"""What a server on loopback shows to those who ask for a host by TLS."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
from collections.abc import Iterator


def get(host: str, path: str, trusted: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    """Fetch ``path``, exactly as it is, from ``host`` over HTTPS: the status, the headers, the text.

    Args:
        host: What to ask for, by SNI and in the request.
        path: With what a browser would tidy up.
        trusted: The certificate authority, PEM, that must have issued the certificate.
        headers: More of them.
    """
    connection = http.client.HTTPSConnection("127.0.0.1", timeout=10)
    with secured(host, 443, ssl.create_default_context(cadata=trusted)) as connection.sock:
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": host, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()


@contextlib.contextmanager
def secured(host: str, port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """Open TLS to a port on loopback, asking for ``host`` by SNI."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=host) as tls,
    ):
        yield tls


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 fingerprint of a certificate, DER."""
    return hashlib.sha256(certificate).hexdigest()


def fingerprint(host: str, port: int = 443, *, trusted: str | None = None) -> str:
    """Return the fingerprint of the certificate that is served for ``host`` by SNI.

    Args:
        host: What to ask for.
        port: On 127.0.0.1.
        trusted: A certificate authority, PEM, that must have issued it for that host; default: anything goes.

    Raises:
        ssl.SSLError: The certificate isn't trusted, or the server refuses.
    """
    context = ssl.create_default_context(cadata=trusted)
    if trusted is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with secured(host, port, context) as tls:
        certificate = tls.getpeercert(binary_form=True)
    assert certificate is not None
    return fingerprint_of(certificate)
