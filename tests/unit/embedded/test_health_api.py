"""How the API server is asked about what a stack has deployed, and what is said where it can't be."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias
from urllib.parse import unquote

import pytest

from embedded.health import api
from embedded.health.api import ApiError, connect
from embedded.health.deployed import Kind

CORE = [("Namespace", "namespaces", False), ("Pod", "pods", True), ("Pod", "pods/log", True)]
RBAC = [("ClusterRole", "clusterroles", False)]


def discovered(*kinds: tuple[str, str, bool]) -> dict[str, Any]:
    return {"resources": [{"kind": kind, "name": name, "namespaced": inside} for kind, name, inside in kinds]}


class ApiServer(ThreadingHTTPServer):
    """Answers as it is told: path to status and body; what it isn't told of doesn't exist."""

    daemon_threads = True

    def __init__(self, answers: dict[str, tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        groups = {"/api/v1": discovered(*CORE), "/apis/rbac.authorization.k8s.io/v1": discovered(*RBAC)}
        self.answers = {path: (200, body) for path, body in groups.items()} | answers
        self.asked: list[tuple[str, str | None]] = []
        """Path and credentials of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        self.server.asked.append((unquote(self.path), self.headers.get("Authorization")))
        status, body = self.server.answers.get(unquote(self.path), (404, "404 page not found"))
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Serve: TypeAlias = Callable[..., ApiServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[ApiServer] = []

    def start(answers: dict[str, tuple[int, Any]] | None = None, tls: ssl.SSLContext | None = None) -> ApiServer:
        server = ApiServer(answers or {})
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    return json.dumps(
        {
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {}}],
        }
    )


def problem(text: str | None, context: str | None = None) -> str:
    """What is said where the API server of a kubeconfig can't be asked."""
    with pytest.raises(ApiError) as caught, connect(text, context) as cluster:
        cluster.check()
    return str(caught.value)


POD, ROLE = Kind("v1", "Pod"), Kind("rbac.authorization.k8s.io/v1", "ClusterRole")
FOUND = {"metadata": {"name": "web"}}
FORBIDDEN = 'pods "web" is forbidden: User "eve" cannot get resource "pods"'
ELSEWHERE = "context 'here' (the stack's kubeconfig)"


def test_objects_are_where_discovery_says(serve: Serve) -> None:
    server = serve(
        {
            "/api/v1/namespaces/blog/pods/web": (200, FOUND),
            "/api/v1/namespaces/default/pods/web": (200, FOUND),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a b?": (200, FOUND),
            "/api/v1/pods?labelSelector=a in (x,y)": (200, {"items": [FOUND]}),
            "/api/v1/namespaces/empty/pods": (200, {"items": None}),
        }
    )
    with connect(kubeconfig(server.url, {"token": "t0ken"})) as cluster:
        assert cluster.get(POD, "blog", "web") == FOUND
        assert cluster.get(POD, None, "web") == FOUND
        assert cluster.get(POD, "blog", "none") is None
        assert cluster.get(ROLE, None, "system:a b?") == FOUND
        assert cluster.objects(POD, None, labelSelector="a in (x,y)") == [FOUND]
        assert cluster.objects(POD, "empty") == []
    # Each API version is discovered once.
    assert [path for path in server.paths() if path.count("/") < 4] == [
        "/api/v1",
        "/apis/rbac.authorization.k8s.io/v1",
        "/api/v1/pods?labelSelector=a in (x,y)",
    ]
    assert {credentials for _, credentials in server.asked} == {"Bearer t0ken"}


def test_the_end_of_a_log(serve: Serve) -> None:
    path = "/api/v1/namespaces/blog/pods/web/log?container=site&previous={}&tailLines=2"
    server = serve({path.format("true"): (200, "no such file\nexiting\n"), path.format("false"): (400, {"code": 400})})
    with connect(kubeconfig(server.url)) as cluster:
        assert cluster.log("blog", "web", "site", previous=True, lines=2) == ["no such file", "exiting"]
        assert cluster.log("blog", "web", "site", previous=False, lines=2) == []


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        (
            Kind("example.com/v1", "Thing"),
            {},
            "the cluster has no kind Thing in example.com/v1: install what defines it (a CustomResourceDefinition)",
        ),
        (
            POD,
            {"/api/v1/namespaces/blog/pods/web": (403, {"message": FORBIDDEN})},
            f"{FORBIDDEN}; grant that permission, or use another user than that of {ELSEWHERE}",
        ),
        (POD, {"/api/v1/namespaces/blog/pods/web": (500, {"message": "etcdserver: timeout"})}, "etcdserver: timeout"),
        (POD, {"/api/v1/namespaces/blog/pods/web": (418, {})}, "HTTP 418"),
    ],
)
def test_what_keeps_an_object_from_being_seen(serve: Serve, kind: Kind, answer: Any, said: str) -> None:
    with connect(kubeconfig(serve(answer).url), "here") as cluster, pytest.raises(ApiError) as caught:
        cluster.get(kind, "blog", "web")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"message": "Unauthorized"}), f"doesn't accept the credentials of {ELSEWHERE}; renew them"),
        (
            (200, "<html>"),
            "isn't a Kubernetes API server: it answered HTTP 200 with text/plain; check the server of " + ELSEWHERE,
        ),
        (
            (404, {}),
            "isn't a Kubernetes API server: it answered HTTP 404 to a request for its core API; check the server of "
            + ELSEWHERE,
        ),
    ],
)
def test_what_is_of_no_use_at_all(serve: Serve, answer: tuple[int, Any], said: str) -> None:
    server = serve({"/api/v1": answer})
    assert problem(kubeconfig(server.url), "here") == f"{server.url} {said}"


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    # Nor does a proxy for other servers count, as with kubectl.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    said = problem(kubeconfig("http://127.0.0.1:1"))
    assert said == (
        "the Kubernetes API server http://127.0.0.1:1 doesn't answer (Connection refused); check that the cluster "
        "runs, and that the current context (the stack's kubeconfig) is the one you mean"
    )
    assert not caplog.records


