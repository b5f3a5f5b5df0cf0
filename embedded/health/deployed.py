"""What a stack has deployed, from its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A JSON object, as Pulumi's state and the Kubernetes API have it."""

COMPONENT = "inspiration:index:"
"""What the types of the stack's components begin with."""

PLUGIN = "kubernetes:"
"""What the types of Kubernetes objects begin with."""


@dataclass(frozen=True)
class Kind:
    """A Kubernetes kind."""

    api_version: str
    """Group and version, such as ``apps/v1``; ``v1`` for the core group."""
    name: str
    """Such as ``Deployment``."""


@dataclass(frozen=True)
class Object:
    """A Kubernetes object that the stack has deployed."""

    kind: Kind
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.name} {self.name}"


@dataclass
class Component:
    """A component of the stack, with all that is below it."""

    name: str
    url: str | None = None
    """Its page, where it has one."""
    objects: list[Object] = field(default_factory=list)
    certificates: dict[str, datetime] = field(default_factory=dict)
    """When each expires, by resource."""
    type: str = ""
    """Such as ``Site``."""
    outputs: Json = field(default_factory=dict)
    """What it has registered."""


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
        kind, outputs = owner["type"].removeprefix(COMPONENT), owner.get("outputs") or {}
        component = found.setdefault(owner["urn"], Component(name, urls.get(name), type=kind, outputs=outputs))
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
    """The object that a resource is, or has patched."""
    if not resource.get("custom") or not resource["type"].startswith(PLUGIN):
        return None
    group_version, _, token = resource["type"].removeprefix(PLUGIN).rpartition(":")
    inputs = resource.get("inputs") or {}
    # A Helm release is no object, and a List is no object of its own.
    if group_version.startswith("helm.sh/") or (token.endswith("List") and "items" in inputs):
        return None
    # What the inputs say comes first: a custom kind's name may well end in Patch. A secret there isn't a string.
    api_version, name = inputs.get("apiVersion"), inputs.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str):
        api_version, name = group_version.removeprefix("core/"), token.removesuffix("Patch")
    namespace, _, called = resource["id"].rpartition("/")
    return Object(Kind(api_version, name), namespace or None, called)
