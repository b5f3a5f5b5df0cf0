"""The graph that is drawn: components, the resources in them, and the edges that no others imply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from docs.graph.recorded import Resource

COMPONENT = "inspiration:index:"
"""What the types of this project's components begin with."""

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"


class Kind(StrEnum):
    """Why one resource comes after another."""

    DATA = "data"
    """An output of the one is an input of the other."""
    ORDER = "order"
    """The other waits for it, as ``depends_on`` asks."""
    PROVIDER = "provider"
    """It is the provider that makes the other."""


@dataclass(frozen=True, order=True)
class Row:
    """A resource."""

    id: str
    """Type and name: the same in every stack."""
    type: str
    """Last part of its type, such as ``Deployment``."""
    label: str
    """Its name within the component, where that has others of its type; of a provider, the package."""


@dataclass(frozen=True, order=True)
class Box:
    """A component with its resources, or a resource outside components by itself."""

    id: str
    title: str
    """Last part of the component's type; empty for a resource by itself."""
    label: str
    """The component's name, where there are others of its type."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, order=True)
class Edge:
    """From what comes first to what comes after it."""

    source: str
    """Id of a row."""
    target: str
    """Id of a row; that of a box for all in it that a provider makes."""
    kind: Kind


@dataclass(frozen=True)
class Graph:
    """All that is drawn, in an order that depends on nothing else."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]

    def home(self) -> dict[str, str]:
        """Return the id of the box of each row, and of each box itself."""
        return {part: box.id for box in self.boxes for part in (box.id, *(row.id for row in box.rows))}


def graph(recorded: Iterable[Resource]) -> Graph:
    """Return the graph of the resources of a stack.

    Raises:
        ValueError: Two resources have the same type and name, or two components wait for each other.
    """
    resources = {resource.urn: resource for resource in recorded if resource.type != STACK}
    twice = [name for name, times in Counter(map(identity, resources.values())).items() if times > 1]
    if twice:
        raise ValueError(f"{twice[0]}: two resources have this type and name, and would look the same in the drawing")

    def component(urn: str) -> str:
        """Return the URN of the innermost component that a resource is in or is, or its own where there is none."""
        while urn in resources and not resources[urn].type.startswith(COMPONENT):
            outer = resources[urn].parent
            if outer not in resources:
                break
            urn = outer
        return urn

    owned: dict[str, list[Resource]] = {urn: [] for urn in sorted({component(urn) for urn in resources})}
    for urn, resource in resources.items():
        if not resource.type.startswith(COMPONENT):
            owned[component(urn)].append(resource)
    types = Counter(resources[urn].type for urn in owned)
    boxes = tuple(
        sorted(_box(resources[urn], rows, named=types[resources[urn].type] > 1) for urn, rows in owned.items() if rows)
    )
    return Graph(boxes, _edges(resources, boxes, owned))


def identity(resource: Resource) -> str:
    """Return what tells a resource from the others of its stack, and is the same in other stacks."""
    return f"{resource.type}::{resource.name}"


def reduced(before: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return the transitive reduction of a graph, which maps each node to those before it.

    Raises:
        ValueError: The graph has a circle.
    """
    above: dict[str, set[str]] = {}
    try:
        for node in TopologicalSorter(before).static_order():
            above[node] = {far for near in before.get(node, ()) for far in (near, *above[near])}
    except CycleError as error:
        raise ValueError(f"these wait for each other: {', '.join(sorted(set(error.args[1])))}") from error
    return {node: {s for s in near if not any(s in above[other] for other in near)} for node, near in before.items()}


def _box(owner: Resource, resources: list[Resource], *, named: bool) -> Box:
    types = Counter(map(_short, resources))
    rows = []
    for each in resources:
        label = ""
        if each.type.startswith(PROVIDER):
            label = each.type.removeprefix(PROVIDER)
        elif types[_short(each)] > 1:
            label = each.name.removeprefix(f"{owner.name}-")
        rows.append(Row(identity(each), _short(each), label))
    if not owner.type.startswith(COMPONENT):
        return Box(f"{identity(owner)}::box", "", "", tuple(rows))
    return Box(identity(owner), _short(owner), owner.name if named else "", tuple(sorted(rows)))


def _short(resource: Resource) -> str:
    return "Provider" if resource.type.startswith(PROVIDER) else resource.type.rpartition(":")[2]


def _edges(
    resources: Mapping[str, Resource], boxes: tuple[Box, ...], owned: Mapping[str, list[Resource]]
) -> tuple[Edge, ...]:
    home = Graph(boxes, ()).home()
    # Who waits for a component waits for all in it, and what a component waits for, all in it wait for.
    inside = {urn: {identity(each) for each in rows} for urn, rows in owned.items()} | {
        urn: {identity(resource)} for urn, resource in resources.items() if not resource.type.startswith(COMPONENT)
    }
    before: dict[str, set[str]] = {row.id: set() for box in boxes for row in box.rows}
    data: set[tuple[str, str]] = set()
    for urn, resource in resources.items():
        by_data = {other for urns in resource.property_dependencies.values() for other in urns}
        for other in resource.dependencies | by_data:
            pairs = {(source, target) for source in inside.get(other, ()) for target in inside.get(urn, ())}
            for source, target in pairs:
                before[target].add(source)
            if other in by_data:
                data |= pairs
    edges = [
        Edge(source, target, Kind.DATA if (source, target) in data else Kind.ORDER)
        for target, sources in reduced(before).items()
        for source in sources
    ]
    between = {(home[edge.source], home[edge.target]) for edge in edges} - {(box.id, box.id) for box in boxes}
    providers = {
        (identity(resources[provider]), home[row])
        for urn, resource in resources.items()
        if (provider := resource.provider.rpartition("::")[0]) in resources
        for row in inside.get(urn, ())
        if home[identity(resources[provider])] != home[row]
    }
    all_between = between | {(home[source], target) for source, target in providers}
    near = reduced({box.id: {source for source, target in all_between if target == box.id} for box in boxes})
    edges += [
        Edge(source, target, Kind.PROVIDER)
        for source, target in providers
        if home[source] in near[target] and (home[source], target) not in between
    ]
    return tuple(sorted(edges))