def test_one_that_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "READ_SECONDS", 0.05)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)  # accepts, but doesn't serve
    with server:
        said = problem(kubeconfig(f"http://127.0.0.1:{server.server_port}"), "here")
    assert "doesn't answer (no answer in time); check that the cluster runs, and that context 'here'" in said


def test_a_server_that_nobody_vouches_for(serve: Serve, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    url = serve(tls=tls).url.replace("http:", "https:")
    assert problem(kubeconfig(url), "here") == (
        f"the Kubernetes API server {url} can't be trusted (self-signed certificate); check the certificate-authority "
        f"of {ELSEWHERE}"
    )
    for trusting in ({"certificate-authority": str(certificate)}, {"insecure-skip-tls-verify": True}):
        with connect(kubeconfig(url, **trusting)) as cluster:
            cluster.check()


def test_the_kubeconfig_is_found_as_kubectl_does(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, none = tmp_path / ".kube" / "config", tmp_path / "none"
    one.parent.mkdir()
    one.write_text(kubeconfig(serve().url))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", f"{none}:{one}")
    for path in (None, str(one), "~/.kube/config"):
        with connect(path) as cluster:
            cluster.check()
    monkeypatch.delenv("KUBECONFIG")
    with connect() as cluster:
        cluster.check()
    one.unlink()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert problem(None) == (
        f"kubeconfig {one} doesn't exist; set the stack's kubeconfig (pulumi config set kubeconfig PATH) or KUBECONFIG"
    )
    # In a pod, but without what it finds there elsewhere.
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert problem(None).startswith(f"kubeconfig {one} can't be used: Service ")


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        (
            kubeconfig("http://x"),
            "nope",
            "the stack's kubeconfig can't be used: Invalid kube-config file. Expected object with name nope in "
            "kube-config/contexts list; correct it, or write it again",
        ),
        (
            "just\ntext",
            None,
            "the stack's kubeconfig can't be used: Invalid kube-config file. Expected key current-context in "
            "kube-config; correct it, or write it again",
        ),
        ("{a: [", None, "the stack's kubeconfig isn't a kubeconfig; write it again with your cluster's tool"),
        (
            '{"current-context": "a", "contexts": [1]}',
            None,
            "the stack's kubeconfig isn't a kubeconfig; write it again with your cluster's tool",
        ),
    ],
)
def test_what_is_no_kubeconfig(text: str, context: str | None, said: str) -> None:
    assert problem(text, context) == said


def test_a_path_that_isn_t_a_file(tmp_path: Path) -> None:
    assert problem(str(tmp_path)).startswith(f"kubeconfig {tmp_path} can't be read: Is a directory; set the stack's")


def test_credentials_stay_out_of_errors(tmp_path: Path) -> None:
    misplaced = json.loads(kubeconfig("http://x")) | {"users": [{"name": "u", "token": "hunter2"}]}
    path = tmp_path / "config"
    path.write_text(json.dumps(misplaced))
    assert problem(str(path)) == (
        f"kubeconfig {path} can't be used: Invalid kube-config file. Expected key user in {path}; correct it, or write "
        "it again"
    )


def test_a_credential_plugin_that_fails_is_named_with_what_it_says(serve: Serve) -> None:
    server = serve()
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", "exit('late')"],
        "interactiveMode": "Never",
    }
    assert problem(kubeconfig(server.url, {"exec": plugin})) == (
        "the stack's kubeconfig: the credentials can't be had: exec: process returned 1. late; sign in again"
    )
    assert not server.asked
    assert not [each for each in logging.getLogger().handlers if type(each).__name__ == "Collector"]
