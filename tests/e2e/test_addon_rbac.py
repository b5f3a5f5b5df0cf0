"""The addon rbac: who is given access, by the commands of ``docs/access.md``, may do exactly what their role says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout
from tests.pages import script_with
from tests.waiting import eventually

OPTIONS = {
    "viewers[0]": "account:viewer",
    "viewers[1]": "alice",
    "editors[0]": "account:editor",
    "admins[0]": "group:operators",
}

KUBECONFIG = script_with("docs/access.md", "viewer.kubeconfig")
CERTIFICATE = f"{script_with('docs/access.md', 'openssl')}kubectl delete csr alice\n"


def shell(checkout: Checkout, folder: Path, script: str) -> None:
    """Run what the page tells people to run, as they are: in a folder of theirs."""
    done = checkout.run("sh", "-euc", f"cd '{folder}'\n{script}", environment=checkout.environment())
    assert done.returncode == 0, done.stderr


def as_viewer(checkout: Checkout, kubeconfig: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**checkout.environment(), "KUBECONFIG": str(kubeconfig)}
    return checkout.run("kubectl", *words, environment=environment)


def test_it_is_removed_without_a_trace(undone: Checkout, tmp_path: Path) -> None:
    def found() -> list[str]:
        kinds = "namespaces,serviceaccounts,clusterroles,clusterrolebindings,rolebindings"
        selector = "app.kubernetes.io/component=rbac"
        return undone.kubectl("get", kinds, "-A", "-l", selector, "-o", "name").split()

    assert found() == []
    undone.switch_on("rbac", OPTIONS)
    assert len(found()) == 8
    shell(undone, tmp_path, KUBECONFIG)
    kubeconfig = tmp_path / "viewer.kubeconfig"
    assert as_viewer(undone, kubeconfig, "get", "nodes").returncode == 0

    undone.switch_off("rbac")
    assert found() == []
    assert "rbac_commands" not in undone.outputs()

    # The API server remembers for some seconds that it knew the token.
    assert eventually(lambda: "Unauthorized" in as_viewer(undone, kubeconfig, "get", "nodes").stderr)


@pytest.fixture(scope="module")
def granted(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon."""
    with site.addon("rbac", OPTIONS):
        yield site


@pytest.fixture(scope="module")
def viewer(granted: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kubeconfig of the account ``viewer``, with a token, made as the page says."""
    assert granted.outputs()["rbac_commands"]["viewer"] in KUBECONFIG
    folder = tmp_path_factory.mktemp("viewer")
    shell(granted, folder, KUBECONFIG)
    return folder / "viewer.kubeconfig"


def test_the_kubeconfig_has_nothing_of_the_administrator(granted: Checkout, viewer: Path) -> None:
    assert viewer.stat().st_mode & 0o777 == 0o600
    assert "client-key" not in viewer.read_text()
    who = json.loads(as_viewer(granted, viewer, "auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert who["username"] == "system:serviceaccount:rbac:viewer"
    assert "system:masters" not in who["groups"]


def test_a_viewer_sees_the_cluster(granted: Checkout, viewer: Path) -> None:
    for words in (
        ["get", "pods,deployments,services,ingresses,configmaps,events", "-A"],
        ["get", "nodes,persistentvolumes,storageclasses,ingressclasses,customresourcedefinitions"],
        ["logs", "-n", "inspiration", "deployment/inspiration", "--tail=1"],
    ):
        done = as_viewer(granted, viewer, *words)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["get", "secrets", "-A"], 'cannot list resource "secrets"'),
        (["get", "secret", "dashboard-tls", "-n", "dashboard"], 'cannot get resource "secrets"'),
        (["delete", "deployment", "inspiration", "-n", "inspiration"], 'cannot delete resource "deployments"'),
        (["scale", "deployment/inspiration", "-n", "inspiration", "--replicas=0"], "cannot patch resource"),
        (["create", "namespace", "mine"], 'cannot create resource "namespaces"'),
        (["create", "token", "editor", "-n", "rbac"], 'cannot create resource "serviceaccounts/token"'),
        (["exec", "deployment/inspiration", "-n", "inspiration", "--", "id"], 'cannot create resource "pods/exec"'),
        (["get", "pods", "--as=admin"], "cannot impersonate"),
    ],
)  # fmt: skip
def test_a_viewer_is_refused_all_else(granted: Checkout, viewer: Path, words: list[str], what: str) -> None:
    done = as_viewer(granted, viewer, *words)
    assert done.returncode != 0
    assert what in done.stderr


def test_a_viewer_has_no_right_but_to_read(granted: Checkout, viewer: Path) -> None:
    shown = as_viewer(granted, viewer, "auth", "can-i", "--list", "--no-headers")
    assert shown.returncode == 0, shown.stderr
    rights = [(line.split()[0], set(re.findall(r"\w+", line.rpartition("[")[2]))) for line in shown.stdout.splitlines()]
    beyond = {name for name, verbs in rights if not verbs <= {"get", "list", "watch"}}
    # What everybody may: ask who they are and what they may.
    assert beyond == {
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
    }
    assert not [name for name, _ in rights if name.startswith(("secrets", "*"))]


@pytest.mark.parametrize(
    ("who", "verb", "resource", "namespace", "allowed"),
    [
        ("editor", "patch", "deployments.apps", "inspiration", "yes"),
        ("editor", "get", "secrets", "inspiration", "yes"),
        ("editor", "create", "rolebindings.rbac.authorization.k8s.io", "inspiration", "no"),
        ("editor", "patch", "deployments.apps", "kube-system", "no"),
        ("editor", "create", "serviceaccounts/token", "rbac", "no"),
        ("editor", "get", "pods", "dashboard", "no"),
        ("operators", "patch", "deployments.apps", "inspiration", "yes"),
        ("operators", "create", "rolebindings.rbac.authorization.k8s.io", "inspiration", "yes"),
        ("operators", "patch", "namespaces", "inspiration", "no"),
        ("operators", "create", "serviceaccounts/token", "kube-system", "no"),
        ("operators", "get", "secrets", "ingress", "no"),
    ],
)
def test_editors_and_admins_only_where_the_sites_are(
    granted: Checkout, who: str, verb: str, resource: str, namespace: str, allowed: str
) -> None:
    name, _, part = resource.partition("/")
    people = {"editor": ["--as=system:serviceaccount:rbac:editor"], "operators": ["--as=bob", "--as-group=operators"]}
    words = [verb, name, *([f"--subresource={part}"] if part else []), "-n", namespace, *people[who]]
    asked = granted.run("kubectl", "auth", "can-i", *words, environment=granted.environment())
    assert asked.stdout.strip() == allowed, asked.stderr


def test_a_user_signs_in_with_a_certificate(granted: Checkout, viewer: Path, tmp_path: Path) -> None:
    shell(granted, tmp_path, CERTIFICATE)
    words = ["--client-certificate", str(tmp_path / "alice.crt"), "--client-key", str(tmp_path / "alice.key")]
    kubeconfig = tmp_path / "alice.kubeconfig"
    kubeconfig.write_text(viewer.read_text())
    for change in (["unset", "users"], ["set-credentials", "viewer", *words]):
        assert as_viewer(granted, kubeconfig, "config", *change).returncode == 0
    who = json.loads(as_viewer(granted, kubeconfig, "auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("alice", ["system:authenticated"])
    assert as_viewer(granted, kubeconfig, "get", "nodes").returncode == 0
    assert 'User "alice" cannot list resource "secrets"' in as_viewer(granted, kubeconfig, "get", "secrets").stderr
