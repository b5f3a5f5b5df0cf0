"""Kubeconfigs: which cluster, as whom, and what is wrong with them."""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from embedded.plugins.kubernetes import kubeconfig
from embedded.plugins.kubernetes.credentials import Credentials
from embedded.plugins.kubernetes.errors import PluginError


def document(user: Any = None, **cluster: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://one.test/", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "here"}},
        ],
        "current-context": "one",
    }


def text(**changes: Any) -> str:
    return json.dumps(document() | changes)


def test_the_current_context_or_a_chosen_one() -> None:
    one = kubeconfig.load(text())
    assert (one.server, one.namespace, one.context) == ("https://one.test", "default", "one")
    assert kubeconfig.load(text(), "two").namespace == "here"


def test_files_are_merged_and_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text(json.dumps({"current-context": "two", "clusters": [], "contexts": None}))
    (tmp_path / "b").write_text(text())
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'a'}:{tmp_path / 'none'}:{tmp_path / 'b'}")
    found = kubeconfig.load()
    assert found.context == "two"
    assert found.source == f"kubeconfig {tmp_path / 'a'}, {tmp_path / 'b'}"


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        json.dumps(document({"tokenFile": "token"}, **{"certificate-authority": "ca.crt"}))
    )
    (tmp_path / "token").write_text("hunter2\n")
    found = kubeconfig.load(str(tmp_path / "config"))
    assert found.cluster["certificate-authority"] == str(tmp_path / "ca.crt")
    assert asyncio.run(Credentials(found).headers()) == {"Authorization": "Bearer hunter2"}


def test_credentials_stay_out_of_representations() -> None:
    assert "hunter2" not in repr(kubeconfig.load(json.dumps(document({"token": "hunter2"}))))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(**{"current-context": ""}), "TEXT has no current context (it has one, two); set the provider's context"),
        (text(**{"current-context": "x"}), "TEXT has no context 'x' (it has one, two); correct the provider's context"),
        (text(contexts=[]), "TEXT has no context 'one' (it has none); correct the provider's context"),
        (text(clusters=[]), "TEXT has no cluster 'c', which context 'one' asks for"),
        (text(users=[]), "TEXT has no user 'u', which context 'one' asks for"),
        (text(clusters=[{"name": "c", "cluster": {}}]), "TEXT: cluster 'c' has no server address"),
        (
            json.dumps(document({"auth-provider": {"name": "gcp"}})),
            "TEXT: user 'u' has an auth-provider, which Kubernetes dropped; use exec",
        ),
        ("a: [\nb", "TEXT isn't valid YAML (line 2); write it again with your cluster's tool"),
        ("just\ntext", "TEXT isn't a kubeconfig: it has no clusters, users and contexts"),
    ],
)
def test_what_is_wrong(content: str, message: str) -> None:
    with pytest.raises(PluginError) as error:
        kubeconfig.load(content)
    assert str(error.value) == message.replace("TEXT", "the provider's kubeconfig text")


def test_a_path_that_isnt_a_file(tmp_path: Path) -> None:
    with pytest.raises(
        PluginError, match=f"^kubeconfig {tmp_path} is a folder, not a file; set the provider's kubeconfig"
    ):
        kubeconfig.load(str(tmp_path))


def test_no_kubeconfig_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(
        PluginError, match=rf"^kubeconfig {tmp_path}/.kube/config doesn't exist; set the provider's kubeconfig"
    ):
        kubeconfig.load()


def test_a_pod_finds_its_own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "namespace").write_text("mine\n")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = kubeconfig.load()
    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "mine")
    assert found.user["tokenFile"] == str(tmp_path / "token")


def test_the_same_authority_is_the_same_cluster() -> None:
    authority = {"certificate-authority-data": "QQ=="}
    one = kubeconfig.load(json.dumps(document(**authority)))
    moved = kubeconfig.load(
        json.dumps(document(**authority) | {"current-context": "two"}).replace("one.test", "two.test")
    )
    assert one.identity == moved.identity
    assert kubeconfig.load(text()).identity != kubeconfig.load(text().replace("one.test", "two.test")).identity


def headers(user: dict[str, Any]) -> dict[str, str]:
    return asyncio.run(Credentials(kubeconfig.load(json.dumps(document(user)))).headers())


def test_tokens_and_passwords() -> None:
    assert headers({"token": "t"}) == {"Authorization": "Bearer t"}
    basic = base64.b64encode(b"u:p").decode()
    assert headers({"username": "u", "password": "p"}) == {"Authorization": f"Basic {basic}"}
    assert headers({}) == {}


def plugin(code: str) -> dict[str, Any]:
    environment = [{"name": "GREETING", "value": "hello"}]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", code],
            "env": environment,
        }
    }


def test_credential_plugins() -> None:
    code = """
import json, os
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
print(json.dumps({"status": {"token": os.environ["GREETING"]}}))
"""
    assert headers(plugin(code)) == {"Authorization": "Bearer hello"}


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (plugin("import sys; sys.exit('please log in')"), "failed with exit code 1: please log in"),
        (plugin("print('hello')"), "printed no ExecCredential with a status"),
        (
            {"exec": {"command": "/no/such", "installHint": "apt install such"}},
            "'/no/such' can't be started (No such file or directory): apt install such",
        ),
        ({"tokenFile": "/no/such"}, "the token file can't be read: [Errno 2] No such file or directory: '/no/such'"),
    ],
)
def test_what_is_wrong_with_credentials(user: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError) as error:
        headers(user)
    assert str(error.value).endswith(message)


def test_a_certificate_that_isnt_one(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not a certificate")
    found = kubeconfig.load(json.dumps(document(**{"certificate-authority": str(tmp_path / "ca.crt")})))
    with pytest.raises(PluginError, match="a certificate or key can't be used"):
        asyncio.run(Credentials(found).tls())
