"""How the API server is asked to change something, and to run a command in a container."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from embedded.commands.dev.objects import POD
from embedded.health.api import Api, ApiError, RefusedError, connect
from tests.unit import websockets
from tests.unit.api_servers import Authority, kubeconfig
from tests.unit.api_servers import _run as run_server
from tests.unit.api_servers import authority as authority
from tests.unit.api_servers import started as started


class Cluster(ThreadingHTTPServer):
    """Answers changes as it is told, and runs the command ``cat``, of a length that its argument says."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answer: tuple[int, Any] = (200, {"kind": "Pod"})
        self.asked: list[tuple[str, str, str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/api/v1":
            self.reply(200, {"resources": [{"kind": "Pod", "name": "pods", "namespaced": True}]})
        elif url.path == "/api/v1/namespaces/blog/pods/web/exec":
            self.execute(parse_qsl(url.query))
        else:
            self.reply(400, {"message": "container site isn't running"})

    def do_POST(self) -> None:
        self.change()

    def do_PATCH(self) -> None:
        self.change()

    def do_DELETE(self) -> None:
        self.change()

    def change(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        self.server.asked.append((self.command, self.path, self.headers.get("Content-Type", ""), body))
        self.reply(*self.server.answer)

    def reply(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def execute(self, query: list[tuple[str, str]]) -> None:
        assert self.headers["Authorization"] == "Bearer t"
        websockets.accept(self)
        *_, program, length = [value for key, value in query if key == "command"]
        websockets.send(self, b"\1")
        if program == "cat":
            read = b""
            while len(read) < int(length):
                read += websockets.receive(self)[1:]
            websockets.send(self, b"\1" + str(len(read)).encode())
            websockets.send(self, b"\2 bytes")
            websockets.send(self, b"\3" + json.dumps({"status": "Success"}).encode())
        elif program == "false":
            causes = [{"reason": "ExitCode", "message": length}]
            websockets.send(self, b"\2no such file\n")
            websockets.send(self, b"\3" + json.dumps({"status": "Failure", "details": {"causes": causes}}).encode())
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cluster(started: list[ThreadingHTTPServer], authority: Authority, tmp_path: Path) -> Cluster:
    server = Cluster(authority.server(tmp_path, "127.0.0.1"))
    run_server(server, started)
    return server


@pytest.fixture
def api(cluster: Cluster, authority: Authority) -> Api:
    trusted = {"certificate-authority-data": base64.b64encode(authority.certificate.encode()).decode()}
    return connect("shop", kubeconfig(f"https://127.0.0.1:{cluster.server_port}", {"token": "t"}, **trusted))


def test_an_object_is_made_patched_and_removed(cluster: Cluster, api: Api) -> None:
    assert api.change("POST", POD, "blog", body={"metadata": {"name": "web"}}) == {"kind": "Pod"}
    api.change("PATCH", POD, "blog", "web", {"spec": {}})
    api.change("DELETE", POD, "blog", "web", gracePeriodSeconds="1")
    path = "/api/v1/namespaces/blog/pods"
    assert cluster.asked == [
        ("POST", path, "application/json", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}),
        ("PATCH", f"{path}/web", "application/strategic-merge-patch+json", {"spec": {}}),
        ("DELETE", f"{path}/web?gracePeriodSeconds=1", "application/json", None),
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((403, {"message": 'pods "web" is forbidden:\n exceeded quota'}), 'pods "web" is forbidden: exceeded quota'),
        ((409, {}), "HTTP 409"),
        ((500, ["?"]), "HTTP 500"),
    ],
)
def test_what_is_refused_is_said_in_a_line(cluster: Cluster, api: Api, answer: tuple[int, Any], why: str) -> None:
    cluster.answer = answer
    with pytest.raises(RefusedError) as refused:
        api.change("POST", POD, "blog", body={"metadata": {"name": "web"}})
    assert str(refused.value) == f"the API server refuses the Pod blog/web: {why}; put that right first"
    assert refused.value.status == answer[0]


@pytest.mark.parametrize("size", [3, 200, 200_000])
def test_a_command_reads_what_it_is_given(api: Api, size: int) -> None:
    given = BytesIO(b"x" * size)
    assert api.execute("blog", "web", "files", ("cat", str(size)), given) == (0, f"{size} bytes")


def test_a_command_that_fails_says_why(api: Api) -> None:
    assert api.execute("blog", "web", "files", ("false", "3")) == (3, "no such file")


def test_a_command_that_cant_be_run_or_is_cut_off_is_an_error(api: Api) -> None:
    with pytest.raises(ApiError, match="refuses to reach into a pod: container site isn't running; wait until it runs"):
        api.execute("blog", "other", "site", ("false", "3"))
    with pytest.raises(ApiError, match=r"^the connection to the pod blog/web broke: .*; see that it runs$"):
        api.execute("blog", "web", "site", ("true", "0"))
