"""The addon storage: a claim gets a volume, which outlives its pods, and goes with the claim."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.addons.storage.component import HELPER_IMAGE
from tests.checkout import Checkout
from tests.waiting import eventually

NAMESPACE = "storage-test"
NAME = "writer"
CLAIM = f"data-{NAME}-0"
CONFINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def objects() -> list[dict[str, Any]]:
    """A StatefulSet whose pod notes each of its starts, as any user's, in a namespace of the strictest level."""
    script = "cat /proc/sys/kernel/random/uuid >>/data/starts; trap exit TERM; sleep 86400 & wait"
    container = {
        "name": NAME,
        "image": HELPER_IMAGE,
        "command": ["sh", "-c", script],
        "securityContext": CONFINED,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    labels = {"app": NAME}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}},
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "serviceName": NAME,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container], "automountServiceAccountToken": False},
                },
                "volumeClaimTemplates": [claim],
            },
        },
    ]


@pytest.fixture
def written(site: Checkout) -> Iterator[Checkout]:
    """The stack beside a StatefulSet that has a volume."""
    file = site.state / "storage-test.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()}))
    try:
        site.kubectl("apply", "-f", str(file))
        site.kubectl("rollout", "status", f"statefulset/{NAME}", "-n", NAMESPACE, "--timeout=180s")
        yield site
    finally:
        site.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        file.unlink()


def starts(cluster: Checkout) -> list[str]:
    """What the pod has noted: nothing before it runs, and for a moment after its start."""
    read = ["kubectl", "exec", "-n", NAMESPACE, f"{NAME}-0", "--", "cat", "/data/starts"]
    return cluster.run(*read, environment=cluster.environment()).stdout.split()


def test_a_volume_outlives_its_pods_and_goes_with_its_claim(written: Checkout) -> None:
    claim = json.loads(written.kubectl("get", "pvc", CLAIM, "-n", NAMESPACE, "-o", "json"))
    assert claim["status"]["phase"] == "Bound"
    assert claim["spec"]["storageClassName"] == "local-path"  # the default one, which nobody named
    assert eventually(lambda: len(starts(written)) == 1)
    [first] = starts(written)

    written.kubectl("delete", "pod", f"{NAME}-0", "-n", NAMESPACE)
    written.kubectl("rollout", "status", f"statefulset/{NAME}", "-n", NAMESPACE, "--timeout=180s")

    assert eventually(lambda: len(starts(written)) == 2)
    assert starts(written)[0] == first
    # Where the node has it; the folder of the cluster's volumes is below the cluster's state on this machine.
    [folder] = [path.parent for path in volumes(written).rglob("starts") if first in path.read_text()]
    volume = claim["spec"]["volumeName"]
    assert folder.name.startswith(volume)

    written.kubectl("delete", "statefulset", NAME, "-n", NAMESPACE)
    assert first in (folder / "starts").read_text()  # the claim is still there

    written.kubectl("delete", "pvc", CLAIM, "-n", NAMESPACE)

    assert eventually(lambda: not written.kubectl("get", "pv", volume, "--ignore-not-found"))
    assert eventually(lambda: not folder.exists())


def volumes(cluster: Checkout) -> Path:
    return cluster.state / "data" / "volumes"
