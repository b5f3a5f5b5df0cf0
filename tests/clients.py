"""Pods that ask others, to see what NetworkPolicies let them."""

from __future__ import annotations

import json
from typing import Any

from components.manifests import CONTAINER_SECURITY, POD_SECURITY
from tests.checkout import Checkout
from tests.waiting import eventually

BUSYBOX = "docker.io/library/busybox:1.35.0"
"""One of the images that every embedded cluster has."""


def pod(name: str, namespace: str, labels: dict[str, str], *command: str, node: str | None = None) -> dict[str, Any]:
    """A pod that no Service sends anything to, as it never is ready; on a ``node``, if one is named."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            **({"nodeName": node} if node else {}),
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": POD_SECURITY,
            "containers": [
                {
                    "name": "busybox",
                    "image": BUSYBOX,
                    "imagePullPolicy": "Never",
                    "command": list(command or ("sleep", "100000")),
                    "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 60},
                    "securityContext": CONTAINER_SECURITY,
                }
            ],
        },
    }


def apply(site: Checkout, *objects: dict[str, Any]) -> None:
    file = site.path / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    try:
        site.kubectl("apply", "-f", str(file))
    finally:
        file.unlink()


def address(site: Checkout, namespace: str, *which: str) -> str:
    """The address of a running pod."""

    def found() -> list[str]:
        listed = json.loads(site.kubectl("get", "pods", "-n", namespace, *which, "-o", "json"))
        pods = [listed] if listed["kind"] == "Pod" else listed["items"]
        living = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
        return [each["status"]["podIP"] for each in living if each["status"].get("phase") == "Running"]

    assert eventually(lambda: bool(found()))
    return found()[0]


def connects(site: Checkout, namespace: str, name: str, host: str, port: int) -> bool:
    """Whether a pod gets a TCP connection to ``host``, an address."""
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {host} {port} >/dev/null"
    command = ["kubectl", "exec", "-n", namespace, name, "--", "sh", "-c", ask]
    return site.run(*command, environment=site.environment()).returncode == 0
