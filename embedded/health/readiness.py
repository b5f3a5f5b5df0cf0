"""When an object is ready: pure functions of the object and of what it depends on.

The rules are those of ``kubectl rollout status`` and of pulumi-kubernetes' documentation ("await logic").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from embedded.health.deployed import Json
from embedded.health.related import Others, default_storage_class, group_kind, ingress_services, wants_endpoints

Rule: TypeAlias = Callable[[Json, Others], str | None]
"""What an object waits for, or why it never becomes ready; ``None``: it is."""


def unready(live: Json, others: Others) -> str | None:
    """Why ``live`` isn't ready; ``None`` if it is."""
    return _RULES.get(group_kind(live), _by_condition)(live, others)


def condition(live: Json, name: str) -> Json:
    """A condition of an object's status; empty if it isn't there."""
    # What a custom resource has there may be anything.
    status = live.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    found = conditions if isinstance(conditions, list) else []
    return next((each for each in found if isinstance(each, dict) and each.get("type") == name), {})


def _is(live: Json, name: str, value: str = "True") -> bool:
    return bool(condition(live, name).get("status") == value)


def _why(told: Json) -> object:
    """The reason that a condition, or a status, gives."""
    return told.get("message") or told.get("reason")


def _count(live: Json, name: str) -> int:
    return int((live.get("status") or {}).get(name) or 0)


