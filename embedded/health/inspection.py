"""What is wrong with the components of a stack."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from embedded.health.api import Api, ApiError
from embedded.health.causes import explain, holding
from embedded.health.deployed import Component, Json, Object, components
from embedded.health.nodes import unready_nodes
from embedded.health.readiness import unready
from embedded.health.related import look
from settings.cluster_reader import CONNECTIONS

EXPIRES_SOON = timedelta(days=14)
"""Each ``pulumi up`` renews certificates months before they expire: one with less left has been forgotten."""

_RUN_PODS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
)


@dataclass(frozen=True)
class Problem:
    """Something that isn't as it should be."""

    what: str
    causes: tuple[str, ...] = ()
    """The most telling first. The last lines of a log are in one, a line each."""


def inspect(deployment: Json, api: Api) -> list[tuple[Component, list[Problem]]]:
    """Return the components of a stack, each with what is wrong with it.

    Args:
        deployment: The ``deployment`` of ``pulumi stack export``.
        api: The API server of the cluster that it is on.

    Raises:
        ApiError: It doesn't answer.
    """
    api.check()
    now, found = datetime.now(UTC), components(deployment)
    objects = list(dict.fromkeys(each for component in found for each in component.objects))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = dict(zip(objects, pool.map(lambda each: _problem(each, api), objects), strict=True))
    inspected = [(each, [*_told_once(each, asked), *expired(each, now)]) for each in found]
    return [*inspected, *_nodes(api)]


def _nodes(api: Api) -> Iterator[tuple[Component, list[Problem]]]:
    """Yield the nodes as a component, if some aren't ready."""
    with suppress(ApiError):  # who may not see them has no use for it either
        if unready := unready_nodes(api):
            yield (
                Component("nodes"),
                [
                    Problem(f"node {name} isn't ready: {why}; on the embedded cluster, script/up starts it again")
                    for name, why in unready.items()
                ],
            )


def _problem(deployed: Object, api: Api) -> Problem | None:
    try:
        live = api.get(deployed.kind, deployed.namespace, deployed.name)
        if live is None:
            return Problem(f"{deployed} is gone; `pulumi up --refresh` makes it again")
        if live["metadata"].get("deletionTimestamp"):
            return Problem(f"{deployed} is being deleted{holding(live)}")
        others = look(api, live)
        why = unready(live, others)
        return Problem(f"{deployed} isn't ready: {why}", tuple(explain(api, live, others))) if why else None
    except ApiError as error:
        return Problem(f"{deployed}: {error}")


def _told_once(component: Component, asked: dict[Object, Problem | None]) -> Iterator[Problem]:
    """The problems of a component's objects, each cause where it is told first."""
    # What runs pods first: why these aren't ready is also why a Service has nobody to answer.
    told: set[str] = set()
    for each in sorted(dict.fromkeys(component.objects), key=lambda each: each.kind.name not in _RUN_PODS):
        if problem := asked[each]:
            yield Problem(problem.what, tuple(cause for cause in problem.causes if cause not in told))
            told.update(problem.causes)


def expired(component: Component, now: datetime) -> Iterator[Problem]:
    """Yield the certificates of a component that don't last long any more."""
    for name, expiry in component.certificates.items():
        if expiry - now < EXPIRES_SOON:
            verb = "expired" if expiry < now else "expires"
            yield Problem(f"the certificate {name} {verb} on {expiry:%Y-%m-%d}; `pulumi up` makes a new one")
