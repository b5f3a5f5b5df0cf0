"""Fixtures for the tests of the Kubernetes plugin: a real API server, and namespaces of their own."""

import json
import os
import subprocess
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.language.project import Project, install_plugins


@dataclass(frozen=True)
class Cluster:
    """The API server that tests talk to, by kubectl: what users do by hand."""

    kubeconfig: Path

    def kubectl(self, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """Run kubectl and return its output."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words], input=stdin, capture_output=True, text=True
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout.strip()

    def object(self, *words: str) -> Any:
        """An object (or a list of them) as JSON."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def exists(self, *words: str) -> bool:
        """Whether there is an object."""
        return bool(self.kubectl("get", *words, "--ignore-not-found", "-o", "name"))


@dataclass
class KubernetesProject(Project):
    """A project whose programs find the cluster by ``KUBECONFIG``, and a namespace for its objects."""

    namespace: str = ""

    def declare(self, *parts: str) -> None:
        """Write a program from parts, each with an indentation of its own.

        ``NS`` is the namespace, ``IN`` metadata in it, and ``K`` the Kubernetes SDK.
        """
        start = f"""
        import pulumi, pulumi_kubernetes as K
        from pulumi import ResourceOptions as Options
        NS = {self.namespace!r}
        IN = {{"namespace": NS}}
        def named(name, **annotations):
            marks = {{f"pulumi.com/{{key}}": value for key, value in annotations.items()}}
            return {{"namespace": NS, "name": name, **({{"annotations": marks}} if marks else {{}})}}
        """
        self.write("__main__.py", "".join(textwrap.dedent(part) for part in (start, *parts)))

    def preview(self, *words: str, fails: bool = False) -> str:
        """Preview in detail."""
        return self.pulumi("preview", "--diff", *words, fails=fails)

    def update(self, *words: str) -> str:
        """Update, and return the details of what was done."""
        return self.pulumi("up", "--yes", "--skip-preview", "--diff", *words)

    def assert_no_change(self) -> None:
        """A preview finds nothing to do."""
        self.pulumi("preview", "--expect-no-changes")

    def refresh(self) -> str:
        """Refresh, and return the details of the drift that was found."""
        return self.pulumi("refresh", "--yes", "--skip-preview", "--diff")

    def resource(self, name: str) -> dict[str, Any]:
        """A resource as it is in the state."""
        return next(each for each in self.resources() if each["urn"].endswith(f"::{name}"))


@pytest.fixture(scope="session")
def cluster_access(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of ``KUBECONFIG``, else the embedded one."""
    if "KUBECONFIG" not in os.environ:
        request.getfixturevalue("cluster")
    return Cluster(Path(os.environ["KUBECONFIG"]).absolute())


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory, cluster_access: Cluster) -> dict[str, str]:
    """Environment variables with which the engine uses the plugins of this checkout."""
    found = install_plugins(tmp_path_factory.mktemp("pulumi-home"))
    return found | {"KUBECONFIG": str(cluster_access.kubeconfig)}


@pytest.fixture
def namespace(cluster_access: Cluster) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    cluster_access.kubectl("create", "namespace", name)
    yield name
    cluster_access.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str], namespace: str) -> KubernetesProject:
    return KubernetesProject(tmp_path / "project", variables, namespace=namespace)
