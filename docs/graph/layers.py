"""The places of the components: in layers from top to bottom, each after all that it waits for, and in columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import combinations, cycle, islice, permutations, product

from docs.graph.model import reduced

COLUMNS = 3
"""Components side by side: as many as fit the width of a page with their resources' names legible."""

CHOICES = 5000
"""Ways to place the components into layers that are looked at, for the one that makes the drawing lowest."""


def placed(heights: Mapping[str, float], edges: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Return the layer and the column of each component.

    Args:
        heights: How high each component is, by its id.
        edges: Each from a component to one that comes after it.

    Raises:
        ValueError: Components wait for each other.
    """
    pairs = sorted(set(edges))
    return _columns(_layers(heights, pairs), pairs)


def _layers(heights: Mapping[str, float], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    before = {box: {a for a, b in edges if b == box} for box in sorted(heights)}
    after = {box: {b for a, b in edges if a == box} for box in before}
    reduced(before)  # for its error
    order = list(TopologicalSorter(before).static_order())
    below: dict[str, int] = {}
    for box in reversed(order):
        below[box] = max((below[other] + 1 for other in after[box]), default=0)

    # What much comes after goes first, and only so many into a layer: the list scheduling of Coffman and Graham. It
    # says how many layers are needed.
    layers: dict[str, int] = {}
    count = 0
    while len(layers) < len(before):
        ready = [box for box in before if box not in layers and before[box] <= layers.keys()]
        for box in sorted(ready, key=lambda box: (-below[box], box))[:COLUMNS]:
            layers[box] = count
        count += 1

    def cost(found: Mapping[str, int]) -> tuple[float, int, list[int]]:
        """Return how high the drawing is, how long its edges are, and what tells it from all others."""
        highest = [max((heights[box] for box in found if found[box] == n), default=0) for n in range(count)]
        return sum(highest), sum((found[b] - found[a]) ** 2 for a, b in edges), [found[box] for box in before]

    order.sort(key=lambda box: (layers[box], box))
    choices = islice(_choices(order, before, below, count, {}), CHOICES)
    best = min((layers, *choices), key=cost)
    used = sorted(set(best.values()))
    return {box: used.index(n) for box, n in best.items()}


def _choices(
    order: Sequence[str],
    before: Mapping[str, set[str]],
    below: Mapping[str, int],
    count: int,
    found: dict[str, int],
) -> Iterator[dict[str, int]]:
    """Yield all ways to place the components of ``order`` into ``count`` layers, after those of ``found``."""
    if not order:
        yield found
        return
    box, *others = order
    for layer in range(max((found[other] + 1 for other in before[box]), default=0), count - below[box]):
        if list(found.values()).count(layer) < COLUMNS:
            yield from _choices(others, before, below, count, {**found, box: layer})


def _columns(layers: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    rows = [sorted(box for box in layers if layers[box] == n) for n in range(max(layers.values()) + 1)]

    def cost(column: Mapping[str, int]) -> tuple[int, list[int]]:
        """Return how much the edges cross each other and lead sideways, and what tells it from all others."""
        crossings = 0
        for (a, b), (c, d) in combinations(edges, 2):
            if max(layers[a], layers[c]) < min(layers[b], layers[d]):
                crossings += (column[a] - column[c]) * (column[b] - column[d]) < 0
        aside = sum(abs(column[a] - column[b]) for a, b in edges)
        return 2 * crossings + aside, [column[box] for row in rows for box in row]

    def improved(column: dict[str, int]) -> dict[str, int]:
        """Return columns of which none is better with one layer rearranged, found by going through the layers."""
        while True:
            found = column
            for row in rows:
                places = permutations(range(COLUMNS), len(row))
                column = min(({**column, **dict(zip(row, n, strict=True))} for n in places), key=cost)
            if column == found:
                return column

    # From several beginnings, as one of them may lead nowhere good.
    orders = list(permutations(range(COLUMNS)))
    beginnings = (
        {box: order[n] for order, row in zip(cycle(both), rows, strict=False) for n, box in enumerate(row)}
        for both in product(orders, repeat=2)
    )
    best = min(map(improved, beginnings), key=cost)
    return {box: (layers[box], best[box]) for box in layers}
