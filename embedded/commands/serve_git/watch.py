"""What becomes of the pods of an update, seen before its deadline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from embedded.commands import deployment
from embedded.commands.serve_git.pulumi import Pulumi, say
from embedded.errors import Failure
from embedded.health.api import POD, Api, ApiError
from embedded.health.causes import explain, from_pods
from embedded.health.deployed import Component, Json, Kind
from embedded.health.readiness import condition

_DEPLOYMENT = Kind("apps/v1", "Deployment")
PAUSE = 2
"""Seconds between two looks."""
CRASHES = 3
"""Ends of a container after which it is given up. One that waits for its database may need two."""
LOOKS = 5
"""How often in a row a container that can't start is seen before it is given up: what it needs may yet come."""
_CRASHED = "CrashLoopBackOff"
_USUAL = frozenset({None, "ContainerCreating", "PodInitializing", _CRASHED})
"""Reasons why a container waits that don't tell that it can't start."""


class Watch:
    """Ends an update as soon as a new pod of a site shows that it won't become ready, or its deadline is over.

    Pulumi waits for ten minutes in any case.

    Args:
        stack: Name of a stack of the user's own; by default, that of the embedded cluster.
        deployed: What the stack has deployed so far.
    """

    cause: str = ""
    """Why an update was ended; empty: it wasn't."""

    def __init__(self, stack: str | None, deployed: Iterable[Component]) -> None:
        self.stack = stack
        self._namespaces = deployment.site_namespaces(deployed)

    @contextmanager
    def started(self, pulumi: Pulumi) -> Iterator[None]:
        """Watch for the length of a block, in which an update runs."""
        over = Event()
        thread = Thread(target=self._watch, args=(pulumi, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, pulumi: Pulumi, over: Event) -> None:
        try:
            api = deployment.api_server(self.stack)
            before = {_uid(pod) for pod in self._all(api, POD)}
            exceeded_before = {"", *map(_exceeded, self._all(api, _DEPLOYMENT))}
            seen: Counter[str] = Counter()
            while not over.wait(PAUSE):
                # A broken version that was pushed before, and interrupted, is the new one when it is pushed again.
                waited = {self._namespaces.get(site) for site in pulumi.waits_for}
                pods = [
                    pod
                    for pod in self._all(api, POD)
                    if _uid(pod) not in before or pod["metadata"]["namespace"] in waited
                ]
                if pod := hopeless(pods, seen):
                    self.cause = told(pod)
                else:
                    late = (each for each in self._all(api, _DEPLOYMENT) if _exceeded(each) not in exceeded_before)
                    self.cause = next((condition(each, "Progressing").get("message", "") for each in late), "")
                if self.cause:
                    pulumi.end()
                    for line in explain(api, pod, {}) if pod else ():
                        say(line)
                    return
        except (ApiError, Failure):
            return  # Pulumi's own deadline remains.

    def _all(self, api: Api, kind: Kind) -> list[Json]:
        """The objects of a kind in the namespaces of the sites, as each is read alone."""
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return [{**head, **each} for namespace in self._namespaces.values() for each in api.objects(kind, namespace)]


def _uid(live: Json) -> str:
    return str(live["metadata"]["uid"])


def _exceeded(workload: Json) -> str:
    """When a Deployment was found to make no progress, and which; empty: it wasn't."""
    progressing = condition(workload, "Progressing")
    is_late = progressing.get("reason") == "ProgressDeadlineExceeded"
    return f"{_uid(workload)} {progressing.get('lastUpdateTime')}" if is_late else ""


def hopeless(pods: Iterable[Json], seen: Counter[str]) -> Json | None:
    """Return a pod that won't become ready, as far as can be told.

    Args:
        pods: Those of the update.
        seen: How often in a row each has been found unable to start, by its uid; kept here.
    """
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        states = (pod.get("status") or {}).get("containerStatuses") or []
        reasons = {((each.get("state") or {}).get("waiting") or {}).get("reason") for each in states}
        if _CRASHED in reasons and any(each.get("restartCount", 0) >= CRASHES - 1 for each in states):
            return pod
        uid = _uid(pod)
        seen[uid] = seen[uid] + 1 if reasons - _USUAL else 0
        if seen[uid] >= LOOKS:
            return pod
    return None


def told(pod: Json) -> str:
    """Say in a line why a pod isn't ready."""
    return f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}: {'; '.join(from_pods([pod]))}"
