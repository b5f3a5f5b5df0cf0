"""Whether what the stack has deployed is healthy, and why it isn't.

The stack's state names the objects of each component; how they are is asked of the API server. What healthy means, and
what the causes are, is what the Kubernetes plugin waits for and reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from embedded.plugins.kubernetes import causes, readiness
from embedded.plugins.kubernetes.awaiting import holding, look
from embedded.plugins.kubernetes.client import Client
from embedded.plugins.kubernetes.errors import PluginError
from embedded.plugins.kubernetes.kinds import Form, Kind, describe, is_workload, resolve

Json: TypeAlias = dict[str, Any]

COMPONENT = "inspiration:index:"
"""What the types of the stack's components begin with."""

NAMESPACE = Kind("v1", "Namespace")

EXPIRES_SOON = timedelta(days=14)
"""Each ``pulumi up`` renews certificates months before they expire: one with less left has been forgotten."""


@dataclass(frozen=True)
class Object:
    """A Kubernetes object that the stack has deployed."""

    kind: Kind
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return describe(self.kind.name, self.namespace, self.name)


@dataclass
class Component:
    """A component of the stack, with all that is below it."""

    name: str
    url: str | None = None
    """Its page, where it has one."""
    objects: list[Object] = field(default_factory=list)
    certificates: dict[str, datetime] = field(default_factory=dict)
    """When each expires, by resource."""


@dataclass(frozen=True)
class Problem:
    """Something that isn't as it should be."""

    what: str
    causes: tuple[str, ...] = ()
    """The most telling first. The last lines of a log are in one, a line each."""


def components(deployment: Json) -> list[Component]:
    """Return the components of a stack that run something, in the order in which they were deployed.

    Args:
        deployment: The ``deployment`` of ``pulumi stack export``.
    """
    resources = {each["urn"]: each for each in deployment.get("resources") or []}
    stack: Json = next((each for each in resources.values() if each["type"] == "pulumi:pulumi:Stack"), {})
    outputs = stack.get("outputs") or {}
    urls = {**(outputs.get("addon_urls") or {}), **(outputs.get("site_urls") or {})}
    found: dict[str, Component] = {}
    for resource in resources.values():
        owner = _component(resource, resources)
        # What waits to be deleted, and what is only read, isn't deployed.
        if owner is None or resource.get("delete") or resource.get("external"):
            continue
        name = _name(owner)
        component = found.setdefault(owner["urn"], Component(name, urls.get(name)))
        if deployed := _object(resource):
            component.objects.append(deployed)
        if expiry := (resource.get("outputs") or {}).get("validityEndTime"):
            component.certificates[_name(resource)] = datetime.fromisoformat(expiry)
    return [component for component in found.values() if component.objects or component.certificates]


def _component(resource: Json, resources: dict[str, Json]) -> Json | None:
    """The outermost component that a resource is in."""
    ancestors = [resource, *_ancestors(resource, resources)]
    return next((each for each in reversed(ancestors) if each["type"].startswith(COMPONENT)), None)


def _ancestors(resource: Json, resources: dict[str, Json]) -> Iterator[Json]:
    while resource := resources.get(resource.get("parent", ""), {}):
        yield resource


def _name(resource: Json) -> str:
    return str(resource["urn"]).rpartition("::")[2]


def _object(resource: Json) -> Object | None:
    if not resource.get("custom") or not resource["type"].startswith("kubernetes:"):
        return None
    try:
        kind = resolve(resource["type"], resource.get("inputs") or {})
    except PluginError:
        return None  # a Helm release of the official plugin, which is no object
    if kind.form is Form.LIST:
        return None
    namespace, _, name = resource["id"].rpartition("/")
    return Object(kind, namespace or None, name)


async def problems(component: Component, client: Client, now: datetime) -> list[Problem]:
    """Return what is wrong with a component, each cause once."""
    # What runs pods first: why these aren't ready is also why a Service has nobody to answer.
    ordered = sorted(component.objects, key=lambda each: not is_workload(each.kind))
    asked = await asyncio.gather(*(_problem_of(each, client) for each in ordered))
    told: set[str] = set()
    found = []
    for problem in filter(None, asked):
        found.append(Problem(problem.what, tuple(cause for cause in problem.causes if cause not in told)))
        told.update(problem.causes)
    return [*found, *expired(component, now)]


def expired(component: Component, now: datetime) -> Iterator[Problem]:
    """Yield the certificates of a component that don't last long any more."""
    for name, expiry in component.certificates.items():
        if expiry - now < EXPIRES_SOON:
            verb = "expired" if expiry < now else "expires"
            yield Problem(f"the certificate {name} {verb} on {expiry:%Y-%m-%d}; `pulumi up` makes a new one")


async def _problem_of(deployed: Object, client: Client) -> Problem | None:
    try:
        live = await client.get(deployed.kind, deployed.namespace, deployed.name)
        if live is None:
            return Problem(f"{deployed} is gone; `pulumi up --refresh` makes it again")
        if live["metadata"].get("deletionTimestamp"):
            return Problem(f"{deployed} is being deleted{holding(live)}")
        others = await look(client, live)
        verdict = readiness.evaluate(live, others)
        if verdict.ready:
            return None
        found = await causes.explain(client, live, others)
        return Problem(f"{deployed} isn't ready: {verdict.message}", tuple(found))
    except PluginError as error:
        return Problem(f"{deployed}: {error}")


async def inspect(deployment: Json, client: Client) -> list[tuple[Component, list[Problem]]]:
    """Return the components of a stack, each with what is wrong with it.

    Args:
        deployment: The ``deployment`` of ``pulumi stack export``.
        client: The cluster that it is on.

    Raises:
        PluginError: The API server doesn't answer.
    """
    await client.endpoint(NAMESPACE)
    now, found = datetime.now(UTC), components(deployment)
    return list(zip(found, await asyncio.gather(*(problems(each, client, now) for each in found)), strict=True))
