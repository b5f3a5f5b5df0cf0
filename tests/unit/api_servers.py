"""API servers and proxies for tests: real ones, on this machine."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from settings.cluster_facts import NAMESPACES, VERSION
from tests.unit import websockets

Answers = Mapping[str, tuple[int, Any]]
"""Path to status and body."""

DEFAULT_NAMESPACE: Answers = {NAMESPACES: (200, {"items": [{"metadata": {"name": "default"}}]})}


class Authority:
    """Signs certificates; each is a pair of PEM texts, with its key."""

    def __init__(self, name: str, parent: Authority | None = None) -> None:
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._parent = parent or self
        self.certificate = self._parent.sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))

    def sign(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> str:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def issue(self, *names: str) -> tuple[str, str]:
        """Return a certificate for hosts and addresses, or of a client, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        return self.sign(subject, key, alternatives), pem

    def server(self, folder: Path, *names: str) -> ssl.SSLContext:
        """Return the TLS settings of a server that knows clients of this authority, and anybody else."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (folder / "server.pem").write_text("\n".join(self.issue(*names)))
        context.load_cert_chain(folder / "server.pem")
        context.load_verify_locations(cadata=self.certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Asked:
    """A request."""

    def __init__(self, path: str, headers: Message, connection: socket.socket) -> None:
        self.path, self.headers = path, headers
        certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
        subject: Any = (certificate or {}).get("subject", ())
        self.client = dict(pair for each in subject for pair in each).get("commonName")
        """Name in the certificate of who asked."""


class ApiServer(ThreadingHTTPServer):
    """Answers as it is told; what it isn't told of doesn't exist."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), ApiHandler)
        if tls:
            # The handshake is for the thread of the request.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        self.answers = {VERSION: (200, {"major": "1", "minor": "37"}), **answers}
        self.busy = 0
        """How often it says first that it isn't ready."""
        self.forwards = True
        """Whether it reaches pods."""
        self.asked: list[Asked] = []

    def values(self, header: str) -> set[tuple[str, ...]]:
        """Return the values of a header in each of the requests."""
        return {tuple(asked.headers.get_all(header, ())) for asked in self.asked}

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that goes away."""


class ApiHandler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, self.headers, self.connection))
        if self.server.forwards and self.path.partition("?")[0].endswith("/portforward"):
            self.forward()
            return
        status, body = self.server.answers.get(self.path, (404, {}))
        if self.server.busy:
            self.server.busy -= 1
            status = 503
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def forward(self) -> None:
        """Answer a request to a port of a pod, by the path of the forwarding and that of the request together."""
        websockets.accept(self)
        port = int(self.path.rpartition("=")[2])
        for channel in (b"\0", b"\1"):
            websockets.send(self, channel + port.to_bytes(2, "little"))
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += websockets.receive(self)[1:]
        status, body = self.server.answers.get(self.path + asked.split()[1].decode(), (404, {}))
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        websockets.send(self, b"\0HTTP/1.1 %d It\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
        websockets.receive(self)  # that it is closed

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Proxy(ThreadingHTTPServer):
    """Takes every request, for whatever host, to the port in it on this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, str | None]] = []
        """Host and port, and the credentials for the proxy."""


class ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as there:
            self.send_response(200)
            self.end_headers()
            answers = Thread(target=_pump, args=(there, self.connection), daemon=True)
            answers.start()
            _pump(self.connection, there)
            answers.join()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append((url.netloc, self.headers["Proxy-Authorization"]))
        there = HTTPConnection("127.0.0.1", url.port)
        there.request("GET", url.path, headers=dict(self.headers))
        answer = there.getresponse()
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(answer.read())
        there.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def started() -> Iterator[list[ThreadingHTTPServer]]:
    running: list[ThreadingHTTPServer] = []
    yield running
    for server in running:
        server.shutdown()
        server.server_close()


def _run(server: ThreadingHTTPServer, started: list[ThreadingHTTPServer]) -> None:
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    started.append(server)


@pytest.fixture
def serve(started: list[ThreadingHTTPServer]) -> Callable[..., ApiServer]:
    def start(tls: ssl.SSLContext | None = None, answers: Answers = MappingProxyType({})) -> ApiServer:
        server = ApiServer(tls, answers)
        _run(server, started)
        return server

    return start


@pytest.fixture
def proxy(started: list[ThreadingHTTPServer]) -> Proxy:
    server = Proxy()
    _run(server, started)
    return server


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test")


def kubeconfig(server: str, user: Any = None, **cluster: Any) -> str:
    return json.dumps(
        {
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {}}],
        }
    )
