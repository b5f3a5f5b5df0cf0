"""Why an object isn't ready: from its pods, their logs, its conditions and its events."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from embedded.health.api import Api, ApiError
from embedded.health.deployed import Json, Kind
from embedded.health.nodes import gone
from embedded.health.readiness import condition
from embedded.health.related import Others, default_storage_class, group_kind, ingress_services

LOG_LINES = 10
"""How many of a crashed container's last lines are shown."""

_EVENT = Kind("v1", "Event")
_MOST_EVENTS = 3

_NODE = Kind("v1", "Node")
_MOST_NODES = 3
_TAINTED = "untolerated taint"
"""What the scheduler says of nodes, without the taints."""
_TAINTS = {
    "node.kubernetes.io/disk-pressure": "its disk is nearly full: make room",
    "node.kubernetes.io/memory-pressure": "it is short of memory",
    "node.kubernetes.io/network-unavailable": "its network isn't set up",
    "node.kubernetes.io/not-ready": "it isn't ready",
    "node.kubernetes.io/pid-pressure": "it runs too many processes",
    "node.kubernetes.io/unreachable": "its kubelet has stopped reporting",
    "node.kubernetes.io/unschedulable": "it was cordoned: kubectl uncordon",
}
"""Those that Kubernetes sets itself. Source: its documentation, "Well-Known Labels, Annotations and Taints"."""

_NEVER_RAN = ("ContainerCannotRun", "StartError")
"""Reasons for an end before the container's own program began; the message says more than the exit code."""

_FINALIZERS = {
    "customresourcecleanup.apiextensions.k8s.io": "its objects are being deleted",
    "kubernetes.io/pv-protection": "a claim is bound to it",
    "kubernetes.io/pvc-protection": "a pod uses it",
    "service.kubernetes.io/load-balancer-cleanup": "its load balancer is being removed",
}


def holding(live: Json) -> str:
    """What keeps an object that is being deleted, as the end of a sentence; empty if nothing is known to."""
    if group_kind(live) == ("", "Namespace"):
        # Set by the namespace controller: what is left, whose finalizers hold it, which API doesn't answer.
        conditions = (live.get("status") or {}).get("conditions") or []
        if told := [str(each.get("message")) for each in conditions if each.get("status") == "True"]:
            return f": {' '.join(told)}"
    finalizers = live["metadata"].get("finalizers") or []
    if foreign := [each for each in finalizers if each != "foregroundDeletion"]:
        meant = [f"{name} ({_FINALIZERS[name]})" if name in _FINALIZERS else name for name in foreign]
        return f": held by finalizer {', '.join(meant)}"
    return ": its dependents are being deleted first" if finalizers else ""


def explain(api: Api, live: Json, others: Others) -> list[str]:
    """Everything that helps to see why ``live`` isn't ready, the most telling first.

    Asks the API server for events and logs; what it may not see is left out.
    """
    pods = [live] if group_kind(live) == ("", "Pod") else others.get("Pod", [])
    causes = from_pods(pods)
    failure = condition(live, "ReplicaFailure")
    if failure.get("status") == "True":
        causes.append(f"{failure.get('reason')}: {failure.get('message')}")
    causes += _of_kind(live, others)
    # Causes only add to a problem that is told in any case; who may not see nodes may see events.
    with suppress(ApiError):
        causes += gone(api, pods)
    with suppress(ApiError):
        if any(_TAINTED in cause for cause in causes):
            causes += _taints(api)
    with suppress(ApiError):
        if pod := next((pod for pod in pods if _of_pod(pod)), None):
            causes += _logs(api, pod)
            causes += _events(api, pod, only={"Unhealthy", "Failed", "FailedMount", "FailedCreatePodSandBox"})
        causes += _events(api, live)
    return [*dict.fromkeys(causes)]


def from_pods(pods: list[Json]) -> list[str]:
    """What keeps pods from being ready, the same cause once."""
    found = Counter(cause for pod in pods for cause in _of_pod(pod))
    return [cause if count == 1 else f"{cause} (and {count - 1} more pods)" for cause, count in found.items()]


