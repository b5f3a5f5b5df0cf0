"""When an object is ready: pure functions of the object and of what it depends on.

The rules are those of ``kubectl rollout status`` and of pulumi-kubernetes' documentation ("await logic").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import Json
from .kinds import Kind
from .related import default_storage_class, ingress_services, wants_endpoints


@dataclass(frozen=True)
class Verdict:
    """Whether an object is ready, and what it waits for if it isn't."""

    ready: bool
    message: str = ""
    failed: bool = False
    """It can't become ready any more without a change."""


Others = Mapping[str, list[Json]]
"""The related objects that there are, by kind."""

READY = Verdict(True)


def waiting(message: str) -> Verdict:
    """Not ready yet."""
    return Verdict(False, message)


def failed(message: str) -> Verdict:
    """Never ready."""
    return Verdict(False, message, failed=True)


def evaluate(live: Json, others: Others) -> Verdict:
    """Whether ``live`` is ready; kinds without a rule are ready as soon as they exist."""
    rule = _RULES.get((live["apiVersion"].rpartition("/")[0], live["kind"]))
    return rule(live, others) if rule else READY


def has_rule(kind: Kind) -> bool:
    """Whether objects of a kind take time to become ready."""
    return (kind.group, kind.name) in _RULES


def condition(live: Json, name: str) -> Json:
    """A condition of an object's status; empty if it isn't there."""
    conditions = (live.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == name), {})


def gave_up(live: Json) -> Json:
    """The condition by which a Deployment's controller has given up its progress; empty if it hasn't."""
    found = condition(live, "Progressing")
    return found if found.get("reason") == "ProgressDeadlineExceeded" else {}


def progress_deadline(live: Json) -> int:
    """Seconds after which a Deployment's controller gives up."""
    return int((live.get("spec") or {}).get("progressDeadlineSeconds", 600))


def without(live: Json, unwanted: Json) -> Json:
    """``live`` as it would be without one of its conditions."""
    status = live.get("status") or {}
    conditions = [each for each in status.get("conditions") or [] if each != unwanted]
    return {**live, "status": {**status, "conditions": conditions}}


def _is(live: Json, name: str, value: str = "True") -> bool:
    return condition(live, name).get("status") == value


def _unseen(live: Json) -> bool:
    return int((live.get("status") or {}).get("observedGeneration") or 0) < int(live["metadata"].get("generation") or 0)


_UNSEEN = waiting("its controller hasn't seen the change yet")


def _count(live: Json, name: str) -> int:
    return int((live.get("status") or {}).get(name) or 0)