def _replicas(live: Json) -> int:
    wanted = (live.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def _seen(rule: Rule) -> Rule:
    """A rule for what its controller has seen as it is now; before that the status is of an earlier time."""

    def checked(live: Json, others: Others) -> str | None:
        if _count(live, "observedGeneration") < int(live["metadata"].get("generation") or 0):
            return "its controller hasn't seen the change yet"
        return rule(live, others)

    return checked


def _deployment(live: Json, others: Others) -> str | None:
    return None if (live.get("spec") or {}).get("paused") else _seen(_rollout)(live, others)


def _rollout(live: Json, _: Others) -> str | None:
    wanted, updated, available = _replicas(live), _count(live, "updatedReplicas"), _count(live, "availableReplicas")
    if condition(live, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        deadline = (live.get("spec") or {}).get("progressDeadlineSeconds", 600)
        return f"{available} of {wanted} pods are available, and nothing moved for {deadline} s"
    if updated < wanted:
        return f"{updated} of {wanted} pods are made from the new template"
    if (old := _count(live, "replicas") - updated) > 0:
        return f"{old} pods of the old template are still there"
    return f"{available} of {wanted} pods are available" if available < wanted else None


def _stateful_set(live: Json, _: Others) -> str | None:
    strategy = (live.get("spec") or {}).get("updateStrategy") or {}
    wanted, ready, updated = _replicas(live), _count(live, "readyReplicas"), _count(live, "updatedReplicas")
    if ready < wanted:
        return f"{ready} of {wanted} pods are ready"
    status = live.get("status") or {}
    if strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision"):
        return None
    to_update = wanted - int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    return f"{updated} of {to_update} pods are updated" if updated < to_update else None


def _daemon_set(live: Json, _: Others) -> str | None:
    wanted, available = _count(live, "desiredNumberScheduled"), _count(live, "numberAvailable")
    updated = _count(live, "updatedNumberScheduled")
    on_delete = ((live.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and updated < wanted:
        return f"{updated} of {wanted} nodes have an updated pod"
    return f"{available} of {wanted} nodes have an available pod" if available < wanted else None


def _replica_set(live: Json, _: Others) -> str | None:
    wanted, ready = _replicas(live), _count(live, "readyReplicas")
    return f"{ready} of {wanted} pods are ready" if ready < wanted else None


def _job(live: Json, _: Others) -> str | None:
    spec = live.get("spec") or {}
    if spec.get("suspend") or _is(live, "Complete"):
        return None
    if _is(live, "Failed"):
        return f"it failed: {_why(condition(live, 'Failed'))}"
    completed, wanted = _count(live, "succeeded"), spec.get("completions") or 1
    return f"{completed} of {wanted} pods have completed, {_count(live, 'active')} are running"


def _pod(live: Json, _: Others) -> str | None:
    status = live.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded" or _is(live, "Ready"):
        return None
    if phase == "Failed":
        return f"it failed: {_why(status) or 'a container exited with an error'}"
    return "it has no node yet" if phase == "Pending" and not _is(live, "PodScheduled") else "it isn't ready"


def _has_endpoint(slices: list[Json]) -> bool:
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or []]
    return any((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)


def _has_address(live: Json) -> bool:
    return bool(((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"))


def _is_scaled_to_zero(service: Json, others: Others) -> bool:
    """Whether what runs a Service's pods is told to run none."""
    selector = service["spec"]["selector"].items()
    behind = [
        _replicas(each)
        for each in [*others.get("Deployment", []), *others.get("StatefulSet", [])]
        if selector <= (each["spec"]["template"]["metadata"].get("labels") or {}).items()
    ]
    return bool(behind) and not any(behind)


def _service(live: Json, others: Others) -> str | None:
    if wants_endpoints(live) and not _has_endpoint(others.get("EndpointSlice", [])):
        return None if _is_scaled_to_zero(live, others) else "it has no ready endpoint"
    if live["spec"].get("type") == "LoadBalancer" and not _has_address(live):
        return "it has no load balancer address; does this cluster have load balancers?"
    return None


def _ingress(live: Json, others: Others) -> str | None:
    services = {each["metadata"]["name"]: each for each in others.get("Service", [])}
    for name in ingress_services(live):
        if name not in services:
            return f"its Service {name} doesn't exist"
        slices = [
            each
            for each in others.get("EndpointSlice", [])
            if (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        ]
        if services[name]["spec"].get("type") != "ExternalName" and not _has_endpoint(slices):
            return f"its Service {name} has no ready endpoint"
    return None if _has_address(live) else "no ingress controller has given it an address"


def _claim(live: Json, others: Others) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    storage = default_storage_class(live, others.get("StorageClass", [])) or {}
    # A claim that is bound for its first pod waits for one.
    if phase == "Bound" or (phase == "Pending" and storage.get("volumeBindingMode") == "WaitForFirstConsumer"):
        return None
    return "it lost its volume" if phase == "Lost" else "it isn't bound to a volume"


def _volume(live: Json, _: Others) -> str | None:
    status = live.get("status") or {}
    if status.get("phase") == "Failed":
        return f"it failed: {_why(status)}"
    return None if status.get("phase") in ("Available", "Bound", "Released") else "it isn't available"


def _definition(live: Json, _: Others) -> str | None:
    if _is(live, "NamesAccepted", "False"):
        return f"its names were refused: {_why(condition(live, 'NamesAccepted'))}"
    return None if _is(live, "Established") else "the API doesn't serve it yet"


def _api_service(live: Json, _: Others) -> str | None:
    why = condition(live, "Available").get("message") or "no reason given yet"
    return None if _is(live, "Available") else f"it isn't available: {why}"


def _namespace(live: Json, _: Others) -> str | None:
    return "it is being deleted" if (live.get("status") or {}).get("phase") == "Terminating" else None


def _quota(live: Json, _: Others) -> str | None:
    limits, seen = (live.get("spec") or {}).get("hard") or {}, (live.get("status") or {}).get("hard") or {}
    return None if limits.keys() <= seen.keys() else "the quota controller hasn't counted yet"


def _secret(live: Json, _: Others) -> str | None:
    is_token = live.get("type") == "kubernetes.io/service-account-token"
    return "it has no token yet" if is_token and not (live.get("data") or {}).get("token") else None


def _route(live: Json, _: Others) -> str | None:
    """A route has its conditions for each Gateway that has looked at it."""
    parents = (live.get("status") or {}).get("parents") or []
    if not parents:
        return "no Gateway has taken it"
    for parent in parents:
        for name in ("Accepted", "ResolvedRefs"):
            told = condition({"status": parent}, name)
            if told.get("status") != "True":
                return (
                    f"the Gateway {parent['parentRef']['name']} doesn't serve it: {_why(told) or f'it is not {name}'}"
                )
    return None


def _by_condition(live: Json, _: Others) -> str | None:
    """The convention for custom resources. What has no such condition is ready as soon as it exists."""
    ready = condition(live, "Ready")
    return str(_why(ready) or "its condition Ready isn't True") if ready.get("status", "True") != "True" else None


_RULES: dict[tuple[str, str], Rule] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _seen(_replica_set),
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("apps", "DaemonSet"): _seen(_daemon_set),
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _seen(_replica_set),
    ("apps", "StatefulSet"): _seen(_stateful_set),
    ("batch", "Job"): _job,
    ("gateway.networking.k8s.io", "HTTPRoute"): _route,
    ("networking.k8s.io", "Ingress"): _ingress,
}
