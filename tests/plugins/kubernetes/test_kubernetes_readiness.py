"""When objects are ready, and what is said of them while they aren't."""

import asyncio
from typing import Any, cast

import pytest

from embedded.plugins.kubernetes import causes, readiness
from embedded.plugins.kubernetes.awaiting import holding
from embedded.plugins.kubernetes.client import Client
from embedded.plugins.kubernetes.kinds import Kind
from embedded.plugins.kubernetes.related import label_selector

API_VERSIONS = {
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
}


def live(kind: str, spec: Any = None, status: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "generation": 2}
    return {
        "apiVersion": API_VERSIONS.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata,
        "spec": spec or {},
        "status": {"observedGeneration": 2, **(status or {})},
        **more,
    }


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


def endpoints(service: str, ready: bool = True) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {"metadata": {"name": "s", "labels": labels}, "endpoints": [{"conditions": {"ready": ready}}]}


THREE = {"replicas": 3}
ALL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}
STUCK = condition("Progressing", "False", reason="ProgressDeadlineExceeded")
WEB = {"selector": {"a": "b"}, "type": "ClusterIP", "clusterIP": "10.0.0.1"}
BACKEND = {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
SERVICE = {"metadata": {"name": "web"}, "spec": WEB}
LATE = {"metadata": {"name": "late", "annotations": {}}, "volumeBindingMode": "WaitForFirstConsumer"}
DEFAULT = {
    "metadata": {"name": "d", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "volumeBindingMode": "WaitForFirstConsumer",
}


@pytest.mark.parametrize(
    ("thing", "others"),
    [
        (live("Deployment", THREE, ALL), {}),
        (live("Deployment", {"replicas": 0}), {}),
        (live("Deployment", {"paused": True}), {}),
        (live("StatefulSet", THREE, ALL), {}),
        (live("StatefulSet", THREE, {"readyReplicas": 3, "currentRevision": "a", "updateRevision": "a"}), {}),
        (
            live(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                {"readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            ),
            {},
        ),
        (live("DaemonSet", {}, {"desiredNumberScheduled": 2, "numberAvailable": 2, "updatedNumberScheduled": 2}), {}),
        (live("DaemonSet"), {}),
        (live("ReplicaSet", THREE, ALL), {}),
        (live("Job", {}, condition("Complete")), {}),
        (live("Job", {"suspend": True}), {}),
        (live("Pod", {}, {"phase": "Succeeded"}), {}),
        (live("Pod", {}, condition("Ready")), {}),
        (live("Service", WEB), {"EndpointSlice": [endpoints("a")]}),
        (live("Service", {**WEB, "clusterIP": "None"}), {}),
        (live("Service", {"type": "ExternalName", "selector": {"a": "b"}}), {}),
        (live("Service", {"clusterIP": "10.0.0.1"}), {}),
        (live("Service", {**WEB, "type": "LoadBalancer"}, ADDRESS), {"EndpointSlice": [endpoints("a")]}),
        (live("Ingress", BACKEND, ADDRESS), {"Service": [SERVICE], "EndpointSlice": [endpoints("web")]}),
        (live("Ingress", {}, ADDRESS), {}),
        (
            live("Ingress", BACKEND, ADDRESS),
            {"Service": [{"metadata": {"name": "web"}, "spec": {"type": "ExternalName"}}]},
        ),
        (live("PersistentVolumeClaim", {}, {"phase": "Bound"}), {}),
        (live("PersistentVolumeClaim", {"storageClassName": "late"}, {"phase": "Pending"}), {"StorageClass": [LATE]}),
        (live("PersistentVolumeClaim", {}, {"phase": "Pending"}), {"StorageClass": [LATE, DEFAULT]}),
        (live("PersistentVolume", {}, {"phase": "Available"}), {}),
        (live("CustomResourceDefinition", {}, condition("Established")), {}),
        (live("APIService", {}, condition("Available")), {}),
        (live("Namespace", {}, {"phase": "Active"}), {}),
        (live("ResourceQuota", {"hard": {"pods": "1"}}, {"hard": {"pods": "1"}}), {}),
        (live("Secret", type="kubernetes.io/service-account-token", data={"token": "x"}), {}),
        (live("ConfigMap"), {}),
    ],
)
def test_ready(thing: dict[str, Any], others: dict[str, Any]) -> None:
    assert readiness.evaluate(thing, others) == readiness.READY


@pytest.mark.parametrize(
    ("thing", "others", "message"),
    [
        (live("Deployment", THREE, {"observedGeneration": 1}), {}, "its controller hasn't seen the change yet"),
        (live("Deployment", THREE, {"updatedReplicas": 1}), {}, "1 of 3 pods are made from the new template"),
        (live("Deployment", THREE, {**ALL, "replicas": 4}), {}, "1 pods of the old template are still there"),
        (live("Deployment", THREE, {**ALL, "availableReplicas": 2}), {}, "2 of 3 pods are available"),
        (live("StatefulSet", THREE, {"readyReplicas": 2}), {}, "2 of 3 pods are ready"),
        (
            live("StatefulSet", THREE, {"readyReplicas": 3, "currentRevision": "a", "updateRevision": "b"}),
            {},
            "0 of 3 pods are updated",
        ),
        (live("DaemonSet", {}, {"desiredNumberScheduled": 2}), {}, "0 of 2 nodes have an updated pod"),
        (
            live("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}),
            {},
            "0 of 2 nodes have an available pod",
        ),
        (live("ReplicaSet", THREE, {"readyReplicas": 1}), {}, "1 of 3 pods are ready"),
        (live("Job", {}, {"active": 1}), {}, "0 of 1 pods have completed, 1 are running"),
        (live("Pod", {}, {"phase": "Pending"}), {}, "it has no node yet"),
        (live("Pod", {}, {"phase": "Running"}), {}, "it isn't ready"),
        (live("Service", WEB), {}, "it has no ready endpoint"),
        (live("Service", WEB), {"EndpointSlice": [endpoints("a", ready=False)]}, "it has no ready endpoint"),
        (
            live("Service", {**WEB, "type": "LoadBalancer"}),
            {"EndpointSlice": [endpoints("a")]},
            "it has no load balancer address; does this cluster have load balancers?",
        ),
        (live("Ingress", BACKEND, ADDRESS), {}, "its Service web doesn't exist"),
        (live("Ingress", BACKEND, ADDRESS), {"Service": [SERVICE]}, "its Service web has no ready endpoint"),
        (
            live("Ingress", BACKEND),
            {"Service": [SERVICE], "EndpointSlice": [endpoints("web")]},
            "no ingress controller has given it an address",
        ),
        (live("PersistentVolumeClaim", {}, {"phase": "Pending"}), {}, "it isn't bound to a volume"),
        (live("PersistentVolume", {}, {"phase": "Pending"}), {}, "it isn't available"),
        (live("CustomResourceDefinition"), {}, "the API doesn't serve it yet"),
        (
            live("APIService", {}, condition("Available", "False", message="no endpoints")),
            {},
            "it isn't available: no endpoints",
        ),
        (live("Namespace", {}, {"phase": "Terminating"}), {}, "it is being deleted"),
        (live("ResourceQuota", {"hard": {"pods": "1"}}), {}, "the quota controller hasn't counted yet"),
        (live("Secret", type="kubernetes.io/service-account-token"), {}, "it has no token yet"),
    ],
)
def test_waiting(thing: dict[str, Any], others: dict[str, Any], message: str) -> None:
    assert readiness.evaluate(thing, others) == readiness.waiting(message)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (
            live("Deployment", {**THREE, "progressDeadlineSeconds": 30}, STUCK),
            "0 of 3 pods are available, and nothing moved for 30 s",
        ),
        (live("Job", {}, condition("Failed", message="too often")), "it failed: too often"),
        (live("Pod", {}, {"phase": "Failed", "reason": "Evicted"}), "it failed: Evicted"),
        (live("PersistentVolumeClaim", {}, {"phase": "Lost"}), "it lost its volume"),
        (live("PersistentVolume", {}, {"phase": "Failed", "message": "no"}), "it failed: no"),
        (
            live("CustomResourceDefinition", {}, condition("NamesAccepted", "False", message="taken")),
            "its names were refused: taken",
        ),
    ],
)  # fmt: skip
def test_failed(thing: dict[str, Any], message: str) -> None:
    assert readiness.evaluate(thing, {}) == readiness.failed(message)


def test_that_an_earlier_attempt_was_given_up_can_be_left_out() -> None:
    stuck = live("Deployment", {"progressDeadlineSeconds": 30}, STUCK)
    assert readiness.progress_deadline(stuck) == 30
    tried_again = readiness.without(stuck, readiness.gave_up(stuck))
    assert readiness.evaluate(tried_again, {}) == readiness.waiting("0 of 1 pods are made from the new template")
    given_up_again = live("Deployment", {}, {"conditions": [{**STUCK["conditions"][0], "lastUpdateTime": "later"}]})
    assert readiness.without(given_up_again, readiness.gave_up(stuck)) == given_up_again


def pod(name: str = "p", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"nodeName": "node"}, "status": status}


def running(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(containerStatuses=[{"name": "c", "ready": False, "restartCount": 0, "state": state, **more}])


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (pod(**condition("Ready")), []),
        (pod(phase="Succeeded"), []),
        ({**pod(), "metadata": {"name": "p", "deletionTimestamp": "now"}}, []),
        (running({"waiting": {"reason": "ContainerCreating"}}), []),
        (running({"waiting": {"reason": "ErrImagePull", "message": "no"}}), ["container c: ErrImagePull: no"]),
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
        (pod(**condition("PodScheduled", "False", message="0/1 nodes")), ["no node can take it: 0/1 nodes"]),
        (pod(phase="Failed", reason="Evicted"), ["pod failed: Evicted"]),
    ],
)  # fmt: skip
def test_causes_of_pods(thing: dict[str, Any], expected: list[str]) -> None:
    assert causes.from_pods([thing]) == expected


class Nodes:
    """A cluster with one node, of which nobody has noted an event."""

    def __init__(self, *taints: dict[str, str]) -> None:
        self._node = {"metadata": {"name": "one"}, "spec": {"taints": list(taints)}}

    async def list_objects(self, kind: Kind, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": [self._node] if kind.name == "Node" else []}


def test_the_taints_that_the_scheduler_leaves_out_are_named() -> None:
    message = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    waits = pod(**condition("PodScheduled", "False", message=message))
    nodes = Nodes(
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
        {"key": "example.com/gpu", "effect": "NoSchedule"},
        {"key": "example.com/rather-not", "effect": "PreferNoSchedule"},
    )
    found = asyncio.run(causes.explain(cast("Client", nodes), live("Deployment"), {"Pod": [waits]}))
    assert found == [
        f"no node can take it: {message}",
        "node one has the taint node.kubernetes.io/disk-pressure (its disk is nearly full: make room)",
        "node one has the taint example.com/gpu",
    ]


def test_the_same_cause_is_named_once() -> None:
    unready = [running({"running": {}}) for _ in range(3)]
    assert causes.from_pods(unready) == ["container c is running but not ready (and 2 more pods)"]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"a": "b", "c": "d"}}, "a=b,c=d"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}]}, "a,!b"),
    ],
)
def test_selectors(selector: dict[str, Any], text: str) -> None:
    assert label_selector(selector) == text


def test_what_holds_a_deletion() -> None:
    assert (
        holding({"kind": "A", "metadata": {"finalizers": ["a/b", "foregroundDeletion"]}}) == ": held by finalizer a/b"
    )
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}}
    assert holding(claim) == ": held by finalizer kubernetes.io/pvc-protection (a pod uses it)"
    waiting = {"kind": "A", "metadata": {"finalizers": ["foregroundDeletion"]}}
    assert holding(waiting) == ": its dependents are being deleted first"
    namespace = {
        "kind": "Namespace",
        "metadata": {},
        "status": condition("NamespaceContentRemaining", message="1 pod is left"),
    }
    assert holding(namespace) == ": 1 pod is left"
    assert holding({"kind": "A", "metadata": {}}) == ""
