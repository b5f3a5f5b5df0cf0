"""Nodes that are gone: told with what is on them, and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.health.api import Api, ApiError
from embedded.health.deployed import Kind
from embedded.health.inspection import Problem, inspect
from embedded.health.nodes import gone

STOPPED = "Kubelet stopped posting node status."


def condition(status: str, message: str = "") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": status, "message": message}]}}


def node(name: str, status: str = "True", message: str = STOPPED) -> dict[str, Any]:
    return {"kind": "Node", "metadata": {"name": name}, **condition(status, message)}


def pod(ready: str = "False", claim: str | None = None, owner: str = "ReplicaSet", **spec: Any) -> dict[str, Any]:
    volumes = [{"name": "tmp", "emptyDir": {}}, *([{"persistentVolumeClaim": {"claimName": claim}}] if claim else [])]
    metadata = {"namespace": "blog", "name": "p", "ownerReferences": [{"kind": owner}]}
    return {"metadata": metadata, "spec": {"volumes": volumes, **spec}, **condition(ready)}


def claim(name: str, volume: str | None) -> dict[str, Any]:
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {"volumeName": volume}}


def volume(name: str, *nodes: str) -> dict[str, Any]:
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": {"nodeAffinity": affinity} if nodes else {}}


class Cluster(Api):
    """An API server with some objects, or one that may not be asked."""

    def __init__(self, *there: dict[str, Any], silent: bool = False) -> None:
        self._there = there
        self._silent = silent

    def check(self) -> None:
        pass

    def objects(self, kind: Kind, namespace: str | None, **_: str) -> list[dict[str, Any]]:
        if self._silent:
            raise ApiError("forbidden")
        return [each for each in self._there if each["kind"] == kind.name]

    def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any] | None:
        return next((each for each in self.objects(kind, namespace) if each["metadata"]["name"] == name), None)


VOLUMES = (
    claim("data", "here"), claim("far", "there"), claim("net", "anywhere"), claim("new", None),
    volume("here", "one"), volume("there", "two"), volume("anywhere"),
)  # fmt: skip
WAY_OUT = (
    "the volume of claim blog/far is on node two, which isn't ready (Kubelet stopped posting node status): start that "
    "node again (script/up does, on the embedded cluster); or, if it is gone for good, and with it what was in the "
    "volume: kubectl delete node two; kubectl delete pvc -n blog far; then `pulumi up --refresh`"
)
ON_IT = (
    "a pod is on node two, which isn't ready (Kubelet stopped posting node status): if that lasts for five minutes, "
    "another one comes"
)


@pytest.mark.parametrize(
    ("pods", "told"),
    [
        ([pod(nodeName="two")], [ON_IT]),
        ([pod(nodeName="two"), pod(nodeName="two")], [ON_IT, ON_IT]),
        ([pod(nodeName="two", owner="StatefulSet")], [ON_IT.partition(": if")[0]]),
        ([pod(claim="far")], [WAY_OUT]),
        ([pod(claim="far", nodeName="two")], [ON_IT, WAY_OUT]),
        ([pod(claim="data"), pod(claim="net"), pod(claim="new"), pod(claim="none"), pod(nodeName="one")], []),
        ([pod("True", nodeName="two", claim="far")], []),
        ([], []),
    ],
)
def test_what_pods_have_to_do_with_a_node_that_is_gone(pods: list[dict[str, Any]], told: list[str]) -> None:
    assert gone(Cluster(node("one"), node("two", "Unknown"), *VOLUMES), pods) == told


def test_nothing_is_told_while_all_nodes_are_ready() -> None:
    assert gone(Cluster(node("one"), node("two"), *VOLUMES), [pod(claim="far", nodeName="two")]) == []


def test_a_node_that_is_gone_is_told_whatever_was_on_it() -> None:
    [(component, problems)] = inspect({}, Cluster(node("one"), node("two", "Unknown"), node("new", "False", "")))
    assert component.name == "nodes"
    assert problems == [
        Problem(
            "node two isn't ready: Kubelet stopped posting node status; on the embedded cluster, script/up starts it "
            "again"
        ),
        Problem("node new isn't ready: it has never been; on the embedded cluster, script/up starts it again"),
    ]
    assert inspect({}, Cluster(node("one"))) == []
    assert inspect({}, Cluster(silent=True)) == []
