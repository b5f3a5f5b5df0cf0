"""How the API server is asked: once, with the kubeconfig's credentials, and what is said where it can't be."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from settings import SettingsError
from settings.cluster_facts import PATHS, ClusterFacts, Found
from settings.cluster_reader import read_facts

NAMESPACES = {"items": [{"metadata": {"name": "default"}}]}
FORBIDDEN = {"message": 'services is forbidden: User "eve" cannot list resource "services"'}


class ApiServer(ThreadingHTTPServer):
    """Answers as it is told: path to status and body; what it isn't told of doesn't exist."""

    daemon_threads = True

    def __init__(self, **answers: tuple[int, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        version = {"version": (200, {"major": "1", "minor": "37"})}
        self.answers = {PATHS[name]: answer for name, answer in {**version, **answers}.items()}
        self.busy = 0
        """How often it says first that it isn't ready."""
        self.asked: list[tuple[str, str | None]] = []
        """Path and credentials of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, body = self.server.answers.get(self.path, (404, {}))
        if self.server.busy:
            self.server.busy -= 1
            status = 503
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[list[ApiServer]]:
    started: list[ApiServer] = []
    yield started
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve(servers: list[ApiServer]) -> Any:
    def start(tls: ssl.SSLContext | None = None, **answers: tuple[int, Any]) -> ApiServer:
        server = ApiServer(**answers)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    return start


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    return json.dumps(
        {
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {}}],
        }
    )


def problem(text: str, context: str | None = "here") -> str:
    with pytest.raises(SettingsError) as caught:
        read_facts(text, context, {})
    [line] = caught.value.problems
    return line


def test_it_is_asked_once_for_everything(serve: Any) -> None:
    server = serve(namespaces=(200, NAMESPACES))
    facts = read_facts(kubeconfig(server.url), "here", {})
    assert facts == ClusterFacts("stack", (1, 37), (Found("default"),))
    assert sorted(path for path, _ in server.asked) == sorted(PATHS.values())


def test_the_kubeconfig_is_found_as_kubectl_does(serve: Any, tmp_path: Path) -> None:
    server = serve(namespaces=(200, NAMESPACES))
    (tmp_path / "config").write_text(kubeconfig(server.url))
    expected = read_facts(str(tmp_path / "config"), None, {})
    assert expected.namespaces == (Found("default"),)
    assert read_facts(None, "here", {"KUBECONFIG": f"{tmp_path / 'none'}:{tmp_path / 'config'}"}) == expected


def test_credentials_are_those_of_the_plugin(serve: Any, tmp_path: Path) -> None:
    server = serve()
    api = "client.authentication.k8s.io/v1"
    granted = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": "t0ken"}}
    (tmp_path / "granted.json").write_text(json.dumps(granted))
    plugin = {"apiVersion": api, "command": "cat", "args": [str(tmp_path / "granted.json")], "interactiveMode": "Never"}
    read_facts(kubeconfig(server.url, {"exec": plugin}), None, {})
    assert {credentials for _, credentials in server.asked} == {"Bearer t0ken"}


def test_a_plugin_that_fails_is_named_with_what_it_says(serve: Any) -> None:
    server = serve()
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", "exit('late')"],
    }
    assert problem(kubeconfig(server.url, {"exec": plugin})) == (
        'inspiration:context: the credentials of context "here" can\'t be had: exec: process returned 1. late; '
        "sign in again"
    )
    assert not server.asked


def test_what_may_not_be_asked_is_a_fact(serve: Any) -> None:
    facts = read_facts(kubeconfig(serve(services=(403, FORBIDDEN)).url), None, {})
    assert facts.denied == {"services": 'User "eve" cannot list resource "services"'}


def test_one_that_is_starting_is_waited_for(serve: Any) -> None:
    server = serve(namespaces=(200, NAMESPACES))
    server.busy = 2
    assert read_facts(kubeconfig(server.url), None, {}).namespaces == (Found("default"),)
    assert [path for path, _ in server.asked].count("/version") == 3


def test_one_that_is_not_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        said = f'inspiration:context: {url}, of context "here", doesn\'t answer: Connection refused; '
        assert problem(kubeconfig(url)) == f"{said}start the cluster, or set another context"


def test_one_whose_name_is_unknown() -> None:
    line = problem(kubeconfig("https://nowhere.invalid:6443"), None)
    assert line.startswith(
        "inspiration:context: https://nowhere.invalid:6443, of the current context, doesn't answer: "
    )
    assert line.endswith("; start the cluster, or set another context")
    assert "0x" not in line


def test_one_that_cannot_be_trusted(tmp_path: Path, serve: Any) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    url = serve(context).url.replace("http", "https")
    assert problem(kubeconfig(url)) == (
        f'inspiration:context: {url}, of context "here", can\'t be asked over TLS: self-signed certificate; '
        "correct the kubeconfig, or set another context"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, {}), "doesn't accept the credentials (401 Unauthorized); sign in again, or set another context"),
        (
            (500, {}),
            "answered HTTP 500 to GET /version; check that it is a Kubernetes API server, and that it is ready",
        ),
        (
            (200, "<html>"),
            "answered HTTP 200 to GET /version; check that it is a Kubernetes API server, and that it is ready",
        ),
    ],
)
def test_one_that_answers_something_else(serve: Any, answer: tuple[int, Any], expected: str) -> None:
    server = serve(version=answer)
    assert problem(kubeconfig(server.url)) == f'inspiration:context: {server.url}, of context "here", {expected}'


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (
            {"clusters": []},
            "Invalid kube-config file. Expected object with name c in kube-config/clusters list; "
            "correct it, or write it again",
        ),
        (
            {"users": [{"name": "u", "user": {"client-certificate": "/nowhere", "client-key": "/nowhere"}}]},
            "File does not exist: /nowhere; correct it, or write it again",
        ),
        ({"clusters": 3}, "its clusters, users and contexts aren't those of a kubeconfig; write it again"),
    ],
)
def test_a_kubeconfig_that_is_not_whole(broken: dict[str, Any], expected: str) -> None:
    text = json.dumps(json.loads(kubeconfig("https://127.0.0.1:1")) | broken)
    assert problem(text) == f"inspiration:kubeconfig: {expected}"


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("nonsense")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        line = problem(kubeconfig(f"https://127.0.0.1:{port}", {}, **{"certificate-authority": str(tmp_path / "pem")}))
    assert line.startswith(
        f'inspiration:context: https://127.0.0.1:{port}, of context "here", can\'t be asked over TLS: '
    )
    assert line.endswith("; correct the kubeconfig, or set another context")
