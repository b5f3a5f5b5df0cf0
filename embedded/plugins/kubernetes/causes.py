"""Why an object isn't ready: from its pods, their logs, its conditions and its events."""

from collections import Counter
from typing import TYPE_CHECKING

from .errors import Json, PluginError
from .kinds import Kind
from .readiness import Others, condition
from .related import default_storage_class, ingress_services

if TYPE_CHECKING:
    from .client import Client

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


def from_pods(pods: list[Json]) -> list[str]:
    """What keeps pods from being ready, the same cause once."""
    found = Counter(cause for pod in pods for cause in _of_pod(pod))
    return [cause if count == 1 else f"{cause} (and {count - 1} more pods)" for cause, count in found.items()]


def _of_pod(pod: Json) -> list[str]:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or condition(pod, "Ready").get("status") == "True":
        return []
    if status.get("phase") == "Succeeded":
        return []
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    causes = [cause for container in containers if (cause := _of_container(container))]
    if causes:
        return causes
    if status.get("phase") == "Failed":
        return [f"pod failed: {status.get('message') or status.get('reason') or 'no reason given'}"]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [f"no node can take it: {scheduled.get('message') or scheduled.get('reason')}"]
    if not scheduled and not (pod.get("spec") or {}).get("nodeName"):
        scheduler = (pod.get("spec") or {}).get("schedulerName")
        return [f"no scheduler has chosen a node yet (its schedulerName is {scheduler})"]
    return []


def _of_container(container: Json) -> str | None:
    name, state = container["name"], container.get("state") or {}
    if waits := state.get("waiting"):
        reason, message = waits.get("reason") or "", waits.get("message") or ""
        if reason in ("PodInitializing", "ContainerCreating"):
            return None
        if reason == "CrashLoopBackOff":
            end = (container.get("lastState") or {}).get("terminated") or {}
            return f"container {name} crashes again and again ({_exit(end)})"
        return f"container {name}: {reason}: {message}" if message else f"container {name}: {reason}"
    if (end := state.get("terminated")) and end.get("exitCode"):
        return f"container {name} crashed ({_exit(end)})"
    if "running" in state and not container.get("ready") and container.get("restartCount"):
        end = (container.get("lastState") or {}).get("terminated") or {}
        return f"container {name} was restarted ({_exit(end)}) and isn't ready"
    if "running" in state and not container.get("ready"):
        return f"container {name} is running but not ready"
    return None


def _exit(end: Json) -> str:
    reason = f", {end['reason']}" if end.get("reason") not in (None, "Error", "Completed") else ""
    if end.get("reason") in _NEVER_RAN and end.get("message"):
        reason += f": {' '.join(end['message'].split())}"
    return f"exit code {end.get('exitCode', 'unknown')}{reason}"


def _pods(live: Json, others: Others) -> list[Json]:
    return [live] if live["kind"] == "Pod" else others.get("Pod", [])


def visible(live: Json, others: Others) -> list[str]:
    """What an object and its pods say themselves, without asking the API server."""
    found = from_pods(_pods(live, others))
    failure = condition(live, "ReplicaFailure")
    if failure.get("status") == "True":
        found.append(f"{failure.get('reason')}: {failure.get('message')}")
    return found


async def explain(client: "Client", live: Json, others: Others) -> list[str]:
    """Everything that helps to see why ``live`` isn't ready, the most telling first.

    Asks the API server for events and logs; what it may not see is left out.
    """
    pods = _pods(live, others)
    causes = visible(live, others) + _of_kind(live, others)
    try:
        if any(_TAINTED in cause for cause in causes):
            causes += await _taints(client)
        for pod in _most_telling(pods):
            causes += await _of_logs(client, pod)
            causes += await _events(client, pod, only={"Unhealthy", "Failed", "FailedMount", "FailedCreatePodSandBox"})
        causes += await _events(client, live)
    except PluginError:
        pass  # Causes only add to an error that is reported in any case.
    return [*dict.fromkeys(causes)]


def _most_telling(pods: list[Json]) -> list[Json]:
    return [pod for pod in pods if _of_pod(pod)][:1]


def _of_kind(live: Json, others: Others) -> list[str]:
    spec = live.get("spec") or {}
    namespace = live["metadata"].get("namespace")
    if live["kind"] == "Service" and spec.get("selector") and not others.get("Pod"):
        labels = ",".join(f"{key}={value}" for key, value in spec["selector"].items())
        return [f"no pod in namespace {namespace} has the labels of its selector, {labels}"]
    if live["kind"] == "Ingress":
        return _of_ingress(live, others)
    if live["kind"] == "PersistentVolumeClaim":
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


async def _taints(client: "Client") -> list[str]:
    """Which taints keep pods off the nodes, and what those that are well known mean."""
    nodes = (await client.list_objects(_NODE, None)).get("items") or []
    found = []
    for node in nodes[:_MOST_NODES]:
        for taint in (node.get("spec") or {}).get("taints") or []:
            if taint.get("effect") != "PreferNoSchedule":
                meaning = f" ({_TAINTS[taint['key']]})" if taint["key"] in _TAINTS else ""
                found.append(f"node {node['metadata']['name']} has the taint {taint['key']}{meaning}")
    return [*dict.fromkeys(found)]


async def _of_logs(client: "Client", pod: Json) -> list[str]:
    """The last lines of the containers that crashed."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    causes = []
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        ended = (container.get("state") or {}).get("terminated")
        restarted = (container.get("lastState") or {}).get("terminated")
        if not (ended or restarted) or container.get("ready") or (ended and not ended.get("exitCode")):
            continue
        lines = await client.log_tail(
            metadata["namespace"], metadata["name"], container["name"], previous=not ended, lines=LOG_LINES
        )
        if lines:
            last = "\n".join(f"    {line}" for line in lines)
            causes.append(f"last lines of container {container['name']} in pod {metadata['name']}:\n{last}")
    return causes


async def _events(client: "Client", live: Json, only: set[str] | None = None) -> list[str]:
    """The latest warnings about an object."""
    metadata = live["metadata"]
    selector = f"involvedObject.uid={metadata.get('uid')},type=Warning"
    listed = await client.list_objects(_EVENT, metadata.get("namespace") or "default", fieldSelector=selector)
    events = [event for event in listed.get("items") or [] if only is None or event.get("reason") in only]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    # The latest of each reason: attempts that fail again and again differ in a name at most.
    latest = {event.get("reason"): str(event.get("message")).strip() for event in events}
    return [f"{reason}: {message}" for reason, message in latest.items()][-_MOST_EVENTS:]
