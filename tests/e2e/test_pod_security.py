"""Pod Security is enforced at the level *restricted* in every namespace that can have it."""

from __future__ import annotations

import json

import pytest

from docs.pod_security import KUBERNETES_OWN, PRIVILEGED
from tests.checkout import Checkout

LABEL = "pod-security.kubernetes.io"


@pytest.fixture
def levels(site: Checkout) -> dict[str, dict[str, str]]:
    """The levels of each namespace of the stack, by mode."""
    listed = json.loads(site.kubectl("get", "namespaces", "-o", "json"))["items"]
    return {
        each["metadata"]["name"]: {
            mode: each["metadata"]["labels"].get(f"{LABEL}/{mode}", "") for mode in ("enforce", "audit", "warn")
        }
        for each in listed
        if each["metadata"]["name"] not in KUBERNETES_OWN
    }


def test_all_but_the_listed_namespaces_are_restricted(levels: dict[str, dict[str, str]]) -> None:
    assert levels.keys() >= {"inspiration", "container-registry", "dashboard", "ingress", "local-path-storage"}
    others = {name: modes for name, modes in levels.items() if name not in PRIVILEGED}
    assert others == {name: dict.fromkeys(("enforce", "audit", "warn"), "restricted") for name in others}
    assert {name for name, modes in levels.items() if modes["enforce"] != "restricted"} == {"local-path-storage"}


def test_a_pod_with_privileges_is_refused(site: Checkout) -> None:
    command = ["kubectl", "run", "privileged", "-n", "inspiration", "--image=none", "--privileged", "--dry-run=server"]
    done = site.run(*command, environment=site.environment())
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted:latest"' in done.stderr


def test_a_namespace_that_is_listed_needs_what_it_is_listed_for(site: Checkout) -> None:
    """The pods that make the folders of volumes mount the parent: refused elsewhere, and not there."""
    volume = {"name": "parent", "hostPath": {"path": "/run/inspiration/volumes"}}
    container = {"name": "helper", "image": "docker.io/library/busybox:1.35.0", "command": ["true"]}
    overrides = {"apiVersion": "v1", "spec": {"containers": [container], "volumes": [volume]}}
    for namespace, accepted in (("local-path-storage", True), ("inspiration", False)):
        done = site.run(
            "kubectl", "run", "helper", "-n", namespace, "--image=none", "--dry-run=server",
            f"--overrides={json.dumps(overrides)}", environment=site.environment(),
        )  # fmt: skip
        assert (done.returncode == 0) == accepted, done.stderr