def _replicas(live: Json) -> int:
    wanted = (live.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def _deployment(live: Json, _: Others) -> Verdict:
    if (live.get("spec") or {}).get("paused"):
        return READY
    if _unseen(live):
        return _UNSEEN
    wanted, updated, available = _replicas(live), _count(live, "updatedReplicas"), _count(live, "availableReplicas")
    if gave_up(live):
        moved = f"nothing moved for {progress_deadline(live)} s"
        return failed(f"{available} of {wanted} pods are available, and {moved}")
    if updated < wanted:
        return waiting(f"{updated} of {wanted} pods are made from the new template")
    if (old := _count(live, "replicas") - updated) > 0:
        return waiting(f"{old} pods of the old template are still there")
    if available < wanted:
        return waiting(f"{available} of {wanted} pods are available")
    return READY


def _stateful_set(live: Json, _: Others) -> Verdict:
    if _unseen(live):
        return _UNSEEN
    strategy = (live.get("spec") or {}).get("updateStrategy") or {}
    wanted, ready = _replicas(live), _count(live, "readyReplicas")
    if ready < wanted:
        return waiting(f"{ready} of {wanted} pods are ready")
    status = live.get("status") or {}
    if strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision"):
        return READY
    to_update = wanted - int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if _count(live, "updatedReplicas") < to_update:
        return waiting(f"{_count(live, 'updatedReplicas')} of {to_update} pods are updated")
    return READY


def _daemon_set(live: Json, _: Others) -> Verdict:
    if _unseen(live):
        return _UNSEEN
    wanted, available = _count(live, "desiredNumberScheduled"), _count(live, "numberAvailable")
    on_delete = ((live.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and _count(live, "updatedNumberScheduled") < wanted:
        return waiting(f"{_count(live, 'updatedNumberScheduled')} of {wanted} nodes have an updated pod")
    if available < wanted:
        return waiting(f"{available} of {wanted} nodes have an available pod")
    return READY


def _replica_set(live: Json, _: Others) -> Verdict:
    if _unseen(live):
        return _UNSEEN
    wanted, ready = _replicas(live), _count(live, "readyReplicas")
    return READY if ready >= wanted else waiting(f"{ready} of {wanted} pods are ready")


def _job(live: Json, _: Others) -> Verdict:
    spec = live.get("spec") or {}
    if spec.get("suspend") or _is(live, "Complete"):
        return READY
    if _is(live, "Failed"):
        why = condition(live, "Failed")
        return failed(f"it failed: {why.get('message') or why.get('reason')}")
    wanted = spec.get("completions") or 1
    return waiting(f"{_count(live, 'succeeded')} of {wanted} pods have completed, {_count(live, 'active')} are running")


def _pod(live: Json, _: Others) -> Verdict:
    status = live.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded" or _is(live, "Ready"):
        return READY
    if phase == "Failed":
        return failed(
            f"it failed: {status.get('message') or status.get('reason') or 'a container exited with an error'}"
        )
    return waiting("it has no node yet" if phase == "Pending" and not _is(live, "PodScheduled") else "it isn't ready")


def _has_endpoint(slices: list[Json]) -> bool:
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or []]
    return any((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)


def _service(live: Json, others: Others) -> Verdict:
    if wants_endpoints(live) and not _has_endpoint(others.get("EndpointSlice", [])):
        return waiting("it has no ready endpoint")
    status = live.get("status") or {}
    if live["spec"].get("type") == "LoadBalancer" and not (status.get("loadBalancer") or {}).get("ingress"):
        return waiting("it has no load balancer address; does this cluster have load balancers?")
    return READY


def _ingress(live: Json, others: Others) -> Verdict:
    services = {each["metadata"]["name"]: each for each in others.get("Service", [])}
    for name in ingress_services(live):
        if name not in services:
            return waiting(f"its Service {name} doesn't exist")
        slices = [
            each
            for each in others.get("EndpointSlice", [])
            if (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        ]
        if services[name]["spec"].get("type") != "ExternalName" and not _has_endpoint(slices):
            return waiting(f"its Service {name} has no ready endpoint")
    if not ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return waiting("no ingress controller has given it an address")
    return READY


def _claim(live: Json, others: Others) -> Verdict:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Bound":
        return READY
    if phase == "Lost":
        return failed("it lost its volume")
    storage = default_storage_class(live, others.get("StorageClass", []))
    if phase == "Pending" and storage and storage.get("volumeBindingMode") == "WaitForFirstConsumer":
        return READY
    return waiting("it isn't bound to a volume")


def _volume(live: Json, _: Others) -> Verdict:
    status = live.get("status") or {}
    if status.get("phase") == "Failed":
        return failed(f"it failed: {status.get('message') or status.get('reason')}")
    return READY if status.get("phase") in ("Available", "Bound", "Released") else waiting("it isn't available")


def _definition(live: Json, _: Others) -> Verdict:
    if _is(live, "NamesAccepted", "False"):
        return failed(f"its names were refused: {condition(live, 'NamesAccepted').get('message')}")
    return READY if _is(live, "Established") else waiting("the API doesn't serve it yet")


def _api_service(live: Json, _: Others) -> Verdict:
    why = condition(live, "Available").get("message")
    return READY if _is(live, "Available") else waiting(f"it isn't available: {why or 'no reason given yet'}")


def _namespace(live: Json, _: Others) -> Verdict:
    phase = (live.get("status") or {}).get("phase")
    return waiting("it is being deleted") if phase == "Terminating" else READY


def _quota(live: Json, _: Others) -> Verdict:
    limits, seen = (live.get("spec") or {}).get("hard") or {}, (live.get("status") or {}).get("hard") or {}
    return READY if limits.keys() <= seen.keys() else waiting("the quota controller hasn't counted yet")


def _secret(live: Json, _: Others) -> Verdict:
    if live.get("type") == "kubernetes.io/service-account-token" and not (live.get("data") or {}).get("token"):
        return waiting("it has no token yet")
    return READY


_RULES: dict[tuple[str, str], Callable[[Json, Others], Verdict]] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _replica_set,
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
}
