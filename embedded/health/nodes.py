"""Nodes that are gone, as the reason why pods aren't ready: those on them, and those whose volume is there."""

from __future__ import annotations

from collections.abc import Iterable

from embedded.cluster.volumes import nodes_of
from embedded.health.api import Api
from embedded.health.deployed import Json, Kind
from embedded.health.readiness import condition

CLAIM, NODE, VOLUME = Kind("v1", "PersistentVolumeClaim"), Kind("v1", "Node"), Kind("v1", "PersistentVolume")


def gone(api: Api, pods: Iterable[Json]) -> list[str]:
    """Return what pods have to do with nodes that aren't ready, and the way out.

    Raises:
        ApiError: Nodes or volumes may not be seen, or there is no answer.
    """
    waiting = [pod for pod in pods if condition(pod, "Ready").get("status") != "True"]
    unready = unready_nodes(api) if waiting else {}
    if not unready:
        return []
    told = [
        f"a pod is on node {name}, which isn't ready ({unready[name]}){_replaced(pod)}"
        for pod in waiting
        if (name := (pod.get("spec") or {}).get("nodeName")) in unready and not pod["metadata"].get("deletionTimestamp")
    ]
    for namespace, claim in dict.fromkeys(each for pod in waiting for each in _claims(pod)):
        tied = _nodes(api, namespace, claim)
        if tied and tied <= unready.keys():
            name = min(tied)
            told.append(
                f"the volume of claim {namespace}/{claim} is on node {name}, which isn't ready ({unready[name]}): "
                "start that node again (script/up does, on the embedded cluster); or, if it is gone for good, and with "
                f"it what was in the volume: kubectl delete node {name}; kubectl delete pvc -n {namespace} {claim}; "
                "then `pulumi up --refresh`"
            )
    return told


def _replaced(pod: Json) -> str:
    # Others are replaced when it is known that they have ended, which nobody there can tell.
    owners = {each["kind"] for each in pod["metadata"].get("ownerReferences") or ()}
    return ": if that lasts for five minutes, another one comes" if "ReplicaSet" in owners else ""


def unready_nodes(api: Api) -> dict[str, str]:
    """Return the names of the nodes that aren't ready, each with the reason.

    Raises:
        ApiError: Nodes may not be seen, or there is no answer.
    """
    return {node["metadata"]["name"]: why for node in api.objects(NODE, None) if (why := _why(node))}


def _why(node: Json) -> str:
    """Why a node isn't ready; empty if it is."""
    ready = condition(node, "Ready")
    if ready.get("status") == "True":
        return ""
    # Of a node that doesn't report, Kubernetes says "Kubelet stopped posting node status."
    return str(ready.get("message") or "it has never been").rstrip(".")


def _claims(pod: Json) -> list[tuple[str, str]]:
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    named = [(each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes]
    return [(pod["metadata"]["namespace"], name) for name in named if name]


def _nodes(api: Api, namespace: str, claim: str) -> set[str]:
    """Names of the nodes that alone can have the volume of a claim."""
    bound = ((api.get(CLAIM, namespace, claim) or {}).get("spec") or {}).get("volumeName")
    volume = api.get(VOLUME, None, bound) if bound else None
    return nodes_of(volume) if volume else set()
