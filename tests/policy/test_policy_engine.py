"""The policy pack in the real engine.

Resources are registered as components of the types of Kubernetes' objects: their inputs pass by the pack as those of
any resource, and neither a provider nor a cluster is asked.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.plugins.language.project import Project, install_plugins

PACK = ("--policy-pack", str(PROJECT / "policy"))
START = """
import pulumi

def declare(kind, name, inputs):
    metadata = {"name": name, "namespace": "blog", "labels": {"app.kubernetes.io/component": "site"}}
    pulumi.ComponentResource(f"kubernetes:{kind}", name, {"metadata": metadata, **inputs})

"""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the language host of this checkout."""
    return install_plugins(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def declare(tmp_path: Path, variables: dict[str, str]) -> Callable[[str], Project]:
    """Write the program of a project."""
    project = Project(tmp_path / "project", variables)

    def written(program: str) -> Project:
        project.write("__main__.py", START + program)
        return project

    return written


def test_a_violation_fails_the_preview_until_it_is_mended(declare: Callable[[str], Project]) -> None:
    service = 'declare("core/v1:Service", "web", {{"spec": {{"type": "{}"}}}})'
    shown = declare(service.format("NodePort")).pulumi("preview", *PACK, fails=True)
    assert "[mandatory]  service-type  (kubernetes:core/v1:Service: web)" in shown
    assert "Service blog/web: its type NodePort opens ports outside the cluster; use ClusterIP and an Ingress" in shown
    shown = declare(service.format("ClusterIP")).pulumi("preview", *PACK)
    assert "✅ inspiration@v1.0.0" in shown


def test_a_key_has_to_be_a_secret_of_pulumi(declare: Callable[[str], Project]) -> None:
    secret = 'declare("core/v1:Secret", "tls", {{"type": "kubernetes.io/tls", "stringData": {{"tls.key": {}}}}})'
    shown = declare(secret.format('"hush"')).pulumi("preview", *PACK, fails=True)
    assert (
        "Secret tls: stringData.tls.key is a private key in plain text in Pulumi's state; use pulumi.Output.secret"
        in shown
    )
    shown = declare(secret.format('pulumi.Output.secret("hush")')).pulumi("preview", *PACK)
    assert "private key" not in shown


def test_a_digest_that_is_made_later_is_judged_later(declare: Callable[[str], Project]) -> None:
    project = declare(
        """
import asyncio

def later(value):
    result, known = asyncio.Future(), asyncio.Future()
    result.set_result(value)
    known.set_result(not pulumi.runtime.is_dry_run())
    return pulumi.Output(set(), result, known)

declare("core/v1:Pod", "web", {"spec": {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [{
        "name": "web",
        "image": later("localhost:32000/web:latest"),
        "readinessProbe": {"httpGet": {"port": 80}},
        "livenessProbe": {"httpGet": {"port": 80}},
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }],
}})
"""
    )
    shown = project.pulumi("preview", *PACK)
    assert "[advisory]  image-digest" in shown
    assert "string value at .spec.containers.0.image can't be known during preview" in shown
    assert "[mandatory]" not in shown
    shown = project.pulumi("up", "--yes", "--skip-preview", *PACK, fails=True)
    assert "[mandatory]  image-digest  (kubernetes:core/v1:Pod: web)" in shown
    assert (
        "Pod blog/web: container web: the image localhost:32000/web:latest may change under its name; "
        "name it by digest, name@sha256:…" in shown
    )
