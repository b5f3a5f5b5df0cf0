"""The drawing as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from docs.graph import lines as sizes
from docs.graph.layers import placed
from docs.graph.lines import Frame, Plan, Point, Route, height, label_width, planned
from docs.graph.model import Graph, Kind, Row
from docs.graph.rows import Inside, arranged, bundled

TITLE = "The dependency graph of the stack"
SANS = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, 'Liberation Mono', monospace"
BEND = 5
"""Radius of a bend."""
OFFSET = 4
"""Edges leave a row this much below its middle, and reach one as much above."""

COLOURS = {
    "paper": ("fill", "#f5f7fb", "#0a1b33"),
    "frame": ("fill", "#ffffff", "#0e2342"),
    "head": ("fill", "#e9f0fa", "#17345f"),
    "edge": ("stroke", "#1d4f91", "#86b2ff"),
    "ink": ("fill", "#0f2340", "#e8f0ff"),
    "muted": ("fill", "#4a5d7a", "#a8bddd"),
    "data": ("stroke", "#1d4f91", "#86b2ff"),
    "data-head": ("fill", "#1d4f91", "#86b2ff"),
    "order": ("stroke", "#b8430a", "#ffb169"),
    "order-head": ("fill", "#b8430a", "#ffb169"),
    "provider": ("stroke", "#6b7d99", "#7f96ba"),
    "provider-head": ("fill", "#6b7d99", "#7f96ba"),
}
"""By class: what has the colour, by day and by night; those of the site."""

DASHES = {Kind.DATA: "", Kind.ORDER: "5 3.5", Kind.PROVIDER: "1.5 3"}
MEANINGS = {
    Kind.DATA: "an output is an input",
    Kind.ORDER: "depends_on",
    Kind.PROVIDER: "provider",
}


Drawn = tuple[str, str, list[Point], Point]
"""An edge: ids of its ends, the points that it leads along, and where the head of its arrow is."""


def drawn(graph: Graph) -> str:
    """Return the drawing of a graph as an SVG document; the same graph gives the same text.

    Each resource is an element with its ``id``, each edge one with ``data-from``, ``data-to`` and ``data-kind``.

    Raises:
        ValueError: Components wait for each other.
    """
    home = graph.home()
    lines = bundled(graph)
    insides = {box.id: arranged(box, graph.edges, lines) for box in graph.boxes}
    heights = {box: height(inside) for box, inside in insides.items()}
    places = placed(heights, {(line.source, home[target]) for line in lines for target in line.targets})
    plan = planned(insides, places, lines, home)
    kinds = [kind for kind in Kind if any(edge.kind is kind for edge in graph.edges)]
    boxes = sorted(graph.boxes, key=lambda box: places[box.id])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(plan.width)}" height="{_n(plan.height)}" '
        f'viewBox="0 0 {_n(plan.width)} {_n(plan.height)}" role="img" aria-labelledby="title description" '
        f'font-family="{SANS}">',
        f'<title id="title">{TITLE}</title>',
        f'<desc id="description">{escape(described(graph))}</desc>',
        _style(),
        f'<rect {_coloured("paper")} width="100%" height="100%" rx="6"/>',
        *_heading(graph, kinds, plan.width),
        *(part for box in boxes for part in _box(insides[box.id], plan.frames[box.id])),
        *(part for kind in reversed(kinds) for part in _lines(kind, insides, plan)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def described(graph: Graph) -> str:
    """Return in words what the drawing shows, as far as components go."""
    home, names = graph.home(), {box.id: box.title or box.rows[0].type for box in graph.boxes}
    after = sorted({(names[home[edge.target]], names[home[edge.source]]) for edge in graph.edges})
    return " ".join(f"{target} comes after {source}." for target, source in after if target != source)


def _style() -> str:
    # By day the colours are in the elements themselves: a web server may forbid styles in a document (CSP style-src).
    rules = "".join(f".{name}{{{what}:{night}}}" for name, (what, _, night) in COLOURS.items())
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"


def _coloured(name: str) -> str:
    what, day, _ = COLOURS[name]
    return f'class="{name}" {what}="{day}"'


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _text(x: float, y: float, text: str, *, size: float, colour: str = "ink", more: str = "") -> str:
    # On the baseline that puts the middle of the letters at y.
    place = f'x="{_n(x)}" y="{_n(y + size * 0.35)}" font-size="{_n(size)}"'
    return f"<text {_coloured(colour)} {place}{more and ' '}{more}>{escape(text)}</text>"


def _heading(graph: Graph, kinds: Sequence[Kind], width: float) -> Iterator[str]:
    resources, components = sum(len(box.rows) for box in graph.boxes), sum(bool(box.title) for box in graph.boxes)
    left = sizes.MARGIN
    yield _text(left, 24, TITLE, size=16, more='font-weight="700"')
    yield _text(left, 43, f"{resources} resources in {components} components", size=12, colour="muted")
    x = width - left
    for kind in reversed(kinds):
        x -= len(MEANINGS[kind]) * 11.5 * 0.6
        yield _text(x, 43, MEANINGS[kind], size=11.5, colour="muted")
        yield from _line(kind, [(x - 34, 43), (x - 8, 43)])
        yield _head(kind, (x - 8, 43))
        x -= 34 + 18


def _box(inside: Inside, frame: Frame) -> Iterator[str]:
    box, column = inside.box, frame.column
    across, down = column.end - column.x, frame.bottom - frame.top
    place = f'x="{_n(column.x)}" y="{_n(frame.top)}" width="{_n(across)}" height="{_n(down)}" rx="4"'
    at_end = f'text-anchor="end" font-family="{MONO}"'
    yield f"<g id={quoteattr(box.id)}>"
    yield f"<rect {_coloured('frame')} {place}/>"
    if box.title:
        edge = sizes.HEAD - 4
        top = f"M{_n(column.x)} {_n(frame.top + edge)}v{4 - edge}q0-4 4-4h{_n(across - 8)}q4 0 4 4v{edge - 4}z"
        yield f'<path {_coloured("head")} d="{top}"/>'
        middle, bold = frame.top + edge / 2, f'font-weight="700" font-family="{MONO}"'
        yield _text(column.left + 3, middle, box.title, size=sizes.TITLE, more=bold)
        if box.label:
            yield _text(column.end - 10, middle, box.label, size=sizes.NAME, colour="muted", more=at_end)
    yield f'<rect {_coloured("edge")} fill="none" stroke-width="1.25" {place}/>'
    for index, row in enumerate(inside.rows):
        yield f"<g id={quoteattr(row.id)} data-type={quoteattr(row.type)}>"
        yield _text(column.left + 3, frame.row(index), row.type, size=sizes.LABEL)
        if row.label:
            yield _text(column.right, frame.row(index), row.label, size=sizes.NAME, colour="muted", more=at_end)
        yield "</g>"
    yield "</g>"


def _lines(kind: Kind, insides: Mapping[str, Inside], plan: Plan) -> Iterator[str]:
    edges = [edge for box, inside in insides.items() for edge in _inner(kind, inside, plan.frames[box])]
    edges += [edge for route in plan.routes if route.line.kind is kind for edge in _outer(route, insides, plan)]
    for source, target, points, _ in edges:
        yield from _line(kind, points, source, target)
    for tip in dict.fromkeys(tip for _, _, _, tip in edges):
        yield _head(kind, tip, down=kind is Kind.PROVIDER)


def _inner(kind: Kind, inside: Inside, frame: Frame) -> Iterator[Drawn]:
    """Yield the edges within a component."""
    for rail in inside.left:
        if rail.line is None and rail.kind is kind:
            [source] = rail.sources
            x = frame.column.left_lane(rail.lane)
            start = [(frame.column.left, frame.row(source) + OFFSET), (x, frame.row(source) + OFFSET)]
            for target in rail.targets:
                end = _into(frame, target, rail.lane)
                yield inside.rows[source].id, inside.rows[target].id, [*start, *end], end[-1]
                # The next one branches off where this one bends away.
                start = [(x, end[0][1] - BEND)]


def _outer(route: Route, insides: Mapping[str, Inside], plan: Plan) -> Iterator[Drawn]:
    """Yield the edges that a line between components stands for."""
    line = route.line
    start, end, first = insides[line.source], insides[route.target], plan.frames[line.source]
    leaving = next(rail for rail in start.right if rail.line == line)
    entering = next((rail for rail in end.left if rail.line == line), None)
    way = list(route.points)
    if entering:
        way += _into(plan.frames[route.target], entering.targets[0], entering.lane)
    x, tip = way[0][0], way[-1]
    for source in leaving.sources:
        row = start.rows[source]
        y = first.row(source) + OFFSET
        # The others join the first.
        rest = way if source == leaving.sources[0] else [(x, y + 2 * BEND)]
        yield row.id, line.targets[0] if entering else route.target, [(_end(row, first), y), (x, y), *rest], tip


def _end(row: Row, frame: Frame) -> float:
    """Return where the words of a row end."""
    return frame.column.right + 3 if row.label else frame.column.left + label_width(row) + 6


def _into(frame: Frame, row: int, lane: int) -> list[Point]:
    y = frame.row(row) - OFFSET
    return [(frame.column.left_lane(lane), y), (frame.column.left, y)]


def _line(kind: Kind, points: Sequence[Point], source: str = "", target: str = "") -> Iterator[str]:
    dashes = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
    data = f" data-from={quoteattr(source)} data-to={quoteattr(target)} data-kind={quoteattr(kind)}" if source else ""
    yield f'<path {_coloured(kind)} fill="none" stroke-width="1.3"{dashes}{data} d="{_path(points)}"/>'


def _path(points: Iterable[Point]) -> str:
    """Return the path along points, with round bends."""
    corners: list[Point] = []
    for point in points:
        if len(corners) > 1 and _in_line(corners[-2], corners[-1], point):
            corners.pop()
        if not corners or corners[-1] != point:
            corners.append(point)
    text = f"M{_n(corners[0][0])} {_n(corners[0][1])}"
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        radius = min(BEND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        text += f"L{_n(start[0])} {_n(start[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}"
    return f"{text}L{_n(corners[-1][0])} {_n(corners[-1][1])}"


def _in_line(a: Point, b: Point, c: Point) -> bool:
    return a[0] == b[0] == c[0] or a[1] == b[1] == c[1]


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Point, b: Point, length: float) -> Point:
    """Return the point that is ``length`` from ``a`` towards ``b``; all lines are level or upright."""
    whole = _distance(a, b) or 1
    return (a[0] + (b[0] - a[0]) * length / whole, a[1] + (b[1] - a[1]) * length / whole)


def _head(kind: Kind, tip: Point, *, down: bool = False) -> str:
    shape = "l-3.2-6h6.4z" if down else "l-6-3.2v6.4z"
    return f'<path {_coloured(f"{kind}-head")} d="M{_n(tip[0])} {_n(tip[1])}{shape}"/>'
