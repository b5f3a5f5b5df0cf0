"""When objects are ready, and what is said of them while they aren't."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.health.api import POD
from embedded.health.readiness import unready
from embedded.health.related import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    INGRESS_CLASS,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    Related,
    label_selector,
    related,
)

API_VERSIONS = {
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
    "Certificate": "cert-manager.io/v1",
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


def parents(accepted: str, resolved: str) -> dict[str, Any]:
    conditions = [*condition("Accepted", accepted, message="it isn't")["conditions"]]
    conditions += condition("ResolvedRefs", resolved, message="it isn't")["conditions"]
    return {"parents": [{"parentRef": {"name": "public"}, "conditions": conditions}]}


def endpoints(service: str, ready: bool = True) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    return {"metadata": {"name": "s", "labels": labels}, "endpoints": [{"conditions": {"ready": ready}}]}


def running(replicas: int, **labels: str) -> dict[str, Any]:
    return {"spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}}}


THREE = {"replicas": 3}
ALL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}
STUCK = condition("Progressing", "False", reason="ProgressDeadlineExceeded")
WEB = {"selector": {"a": "b"}, "type": "ClusterIP", "clusterIP": "10.0.0.1"}
BACKEND = {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
BEHIND = {"metadata": {"name": "web"}, "spec": WEB}
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
        (live("Deployment", {"paused": True}, {"observedGeneration": 1}), {}),
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
        (
            live(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
                {"readyReplicas": 3, "currentRevision": "a", "updateRevision": "b"},
            ),
            {},
        ),
        (live("DaemonSet", {}, {"desiredNumberScheduled": 2, "numberAvailable": 2, "updatedNumberScheduled": 2}), {}),
        (live("DaemonSet"), {}),
        (
            live(
                "DaemonSet",
                {"updateStrategy": {"type": "OnDelete"}},
                {"desiredNumberScheduled": 2, "numberAvailable": 2},
            ),
            {},
        ),
        (live("ReplicaSet", THREE, ALL), {}),
        (live("ReplicationController", THREE, ALL), {}),
        (live("Job", {}, condition("Complete")), {}),
        (live("Job", {"suspend": True}), {}),
        (live("Pod", {}, {"phase": "Succeeded"}), {}),
        (live("Pod", {}, condition("Ready")), {}),
        (live("Service", WEB), {"EndpointSlice": [endpoints("a")]}),
        (live("Service", {**WEB, "clusterIP": "None"}), {}),
        (live("Service", {"type": "ExternalName", "selector": {"a": "b"}}), {}),
        (live("Service", {"clusterIP": "10.0.0.1"}), {}),
        (live("Service", WEB), {"Deployment": [running(0, a="b", c="d"), running(2, a="c")]}),
        (live("Service", WEB), {"StatefulSet": [running(0, a="b")]}),
        (live("Service", {**WEB, "type": "LoadBalancer"}, ADDRESS), {"EndpointSlice": [endpoints("a")]}),
        (live("Ingress", BACKEND, ADDRESS), {"Service": [BEHIND], "EndpointSlice": [endpoints("web")]}),
        (live("Ingress", {}, ADDRESS), {}),
        (live("HTTPRoute", {}, parents("True", "True")), {}),
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
        (live("Secret"), {}),
        (live("ConfigMap"), {}),
        (live("Certificate", {}, condition("Ready")), {}),
        (live("Certificate", {}, condition("Available", "False")), {}),
        # A custom resource's status, and its kind, may be anything.
        ({**live("Certificate"), "status": "fine"}, {}),
        (live("Certificate", {}, {"conditions": {"Ready": "False"}}), {}),
        (live("Certificate", {}, {"conditions": ["Ready"]}), {}),
        ({**live("Deployment"), "apiVersion": "example.com/v1"}, {}),
    ],
)
def test_ready(thing: dict[str, Any], others: dict[str, Any]) -> None:
    assert unready(thing, others) is None


@pytest.mark.parametrize(
    ("thing", "others", "message"),
    [
        (live("Deployment", THREE, {"observedGeneration": 1}), {}, "its controller hasn't seen the change yet"),
        (live("StatefulSet", THREE, {"observedGeneration": 1}), {}, "its controller hasn't seen the change yet"),
        (live("DaemonSet", THREE, {"observedGeneration": 1}), {}, "its controller hasn't seen the change yet"),
        (live("ReplicaSet", THREE, {"observedGeneration": 1}), {}, "its controller hasn't seen the change yet"),
        (live("Deployment", THREE, {"updatedReplicas": 1}), {}, "1 of 3 pods are made from the new template"),
        (live("Deployment", THREE, {**ALL, "replicas": 4}), {}, "1 pods of the old template are still there"),
        (live("Deployment", THREE, {**ALL, "availableReplicas": 2}), {}, "2 of 3 pods are available"),
        (
            live("Deployment", {**THREE, "progressDeadlineSeconds": 30}, STUCK),
            {},
            "0 of 3 pods are available, and nothing moved for 30 s",
        ),
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
        (live("Job", {}, condition("Failed", message="too often")), {}, "it failed: too often"),
        (live("Pod", {}, {"phase": "Pending"}), {}, "it has no node yet"),
        (live("Pod", {}, {"phase": "Running"}), {}, "it isn't ready"),
        (live("Pod", {}, {"phase": "Failed", "reason": "Evicted"}), {}, "it failed: Evicted"),
        (live("Pod", {}, {"phase": "Failed"}), {}, "it failed: a container exited with an error"),
        (live("Service", WEB), {}, "it has no ready endpoint"),
        (live("Service", WEB), {"EndpointSlice": [endpoints("a", ready=False)]}, "it has no ready endpoint"),
        (
            live("Service", WEB),
            {"Deployment": [running(0, a="b")], "StatefulSet": [running(1, a="b")]},
            "it has no ready endpoint",
        ),
        (
            live("Service", {**WEB, "type": "LoadBalancer"}),
            {"EndpointSlice": [endpoints("a")]},
            "it has no load balancer address; does this cluster have load balancers?",
        ),
        (live("HTTPRoute"), {}, "no Gateway has taken it"),
        (live("HTTPRoute", {}, parents("False", "True")), {}, "the Gateway public doesn't serve it: it isn't"),
        (live("HTTPRoute", {}, parents("True", "False")), {}, "the Gateway public doesn't serve it: it isn't"),
        (live("Ingress", BACKEND, ADDRESS), {}, "its Service web doesn't exist"),
        (live("Ingress", BACKEND, ADDRESS), {"Service": [BEHIND]}, "its Service web has no ready endpoint"),
        (
            live("Ingress", BACKEND),
            {"Service": [BEHIND], "EndpointSlice": [endpoints("web")]},
            "no ingress controller has given it an address",
        ),
        (live("PersistentVolumeClaim", {}, {"phase": "Pending"}), {}, "it isn't bound to a volume"),
        (live("PersistentVolumeClaim", {}, {"phase": "Lost"}), {"StorageClass": [DEFAULT]}, "it lost its volume"),
        (live("PersistentVolume", {}, {"phase": "Pending"}), {}, "it isn't available"),
        (live("PersistentVolume", {}, {"phase": "Failed", "message": "no"}), {}, "it failed: no"),
        (live("CustomResourceDefinition"), {}, "the API doesn't serve it yet"),
        (
            live("CustomResourceDefinition", {}, condition("NamesAccepted", "False", message="taken")),
            {},
            "its names were refused: taken",
        ),
        (
            live("APIService", {}, condition("Available", "False", message="no endpoints")),
            {},
            "it isn't available: no endpoints",
        ),
        (live("APIService"), {}, "it isn't available: no reason given yet"),
        (live("Namespace", {}, {"phase": "Terminating"}), {}, "it is being deleted"),
        (live("ResourceQuota", {"hard": {"pods": "1"}}), {}, "the quota controller hasn't counted yet"),
        (live("Secret", type="kubernetes.io/service-account-token"), {}, "it has no token yet"),
        (live("Certificate", {}, condition("Ready", "False", message="no issuer", reason="No")), {}, "no issuer"),
        (live("Certificate", {}, condition("Ready", "False", message="", reason="Issuing")), {}, "Issuing"),
        (live("Certificate", {}, condition("Ready", "Unknown")), {}, "its condition Ready isn't True"),
    ],
)
def test_unready(thing: dict[str, Any], others: dict[str, Any], message: str) -> None:
    assert unready(thing, others) == message


PODS = [Related(POD, "n", "a=b")]


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        *((live(kind, {"selector": {"matchLabels": {"a": "b"}}}), PODS) for kind in ("Deployment", "DaemonSet", "Job")),
        (live("ReplicationController", {"selector": {"a": "b"}}), PODS),
        (
            live("Service", WEB),
            [
                Related(ENDPOINT_SLICE, "n", "kubernetes.io/service-name=a"),
                *PODS,
                Related(DEPLOYMENT, "n"),
                Related(STATEFUL_SET, "n"),
            ],
        ),
        (live("Service", {**WEB, "clusterIP": "None"}), []),
        (live("Ingress"), [Related(SERVICE, "n"), Related(ENDPOINT_SLICE, "n"), Related(INGRESS_CLASS, None)]),
        (live("PersistentVolumeClaim"), [Related(STORAGE_CLASS, None)]),
        (live("Certificate"), []),
        ({**live("Ingress"), "apiVersion": "networking.internal.knative.dev/v1alpha1"}, []),
    ],
)
def test_what_is_looked_at_besides(thing: dict[str, Any], expected: list[Related]) -> None:
    assert related(thing) == expected


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
