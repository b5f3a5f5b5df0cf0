"""Whom an API server hears that it is asked by, and which API servers are trusted: with real ones, over TLS."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from settings.cluster_reader import ApiServer, read_facts
from tests.unit.api_servers import Authority, kubeconfig
from tests.unit.api_servers import authority as authority
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started

SECRET = "s3cret-7f3a"
API = "client.authentication.k8s.io"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def problem(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        read_facts(ApiServer(text, None, environ or {}))
    [line] = caught.value.problems
    assert "\n" not in line
    assert SECRET not in line
    return line


@pytest.fixture
def secure(tmp_path: Path, serve: Any, authority: Authority) -> Any:
    """An API server over TLS."""
    return serve(authority.server(tmp_path, "127.0.0.1", "kubernetes.example.com"))


@pytest.fixture
def trusted(authority: Authority) -> dict[str, str]:
    return {"certificate-authority-data": b64(authority.certificate)}


# Who asks


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"username": "me", "password": "pä€"}, f"Basic {b64('me:pä€')}"),
        ({"username": "me"}, f"Basic {b64('me:')}"),
        # A kubeconfig that was written with both is that of a token which is renewed.
        ({"token": "t0ken", "exec": {"command": "false", "apiVersion": f"{API}/v1beta1"}}, "Bearer t0ken"),
    ],
)
def test_tokens_and_passwords(secure: Any, trusted: dict[str, str], user: dict[str, Any], expected: str) -> None:
    read_facts(ApiServer(kubeconfig(secure.url, user, **trusted), None, {}))
    assert secure.values("Authorization") == {(expected,)}


def test_a_token_in_a_file_ends_where_the_line_does(secure: Any, trusted: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("fr3sh\n")
    (tmp_path / "config").write_text(kubeconfig(secure.url, {"tokenFile": "token", "token": "0ld"}, **trusted))
    read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert secure.values("Authorization") == {("Bearer fr3sh",)}


def test_nothing_secret_is_sent_without_tls(serve: Any) -> None:
    server = serve()
    read_facts(ApiServer(kubeconfig(server.url, {"token": "t0ken", "as": "eve"}), None, {}))
    assert server.values("Authorization") == {()}
    assert server.values("Impersonate-User") == {("eve",)}


def test_a_user_that_is_not_there_is_nobody(secure: Any, trusted: dict[str, str]) -> None:
    text = json.dumps(json.loads(kubeconfig(secure.url, **trusted)) | {"users": None})
    secure.answers["/version"] = (401, {})
    assert "doesn't accept the credentials (401 Unauthorized)" in problem(text)


def test_others_are_impersonated(secure: Any, trusted: dict[str, str]) -> None:
    user = {
        "token": "t0ken",
        "as": "jürgen",
        "as-uid": "7",
        "as-groups": ["ops", "devs"],
        "as-user-extra": {"scopes": ["a", "b"], "acme.com/project %": ["x"]},
    }
    read_facts(ApiServer(kubeconfig(secure.url, user, **trusted), None, {}))
    assert len(secure.asked) > 5
    assert secure.values("Authorization") == {("Bearer t0ken",)}
    # http.server takes bytes for Latin-1.
    assert secure.values("Impersonate-User") == {("jürgen".encode().decode("latin-1"),)}
    assert secure.values("Impersonate-Uid") == {("7",)}
    assert secure.values("Impersonate-Group") == {("ops", "devs")}
    assert secure.values("Impersonate-Extra-Scopes") == {("a", "b")}
    assert secure.values("Impersonate-Extra-acme.com%2Fproject%20%25") == {("x",)}


def test_a_certificate_is_shown_and_its_key_does_not_stay(
    secure: Any, trusted: dict[str, str], authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    certificate, key = authority.issue("alice")
    by_data = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
    read_facts(ApiServer(kubeconfig(secure.url, by_data, **trusted), None, {}))
    (tmp_path / "alice.pem").write_text(f"# Größe\n{certificate}")
    (tmp_path / "alice.key").write_text(key)
    by_files = {"client-certificate": "alice.pem", "client-key": "./alice.key"}
    (tmp_path / "config").write_text(kubeconfig(secure.url, by_files, **trusted))
    read_facts(ApiServer(None, None, {"KUBECONFIG": str(tmp_path / "config")}))
    assert {asked.client for asked in secure.asked} == {"alice"}
    assert not list((tmp_path / "temporary").iterdir())


def test_a_key_with_a_password_is_not_asked_for_it(secure: Any, trusted: dict[str, str], authority: Authority) -> None:
    certificate, key = authority.issue("alice")
    command = ["openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:x"]
    locked = subprocess.run(command, input=key, capture_output=True, text=True, check=True).stdout
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64(locked)}
    assert "can't be asked over TLS" in problem(kubeconfig(secure.url, user, **trusted))


def test_an_openid_token(secure: Any, trusted: dict[str, str]) -> None:
    # {"alg":"none"}.{"exp":4102444800}.sig
    token = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"
    user: dict[str, Any] = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}, "as": "eve"}
    read_facts(ApiServer(kubeconfig(secure.url, user, **trusted), None, {}))
    assert secure.values("Authorization") == {(f"Bearer {token}",)}
    assert secure.values("Impersonate-User") == {("eve",)}
    user["auth-provider"]["config"] = {"refresh-token": SECRET}
    line = problem(kubeconfig(secure.url, user, **trusted))
    assert line.startswith("inspiration:kubeconfig: Invalid kube-config file. Expected key id-token in ")


# Credential plugins


def plugin(folder: Path, status: dict[str, Any], version: str = "v1", **spec: Any) -> dict[str, Any]:
    """Write a plugin, which leaves what it is told in a file, and return how it is run."""
    answer = {"apiVersion": f"{API}/{version}", "kind": "ExecCredential", "status": status}
    (folder / "answer.json").write_text(json.dumps(answer))
    script = folder / "bin" / "get-token"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f'#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" >"{folder}/told.json"\n'
        f'printf %s "$*:$WHERE" >"{folder}/run"\ncat "{folder}/answer.json"\n'
    )
    script.chmod(0o755)
    found = {"apiVersion": f"{API}/{version}", "command": "./bin/get-token", "interactiveMode": "Never", **spec}
    return {"exec": {key: value for key, value in found.items() if value is not None}}


@pytest.mark.parametrize(("version", "mode"), [("v1", "IfAvailable"), ("v1beta1", None)])
def test_a_plugin_gives_a_token(
    secure: Any, trusted: dict[str, str], tmp_path: Path, version: str, mode: str | None
) -> None:
    user = plugin(
        tmp_path,
        {"token": "t0ken", "expirationTimestamp": "2001-01-01T00:00:00Z"},
        version,
        interactiveMode=mode,
        args=["--for", "this"],
        env=[{"name": "WHERE", "value": "here"}],
    )
    (tmp_path / "config").write_text(kubeconfig(secure.url, user, **trusted))
    # A command with a slash is below the folder of the file.
    read_facts(ApiServer(None, None, {"KUBECONFIG": str(tmp_path / "config")}))
    assert secure.values("Authorization") == {("Bearer t0ken",)}
    assert (tmp_path / "run").read_text() == "--for this:here"
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["apiVersion"] == f"{API}/{version}"
    assert "cluster" not in told["spec"]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_plugin_gives_a_certificate(
    secure: Any, trusted: dict[str, str], authority: Authority, tmp_path: Path, version: str
) -> None:
    certificate, key = authority.issue("bob")
    status = {"clientCertificateData": certificate, "clientKeyData": key}
    (tmp_path / "config").write_text(kubeconfig(secure.url, plugin(tmp_path, status, version), **trusted))
    read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert {asked.client for asked in secure.asked} == {"bob"}
    assert secure.values("Authorization") == {()}


def test_a_plugin_gives_both(secure: Any, trusted: dict[str, str], authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("bob")
    status = {"clientCertificateData": certificate, "clientKeyData": key, "token": "t0ken"}
    (tmp_path / "config").write_text(kubeconfig(secure.url, plugin(tmp_path, status), **trusted))
    read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert {asked.client for asked in secure.asked} == {"bob"}
    assert secure.values("Authorization") == {("Bearer t0ken",)}


def test_a_plugin_is_told_of_the_cluster(secure: Any, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(authority.certificate)
    extensions = [
        {"name": "other", "extension": "x"},
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}},
    ]
    cluster: dict[str, Any] = {"certificate-authority": "ca.pem", "tls-server-name": "kubernetes.example.com"}
    user = plugin(tmp_path, {"token": "t0ken"}, provideClusterInfo=True)
    (tmp_path / "config").write_text(kubeconfig(secure.url, user, **cluster, extensions=extensions))
    read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert json.loads((tmp_path / "told.json").read_text())["spec"]["cluster"] == {
        "server": secure.url,
        "certificate-authority-data": b64(authority.certificate),
        "tls-server-name": "kubernetes.example.com",
        "config": {"audience": "me"},
    }


def test_a_plugin_without_a_folder_is_looked_up(
    secure: Any, trusted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = plugin(tmp_path, {"token": "t0ken"}, command="get-token")
    (tmp_path / "config").write_text(kubeconfig(secure.url, user, **trusted))
    # Not this one, in the folder of the kubeconfig.
    (tmp_path / "get-token").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "get-token").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    read_facts(ApiServer(str(tmp_path / "config"), None, {}))
    assert secure.values("Authorization") == {("Bearer t0ken",)}


PLUGINS: dict[str, tuple[dict[str, Any], str]] = {
    "it fails": (
        {"command": sys.executable, "args": ["-c", "exit('late')"]},
        "exec: process returned 1. late; sign in again",
    ),
    "it isn't there": (
        {"command": "get-no-token", "installHint": "Get it\nfrom acme.com"},
        "exec: executable get-no-token not found; Get it from acme.com",
    ),
    "it is a folder": ({"command": "/tmp"}, "exec: executable /tmp can't be run: Permission denied; correct it"),
    "it grants nothing": (
        {"command": "echo", "args": [json.dumps({"apiVersion": f"{API}/v1", "kind": "ExecCredential", "status": {}})]},
        "exec: missing token or clientCertificateData field in plugin output; sign in again",
    ),
    "it says something else": (
        {"command": "echo", "args": [SECRET]},
        "exec: failed to decode process output: Expecting value: line 1 column 1 (char 0); sign in again",
    ),
    "its token is none": (
        {
            "command": "echo",
            "args": [json.dumps({"apiVersion": f"{API}/v1", "kind": "", "status": {"token": f"{SECRET}\n"}})],
        },
        "exec: what it printed is no ExecCredential; correct the plugin",
    ),
}


@pytest.mark.parametrize(("spec", "expected"), PLUGINS.values(), ids=PLUGINS)
def test_a_plugin_that_is_of_no_use(secure: Any, trusted: dict[str, str], spec: dict[str, Any], expected: str) -> None:
    user = {"exec": {"apiVersion": f"{API}/v1", "interactiveMode": "Never", **spec}}
    line = problem(kubeconfig(secure.url, user, **trusted))
    assert line == f"inspiration:context: the credentials of the current context can't be had: {expected}"
    assert not secure.asked


# Whom to trust


def test_an_authority_with_a_comment(secure: Any, authority: Authority, tmp_path: Path) -> None:
    commented = f"# Zürich – Zertifizierungsstelle\n{authority.certificate}"
    (tmp_path / "ca.pem").write_text(commented)
    read_facts(ApiServer(kubeconfig(secure.url, **{"certificate-authority-data": b64(commented)}), None, {}))
    read_facts(ApiServer(kubeconfig(secure.url, **{"certificate-authority": str(tmp_path / "ca.pem")}), None, {}))
    assert len([asked for asked in secure.asked if asked.path == "/version"]) == 2


@pytest.mark.parametrize("content", ["é", "nonsense", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none(secure: Any, authority: Authority, content: str) -> None:
    start = f"inspiration:context: {secure.url}, of the current context, can't be asked over TLS: "
    end = "; correct the kubeconfig, or set another context"
    line = problem(kubeconfig(secure.url, **{"certificate-authority-data": b64(content)}))
    assert line.startswith(start)
    assert line.endswith(end)
    user = {"client-certificate-data": b64(content), "client-key-data": b64(authority.issue("x")[1])}
    line = problem(kubeconfig(secure.url, user))
    assert line.startswith(start)
    assert line.endswith(end)


def test_an_authority_that_another_has_signed(serve: Any, authority: Authority, tmp_path: Path) -> None:
    between = Authority("between", authority)
    server = serve(between.server(tmp_path, "127.0.0.1"))
    read_facts(ApiServer(kubeconfig(server.url, **{"certificate-authority-data": b64(between.certificate)}), None, {}))
    assert server.asked


def test_a_server_that_has_another_name(
    serve: Any, trusted: dict[str, str], authority: Authority, tmp_path: Path
) -> None:
    names: list[str | None] = []
    tls = authority.server(tmp_path, "kubernetes.example.com")
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    server = serve(tls)
    read_facts(ApiServer(kubeconfig(server.url, **trusted, **{"tls-server-name": "kubernetes.example.com"}), None, {}))
    assert set(names) == {"kubernetes.example.com"}
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'; " in problem(
        kubeconfig(server.url, **trusted)
    )


@pytest.mark.filterwarnings("error")
def test_a_server_that_need_not_be_trusted(serve: Any, tmp_path: Path) -> None:
    server = serve(Authority("unknown").server(tmp_path, "elsewhere.example.com"))
    read_facts(ApiServer(kubeconfig(server.url, {"token": "t0ken"}, **{"insecure-skip-tls-verify": True}), None, {}))
    assert server.values("Authorization") == {("Bearer t0ken",)}
    assert "can't be asked over TLS: self-signed certificate" in problem(kubeconfig(server.url))
