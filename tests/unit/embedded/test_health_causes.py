"""Why objects aren't ready, as far as they, their pods, logs, events and nodes tell."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.health.api import Api, ApiError
from embedded.health.causes import explain, from_pods, holding
from embedded.health.deployed import Kind


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


def pod(name: str = "p", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "uid": "1"}, "spec": {"nodeName": "node"}, "status": status}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "c", "ready": False, "restartCount": 0, "state": state, **more}


def running(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(containerStatuses=[container(state, **more)])


def live(api_version: str, kind: str, spec: Any = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "uid": "2"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec or {}, "status": status}


DEPLOYMENT = live("apps/v1", "Deployment")


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (pod(**condition("Ready")), []),
        (pod(phase="Succeeded"), []),
        ({**pod(), "metadata": {"name": "p", "deletionTimestamp": "now"}}, []),
        (running({"waiting": {"reason": "ContainerCreating"}}), []),
        (running({"waiting": {"reason": "ErrImagePull", "message": "no"}}), ["container c: ErrImagePull: no"]),
        (running({"waiting": {"reason": "InvalidImageName"}}), ["container c: InvalidImageName"]),
        (
            running(
                {"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
            ["container c crashes again and again (exit code 137, OOMKilled)"],
        ),
        (
            running(
                {"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 128, "reason": "StartError", "message": "init was\nOOM-killed"}},
            ),
            ["container c crashes again and again (exit code 128, StartError: init was OOM-killed)"],
        ),
        (running({"terminated": {"exitCode": 1, "reason": "Error"}}), ["container c crashed (exit code 1)"]),
        (running({"terminated": {"exitCode": 0}}), []),
        (running({"running": {}}), ["container c is running but not ready"]),
        (
            running({"running": {}}, restartCount=2, lastState={"terminated": {"exitCode": 2}}),
            ["container c was restarted (exit code 2) and isn't ready"],
        ),
        (
            pod(initContainerStatuses=[container({"terminated": {"exitCode": 3}})]),
            ["container c crashed (exit code 3)"],
        ),
        (pod(**condition("PodScheduled", "False", message="0/1 nodes")), ["no node can take it: 0/1 nodes"]),
        (pod(phase="Failed", reason="Evicted"), ["pod failed: Evicted"]),
        (
            {**pod(), "spec": {"schedulerName": "nobody"}},
            ["no scheduler has chosen a node yet (its schedulerName is nobody)"],
        ),
    ],
)
def test_causes_of_pods(thing: dict[str, Any], expected: list[str]) -> None:
    assert from_pods([thing]) == expected


def test_the_same_cause_is_named_once() -> None:
    unready = [running({"running": {}}) for _ in range(3)]
    assert from_pods(unready) == ["container c is running but not ready (and 2 more pods)"]


class Cluster(Api):
    """A cluster with events by what they are about, and with nodes, unless nobody may see them."""

    def __init__(
        self, events: dict[str, list[dict[str, str]]] | None = None, *nodes: Any, silent: bool = False
    ) -> None:
        self._events = events or {}
        self._nodes = [*nodes]
        self._silent = silent
        self.logs: list[tuple[str, bool]] = []

    def objects(self, kind: Kind, namespace: str | None, **selectors: str) -> list[dict[str, Any]]:
        if self._silent:
            raise ApiError("forbidden")
        if kind.name == "Node":
            return self._nodes
        assert (kind.name, namespace) == ("Event", "n")
        uid = selectors["fieldSelector"].removeprefix("involvedObject.uid=").removesuffix(",type=Warning")
        return self._events.get(uid, [])

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> list[str]:
        self.logs.append((f"{namespace}/{pod}/{container}", previous))
        return ["no such file", "exiting"]


SAID = "last lines of container c in pod p:\n    no such file\n    exiting"


@pytest.mark.parametrize(
    ("thing", "logs"),
    [
        (running({"terminated": {"exitCode": 7}}), [("n/p/c", False)]),
        (
            running({"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 7}}),
            [("n/p/c", True)],
        ),
        (running({"waiting": {"reason": "ErrImagePull"}}), []),
        (running({"running": {}}), []),
    ],
)
def test_the_last_lines_of_a_crash_are_shown(thing: dict[str, Any], logs: list[tuple[str, bool]]) -> None:
    cluster = Cluster()
    causes = explain(cluster, DEPLOYMENT, {"Pod": [pod(**condition("Ready")), thing]})
    assert cluster.logs == logs
    assert (SAID in causes) == bool(logs)


def test_the_latest_warning_of_each_reason_is_told() -> None:
    events = {
        "1": [
            {"reason": "Unhealthy", "message": "probe failed\n", "lastTimestamp": "2"},
            {"reason": "Unhealthy", "message": "an older one", "lastTimestamp": "1"},
            {"reason": "BackOff", "message": "what the pod's status says too", "eventTime": "3"},
        ],
        "2": [
            {"reason": f"FailedCreate{number}", "message": "exceeded quota: q", "eventTime": str(number)}
            for number in range(5)
        ],
    }
    assert explain(Cluster(events), DEPLOYMENT, {"Pod": [running({"running": {}})]}) == [
        "container c is running but not ready",
        "Unhealthy: probe failed",
        "FailedCreate2: exceeded quota: q",
        "FailedCreate3: exceeded quota: q",
        "FailedCreate4: exceeded quota: q",
    ]


def test_a_quota_is_named() -> None:
    told = condition("ReplicaFailure", reason="FailedCreate", message="exceeded quota: q")
    said = ["FailedCreate: exceeded quota: q"]
    assert explain(Cluster(), live("apps/v1", "Deployment", **told), {}) == said
    # The event says the same.
    again = Cluster({"2": [{"reason": "FailedCreate", "message": "exceeded quota: q"}]})
    assert explain(again, live("apps/v1", "Deployment", **told), {}) == said


def test_a_pod_on_its_own_is_its_own_cause() -> None:
    thing = {**running({"waiting": {"reason": "ErrImagePull"}}), "apiVersion": "v1", "kind": "Pod"}
    assert explain(Cluster(), thing, {}) == ["container c: ErrImagePull"]


def test_what_may_not_be_asked_is_left_out() -> None:
    unready = running({"running": {}})
    assert explain(Cluster(silent=True), DEPLOYMENT, {"Pod": [unready]}) == ["container c is running but not ready"]


def test_who_may_not_see_nodes_sees_events(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster({"2": [{"reason": "FailedCreate", "message": "exceeded quota: q"}]})
    seen = cluster.objects

    def objects(kind: Kind, namespace: str | None, **selectors: str) -> list[dict[str, Any]]:
        if kind.name == "Node":
            raise ApiError("forbidden")
        return seen(kind, namespace, **selectors)

    monkeypatch.setattr(cluster, "objects", objects)
    told = explain(cluster, DEPLOYMENT, {"Pod": [running({"running": {}})]})
    assert told == ["container c is running but not ready", "FailedCreate: exceeded quota: q"]


def test_the_taints_that_the_scheduler_leaves_out_are_named() -> None:
    message = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    waits = pod(**condition("PodScheduled", "False", message=message))
    taints = [
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
        {"key": "example.com/gpu", "effect": "NoSchedule"},
        {"key": "example.com/rather-not", "effect": "PreferNoSchedule"},
    ]
    cluster = Cluster({}, {"metadata": {"name": "one"}, "spec": {"taints": taints}})
    assert explain(cluster, DEPLOYMENT, {"Pod": [waits]}) == [
        f"no node can take it: {message}",
        "node one has the taint node.kubernetes.io/disk-pressure (its disk is nearly full: make room)",
        "node one has the taint example.com/gpu",
    ]


def named(name: str, default: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {default: "true"} if default else None}, **more}


NGINX = named("nginx", spec={"controller": "k8s.io/ingress-nginx"})
STANDARD = named("standard", "ingressclass.kubernetes.io/is-default-class", spec={"controller": "x"})
TO_WEB = {"defaultBackend": {"service": {"name": "web"}}}


@pytest.mark.parametrize(
    ("thing", "others", "expected"),
    [
        (
            live("v1", "Service", {"selector": {"a": "b", "c": "d"}}),
            {},
            ["no pod in namespace n has the labels of its selector, a=b,c=d"],
        ),
        (live("v1", "Service", {"selector": {"a": "b"}}), {"Pod": [pod(**condition("Ready"))]}, []),
        (
            live("networking.k8s.io/v1", "Ingress", {"ingressClassName": "none"}),
            {},
            ["there is no IngressClass none (the cluster has none)"],
        ),
        (
            live("networking.k8s.io/v1", "Ingress", {"ingressClassName": "none"}),
            {"IngressClass": [STANDARD, NGINX]},
            ["there is no IngressClass none (there are nginx, standard)"],
        ),
        (
            live("networking.k8s.io/v1", "Ingress"),
            {"IngressClass": [NGINX]},
            ["it names no ingressClassName, and the cluster has no default IngressClass"],
        ),
        (live("networking.k8s.io/v1", "Ingress"), {"IngressClass": [STANDARD]}, []),
        (
            live("networking.k8s.io/v1", "Ingress", {"ingressClassName": "nginx", **TO_WEB}),
            {"IngressClass": [NGINX], "Service": [named("web")]},
            ["its controller would be k8s.io/ingress-nginx; check that it runs"],
        ),
        (
            live("networking.k8s.io/v1", "Ingress", {"ingressClassName": "nginx", **TO_WEB}),
            {"IngressClass": [NGINX]},
            [],
        ),
        (live("v1", "PersistentVolumeClaim", {"storageClassName": "fast"}), {}, ["there is no StorageClass fast"]),
        (live("v1", "PersistentVolumeClaim"), {}, ["the cluster has no default StorageClass"]),
        (live("v1", "PersistentVolumeClaim", {"storageClassName": ""}), {}, []),
        (live("v1", "PersistentVolumeClaim", {"storageClassName": "fast"}), {"StorageClass": [named("fast")]}, []),
        (live("networking.internal.knative.dev/v1alpha1", "Ingress"), {}, []),
    ],
)
def test_causes_of_kinds(thing: dict[str, Any], others: dict[str, Any], expected: list[str]) -> None:
    assert explain(Cluster(), thing, others) == expected


@pytest.mark.parametrize(
    ("kind", "finalizers", "said"),
    [
        ("ConfigMap", ["a/b", "foregroundDeletion"], ": held by finalizer a/b"),
        (
            "PersistentVolumeClaim",
            ["kubernetes.io/pvc-protection"],
            ": held by finalizer kubernetes.io/pvc-protection (a pod uses it)",
        ),
        ("ConfigMap", ["foregroundDeletion"], ": its dependents are being deleted first"),
        ("ConfigMap", [], ""),
        ("Namespace", ["kubernetes"], ": 1 pod is left"),
    ],
)
def test_what_holds_a_deletion(kind: str, finalizers: list[str], said: str) -> None:
    thing = live("v1", kind, **condition("NamespaceContentRemaining", message="1 pod is left"))
    thing["metadata"]["finalizers"] = finalizers
    assert holding(thing) == said