def _of_pod(pod: Json) -> list[str]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or condition(pod, "Ready").get("status") == "True":
        return []
    if status.get("phase") == "Succeeded":
        return []
    if causes := [cause for container in _containers(pod) if (cause := _of_container(container))]:
        return causes
    if status.get("phase") == "Failed":
        return [f"pod failed: {status.get('message') or status.get('reason') or 'no reason given'}"]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [f"no node can take it: {scheduled.get('message') or scheduled.get('reason')}"]
    if not scheduled and not spec.get("nodeName"):
        return [f"no scheduler has chosen a node yet (its schedulerName is {spec.get('schedulerName')})"]
    return []


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _of_container(container: Json) -> str | None:
    name, state = container["name"], container.get("state") or {}
    before = (container.get("lastState") or {}).get("terminated") or {}
    if waits := state.get("waiting"):
        reason, message = waits.get("reason") or "", waits.get("message") or ""
        if reason in ("PodInitializing", "ContainerCreating"):
            return None
        if reason == "CrashLoopBackOff":
            return f"container {name} crashes again and again ({_exit(before)})"
        return f"container {name}: {reason}: {message}" if message else f"container {name}: {reason}"
    if (end := state.get("terminated")) and end.get("exitCode"):
        return f"container {name} crashed ({_exit(end)})"
    if "running" in state and not container.get("ready"):
        restarted = container.get("restartCount")
        return f"container {name} " + (
            f"was restarted ({_exit(before)}) and isn't ready" if restarted else "is running but not ready"
        )
    return None


def _exit(end: Json) -> str:
    reason = f", {end['reason']}" if end.get("reason") not in (None, "Error", "Completed") else ""
    if end.get("reason") in _NEVER_RAN and end.get("message"):
        reason += f": {' '.join(end['message'].split())}"
    return f"exit code {end.get('exitCode', 'unknown')}{reason}"


def _of_kind(live: Json, others: Others) -> list[str]:
    spec = live.get("spec") or {}
    match group_kind(live):
        case ("", "Service") if spec.get("selector") and not others.get("Pod"):
            labels = ",".join(f"{key}={value}" for key, value in spec["selector"].items())
            return [f"no pod in namespace {live['metadata'].get('namespace')} has the labels of its selector, {labels}"]
        case ("networking.k8s.io", "Ingress"):
            return _of_ingress(live, others)
        case ("", "PersistentVolumeClaim"):
            name = spec.get("storageClassName")
            if name != "" and default_storage_class(live, others.get("StorageClass", [])) is None:
                return [f"there is no StorageClass {name}" if name else "the cluster has no default StorageClass"]
    return []


def _of_ingress(live: Json, others: Others) -> list[str]:
    classes = {each["metadata"]["name"]: each for each in others.get("IngressClass", [])}
    name = (live.get("spec") or {}).get("ingressClassName")
    if name and name not in classes:
        there = f"there are {', '.join(sorted(classes))}" if classes else "the cluster has none"
        return [f"there is no IngressClass {name} ({there})"]
    if not name and not any(
        (each["metadata"].get("annotations") or {}).get("ingressclass.kubernetes.io/is-default-class") == "true"
        for each in classes.values()
    ):
        return ["it names no ingressClassName, and the cluster has no default IngressClass"]
    missing = set(ingress_services(live)) - {each["metadata"]["name"] for each in others.get("Service", [])}
    if not missing and name:
        return [f"its controller would be {classes[name]['spec'].get('controller')}; check that it runs"]
    return []


def _taints(api: Api) -> list[str]:
    """Which taints keep pods off the nodes, and what those that are well known mean."""
    found = []
    for node in api.objects(_NODE, None)[:_MOST_NODES]:
        for taint in (node.get("spec") or {}).get("taints") or []:
            if taint.get("effect") != "PreferNoSchedule":
                meaning = f" ({_TAINTS[taint['key']]})" if taint["key"] in _TAINTS else ""
                found.append(f"node {node['metadata']['name']} has the taint {taint['key']}{meaning}")
    return found


def _logs(api: Api, pod: Json) -> list[str]:
    """The last lines of the containers that crashed."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    causes = []
    for container in _containers(pod):
        ended = (container.get("state") or {}).get("terminated")
        restarted = (container.get("lastState") or {}).get("terminated")
        if not (ended or restarted) or container.get("ready") or (ended and not ended.get("exitCode")):
            continue
        if lines := api.log(namespace, name, container["name"], previous=not ended, lines=LOG_LINES):
            last = "\n".join(f"    {line}" for line in lines)
            causes.append(f"last lines of container {container['name']} in pod {name}:\n{last}")
    return causes


def _events(api: Api, live: Json, only: set[str] | None = None) -> list[str]:
    """The latest warnings about an object."""
    metadata = live["metadata"]
    selector = f"involvedObject.uid={metadata.get('uid')},type=Warning"
    found = api.objects(_EVENT, metadata.get("namespace") or "default", fieldSelector=selector)
    events = [event for event in found if only is None or event.get("reason") in only]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    # The latest of each reason: attempts that fail again and again differ in a name at most.
    latest = {event.get("reason"): str(event.get("message")).strip() for event in events}
    return [f"{reason}: {message}" for reason, message in latest.items()][-_MOST_EVENTS:]
