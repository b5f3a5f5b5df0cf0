"""How the API server is asked: once, with the kubeconfig's credentials, and what is said where it can't be."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from settings.cluster_facts import PATHS, SERVICES, VERSION, Found, facts_of
from settings.cluster_reader import ApiServer, read_facts
from tests.unit.api_servers import DEFAULT_NAMESPACE, Authority, kubeconfig
from tests.unit.api_servers import authority as authority
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started

FORBIDDEN = {"message": 'services is forbidden: User "eve" cannot list resource "services"'}


def problem(text: str, context: str | None = "here") -> str:
    with pytest.raises(SettingsError) as caught:
        read_facts(ApiServer(text, context, {}, retries=1))
    [line] = caught.value.problems
    return line


def test_it_is_asked_once_for_everything(serve: Any) -> None:
    server = serve(answers=DEFAULT_NAMESPACE)
    facts = read_facts(ApiServer(kubeconfig(server.url), "here", {}))
    assert facts == facts_of({path: body for path, (_, body) in server.answers.items()}, "stack", {})
    assert (facts.version, facts.namespaces) == ((1, 37), (Found("default"),))
    assert sorted(asked.path for asked in server.asked) == sorted(PATHS)


def test_the_kubeconfig_is_found_as_kubectl_does(serve: Any, tmp_path: Path) -> None:
    server = serve(answers=DEFAULT_NAMESPACE)
    (tmp_path / "config").write_text(kubeconfig(server.url))
    expected = read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert expected.namespaces == (Found("default"),)
    assert read_facts(ApiServer(None, "here", {"KUBECONFIG": f"{tmp_path / 'none'}:{tmp_path / 'config'}"})) == expected


def test_the_first_of_several_kubeconfigs_says_which_cluster(serve: Any, tmp_path: Path) -> None:
    first, second = serve(), serve()
    # JSON with tabs is for kubectl too.
    (tmp_path / "first").write_text(kubeconfig(first.url, {"as": "first"}).replace(": ", ":\t"))
    other = json.loads(kubeconfig(second.url, {"as": "second"}))
    other["contexts"].append({"name": "there", "context": {"cluster": "c", "user": "u"}})
    (tmp_path / "second").write_text(json.dumps({**other, "current-context": "there"}))
    paths = [str(tmp_path / name) for name in ("missing", "first", "second")]
    read_facts(ApiServer(None, None, {"KUBECONFIG": ":".join(paths)}))
    assert (first.values("Impersonate-User"), second.asked) == ({("first",)}, [])
    read_facts(ApiServer(None, None, {"KUBECONFIG": ":".join(reversed(paths))}))
    assert second.values("Impersonate-User") == {("second",)}


def test_what_may_not_be_asked_is_a_fact(serve: Any) -> None:
    facts = read_facts(ApiServer(kubeconfig(serve(answers={SERVICES: (403, FORBIDDEN)}).url), None, {}))
    assert facts.denied == {SERVICES: 'User "eve" cannot list resource "services"'}


def test_one_that_is_starting_is_waited_for(serve: Any) -> None:
    server = serve(answers=DEFAULT_NAMESPACE)
    server.busy = 2
    assert read_facts(ApiServer(kubeconfig(server.url), None, {})).namespaces == (Found("default"),)
    assert [asked.path for asked in server.asked].count("/version") == 3


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


def test_one_that_cannot_be_trusted(tmp_path: Path, serve: Any, authority: Authority) -> None:
    url = serve(authority.server(tmp_path, "127.0.0.1")).url
    assert problem(kubeconfig(url)) == (
        f'inspiration:context: {url}, of context "here", can\'t be asked over TLS: self-signed certificate in '
        "certificate chain; correct the kubeconfig, or set another context"
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
            (500, {"message": "etcdserver: timeout"}),
            "answered HTTP 500 to GET /version (etcdserver: timeout); check that it is a Kubernetes API server, and "
            "that it is ready",
        ),
        (
            (200, "<html>"),
            "answered HTTP 200 to GET /version; check that it is a Kubernetes API server, and that it is ready",
        ),
    ],
)
def test_one_that_answers_something_else(serve: Any, answer: tuple[int, Any], expected: str) -> None:
    server = serve(answers={VERSION: answer})
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
