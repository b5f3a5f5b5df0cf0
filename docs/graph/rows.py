"""The inside of a component: its resources as rows, with rails beside them for the edges.

On the left of the rows are the rails that lead from row to row, and those that come in from other components, from the
top; on the right those that go out to other components, to the bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from docs.graph.model import Box, Edge, Graph, Kind, Row

BEAM = 400
"""Beginnings of an order that are followed up. Components of up to about ten resources get the best order of all."""


@dataclass(frozen=True, order=True)
class Line:
    """Edges between components that are drawn as one line."""

    source: str
    """Id of a box."""
    sources: tuple[str, ...]
    """Ids of rows in it."""
    targets: tuple[str, ...]
    """Ids of boxes for a provider, else that of one row."""
    kind: Kind


@dataclass(frozen=True)
class Rail:
    """A vertical line beside rows."""

    lane: int
    """0 is the nearest to the rows."""
    sources: tuple[int, ...]
    """Indices of the rows that it comes from; none if it comes from the top."""
    targets: tuple[int, ...]
    """Indices of the rows that it leads to; none if it leads to the bottom."""
    kind: Kind
    line: Line | None = None
    """What it is a part of, if it leads to or from another component."""


@dataclass(frozen=True)
class Inside:
    """A component, arranged."""

    box: Box
    rows: tuple[Row, ...]
    """From top to bottom: what comes first is above what comes after it."""
    left: tuple[Rail, ...]
    right: tuple[Rail, ...]

    @property
    def lanes(self) -> tuple[int, int]:
        """Number of lanes on the left and on the right."""
        left, right = (max((rail.lane + 1 for rail in rails), default=0) for rails in (self.left, self.right))
        return left, right


def bundled(graph: Graph) -> tuple[Line, ...]:
    """Return the lines between components: one for all edges from a component to a row, one for all of a provider."""
    home = graph.home()

    def ends(edge: Edge) -> tuple[str, str, str]:
        return (home[edge.source], edge.kind, edge.source if edge.kind is Kind.PROVIDER else edge.target)

    edges = sorted((edge for edge in graph.edges if home[edge.source] != home[edge.target]), key=ends)
    lines = []
    for (source, kind, _), group in groupby(edges, ends):
        together = list(group)
        rows, targets = ({edge.source for edge in together}, {edge.target for edge in together})
        lines.append(Line(source, tuple(sorted(rows)), tuple(sorted(targets)), Kind(kind)))
    return tuple(sorted(lines))


def arranged(box: Box, edges: Iterable[Edge], lines: Sequence[Line]) -> Inside:
    """Return a component with its rows in the order that needs the shortest rails, and those rails in lanes."""
    ids = {row.id for row in box.rows}
    inner = sorted(edge for edge in edges if edge.source in ids and edge.target in ids)
    incoming = [line for line in lines if line.targets[0] in ids]
    outgoing = [line for line in lines if line.source == box.id]

    # A rail is named by where it comes from and its kind: edges that share both are drawn as one.
    rails: list[tuple[tuple[str, ...], tuple[str, ...], Kind, Line | None]] = [
        ((source,), tuple(edge.target for edge in together), kind, None)
        for (source, kind), together in groupby(
            sorted(inner, key=lambda edge: (edge.source, edge.kind)), lambda edge: (edge.source, edge.kind)
        )
    ]
    rails += [((), line.targets, line.kind, line) for line in incoming]
    leaving = [(line.sources, (), line.kind, line) for line in outgoing]
    order = _order(box.rows, inner, [rail[:2] for rail in (*rails, *leaving)])

    index = {row.id: position for position, row in enumerate(order)}
    placed = [
        (tuple(sorted(index[row] for row in sources)), tuple(sorted(index[row] for row in targets)), kind, line)
        for sources, targets, kind, line in (*rails, *leaving)
    ]
    left = _in_lanes(placed[: len(rails)], len(order), key=lambda span: (span[1] - span[0], span))
    right = _in_lanes(placed[len(rails) :], len(order), key=lambda span: (-span[0], span))
    return Inside(box, order, left, right)


def _order(
    rows: Sequence[Row], edges: Sequence[Edge], rails: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]
) -> tuple[Row, ...]:
    """Return the rows in a topological order with rails as short as can be.

    Built from the top, row by row; the length of all rails is the number of those that pass below each row, in sum. A
    set of rows costs the same to go on from in whatever order it is, so only its cheapest order is kept.
    """
    tied = {row for sources, targets in rails for row in (*sources, *targets)}
    movable = sorted(row for row in rows if row.id in tied)
    bit = {row.id: 1 << number for number, row in enumerate(movable)}
    before = [sum(bit[source] for source in {e.source for e in edges if e.target == row.id}) for row in movable]
    spans = [(sum(bit[row] for row in sources), sum(bit[row] for row in targets)) for sources, targets in rails]

    def passing(done: int) -> int:
        return sum(
            bool((not sources or sources & done) and (not targets or targets & ~done)) for sources, targets in spans
        )

    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for _ in movable:
        longer: dict[int, tuple[int, tuple[int, ...]]] = {}
        for done, (cost, order) in best.items():
            for number, needed in enumerate(before):
                if not done >> number & 1 and needed & done == needed:
                    more = done | 1 << number
                    candidate = (cost + passing(more), (*order, number))
                    longer[more] = min(longer.get(more, candidate), candidate)
        best = dict(sorted(longer.items(), key=lambda item: item[1])[:BEAM])
    [(_, numbers)] = best.values()
    # What no edge leads to or from comes last, where no rail passes it.
    return (*(movable[number] for number in numbers), *sorted(row for row in rows if row.id not in tied))


def _in_lanes(
    rails: Iterable[tuple[tuple[int, ...], tuple[int, ...], Kind, Line | None]],
    bottom: int,
    key: Callable[[tuple[int, int]], object],
) -> tuple[Rail, ...]:
    """Return the rails, each in the nearest lane that is free beside its rows; those of the lowest key choose first."""

    def span(rail: tuple[tuple[int, ...], tuple[int, ...], Kind, Line | None]) -> tuple[int, int]:
        sources, targets, _, _ = rail
        return (sources[0] if sources else -1, targets[-1] if targets else bottom)

    taken: list[list[tuple[int, int]]] = []
    found = []
    for rail in sorted(rails, key=lambda rail: (key(span(rail)), rail[:3])):
        first, last = span(rail)
        free = (n for n, spans in enumerate(taken) if all(end <= first or last <= begin for begin, end in spans))
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((first, last))
        found.append(Rail(lane, *rail))
    return tuple(found)
