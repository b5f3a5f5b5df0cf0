"""The layout of the drawn graph, whatever the stack."""

import random
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from docs.graph.layers import COLUMNS, placed
from docs.graph.lines import Plan, height, planned
from docs.graph.model import STACK, Graph, graph
from docs.graph.recorded import Resource
from docs.graph.rows import arranged, bundled
from docs.graph.svg import drawn

URN = "urn:pulumi:test::inspiration::"


@st.composite
def stacks(draw: st.DrawFn) -> list[Resource]:
    """Components in a row, with resources that depend on any earlier ones, and some outside components."""
    components = [Resource(f"{URN}C::c{n}", f"inspiration:index:C{n}", STACK) for n in range(draw(st.integers(1, 7)))]
    resources: list[Resource] = []
    for component in (*components, None):
        for number in range(draw(st.integers(0 if component is None else 1, 5))):
            urn = f"{URN}a:b:R::r{len(resources)}"
            earlier: list[str] = [each.urn for each in resources if not each.provider] if component else []
            some: st.SearchStrategy[set[str]]
            some = st.sets(st.sampled_from(earlier), max_size=3) if earlier else st.builds(set)
            data, waits = draw(some), draw(some)
            provider = f"{draw(st.sampled_from(earlier))}::id" if draw(st.booleans()) and earlier else ""
            parent = component.urn if component else STACK
            kind = draw(st.sampled_from(["Deployment", "PersistentVolumeClaim"])) if number else "Namespace"
            resources.append(
                Resource(urn, f"a:b:{kind}", parent, frozenset(data | waits), {"spec": frozenset(data)}, provider)
            )
    return [*components, *resources]


def plan(drawing: Graph) -> Plan:
    lines, home = bundled(drawing), drawing.home()
    insides = {box.id: arranged(box, drawing.edges, lines) for box in drawing.boxes}
    for inside in insides.values():
        above = [row.id for row in inside.rows]
        for edge in drawing.edges:
            if edge.source in above and edge.target in above:
                assert above.index(edge.source) < above.index(edge.target)
    edges = {(line.source, home[target]) for line in lines for target in line.targets}
    places = placed({box: height(inside) for box, inside in insides.items()}, edges)
    assert len(set(places.values())) == len(places)
    assert all(places[before][0] < places[after][0] for before, after in edges)
    assert max(column for _, column in places.values()) < COLUMNS
    return planned(insides, places, lines, home)


@settings(deadline=None)
@given(stacks())
def test_nothing_is_drawn_over_anything_else(stack: list[Resource]) -> None:
    found = plan(graph(stack))
    frames = found.frames
    for one, other in combinations(frames.values(), 2):
        assert one.column.end < other.column.x or other.column.end < one.column.x or (
            one.bottom < other.top or other.bottom < one.top
        )  # fmt: skip
    upright: list[tuple[object, float, float, float]] = []
    level: list[tuple[object, float, float, float]] = []
    for route in found.routes:
        assert route.points[0][1] == frames[route.line.source].bottom
        assert route.points[-1][1] == frames[route.target].top
        for (x, y), (x_, y_) in pairwise(route.points):
            assert x == x_ or y == y_
            for frame in frames.values():
                beside = max(x, x_) <= frame.column.x or frame.column.end <= min(x, x_)
                assert beside or max(y, y_) <= frame.top or frame.bottom <= min(y, y_)
            assert 0 < min(x, x_) <= max(x, x_) < found.width
            assert 0 < min(y, y_) <= max(y, y_) < found.height
            if x == x_:
                upright.append((route.line, x, min(y, y_), max(y, y_)))
            else:
                level.append((route.line, y, min(x, x_), max(x, x_)))
    for stretches in (upright, level):
        for (line, at, begin, end), (line_, at_, begin_, end_) in combinations(stretches, 2):
            assert line == line_ or at != at_ or end < begin_ or end_ < begin


@settings(deadline=None)
@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_the_record_does_not_matter(stack: list[Resource], chance: random.Random) -> None:
    shuffled = list(stack)
    chance.shuffle(shuffled)
    assert drawn(graph(shuffled)) == drawn(graph(stack))
