"""Where everything is on the drawing: the components' frames, and the lines between them, which are led around frames.

Lengths are in units of the drawing, which is shown at about a pixel each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from docs.graph.layers import COLUMNS
from docs.graph.model import Kind, Row
from docs.graph.rows import Inside, Line

ROW = 20
"""Height of a resource."""
HEAD = 32
"""Height of a component's title, with what is free below it."""
FOOT = 7
"""Free below the last resource."""
LANE = 7
"""Between two lines side by side."""
MARGIN = 20
"""Around the drawing, and least width of the space between columns."""
TOP = 62
"""Height of the drawing's own title."""
LEAST = 560
"""Least width of the drawing, for its own title."""
CLEAR = 14
"""Between a frame and the nearest line that runs along it, above or below."""
TITLE, LABEL, NAME = 13.5, 12.5, 10.5
"""Heights of the letters of a component's title, of a row's label, and of names."""
MONO = 0.605
"""Width of a monospaced letter to its height."""
NARROW, WIDE = "Ifijlrt", "DMNmw"
"""Letters that are less wide than others, or wider."""
GAP = 8
"""Between a label and a name."""

Point = tuple[float, float]
Leg = tuple[int, float, float]
"""Where a line passes between two layers: the number of the upper one, and where it comes from and goes to, across."""
Net = tuple[set[float], set[float]]
"""Where a line comes in between two layers from above, and where it leaves below."""


@dataclass(frozen=True)
class Column:
    """Where the components of a column are."""

    x: float
    left: float
    """Where the rows begin: the rails on their left are left of it."""
    right: float
    """Where the rows end."""
    end: float

    def left_lane(self, lane: int) -> float:
        """Return where a lane left of the rows is."""
        return self.left - LANE * (lane + 1)

    def right_lane(self, lane: int) -> float:
        """Return where a lane right of the rows is."""
        return self.right + LANE * (lane + 1)


@dataclass(frozen=True)
class Frame:
    """Where a component is."""

    column: Column
    top: float
    bottom: float
    first: float
    """Middle of the first row."""

    def row(self, index: int) -> float:
        """Return the middle of a row."""
        return self.first + ROW * index


@dataclass(frozen=True)
class Route:
    """How a line gets from the bottom of a frame to the top of another."""

    line: Line
    target: str
    """Id of the component that it leads to."""
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Plan:
    """Where everything is."""

    width: float
    height: float
    frames: Mapping[str, Frame]
    routes: tuple[Route, ...]


def planned(
    insides: Mapping[str, Inside], places: Mapping[str, tuple[int, int]], lines: Sequence[Line], home: Mapping[str, str]
) -> Plan:
    """Return where everything is.

    Args:
        insides: The components, arranged, by their ids.
        places: Layer and column of each.
        lines: The lines between them.
        home: The id of the component of each row, and of each component.
    """
    hops = list(dict.fromkeys((line, home[target]) for line in lines for target in line.targets))
    channels = _channels(hops, places)
    columns, spaces = _across(insides, places, channels)

    legs: dict[tuple[Line, str], list[Leg]] = {}
    nets: dict[int, dict[Line, Net]] = defaultdict(lambda: defaultdict(lambda: (set(), set())))
    for line, target in hops:
        above, below = places[line.source][0], places[target][0] - 1
        begin = _exit(line, columns[places[line.source][1]], insides[line.source])
        providers = [other for other, end in hops if end == target and other.kind is Kind.PROVIDER]
        end = _entry(line, columns[places[target][1]], insides[target], providers)
        legs[line, target] = [(above, begin, end)]
        if (line, target) in channels:
            space, lane = channels[line, target]
            passing = spaces[space] + LANE * lane
            legs[line, target] = [(above, begin, passing), (below, passing, end)]
        for gap, start, stop in legs[line, target]:
            nets[gap][line][0].add(start)
            nets[gap][line][1].add(stop)

    tracks = {gap: _tracks(between) for gap, between in nets.items()}
    frames = _down(insides, places, columns, {gap: max(found.values()) for gap, found in tracks.items()})
    bottoms: dict[int, float] = defaultdict(float)
    for box, frame in frames.items():
        bottoms[places[box][0]] = max(bottoms[places[box][0]], frame.bottom)

    routes = []
    for (line, target), stretches in legs.items():
        points = [(stretches[0][1], frames[line.source].bottom)]
        for gap, start, stop in stretches:
            at = bottoms[gap] + CLEAR + LANE * tracks[gap][line]
            points += [(start, at), (stop, at)]
        routes.append(Route(line, target, (*points, (stretches[-1][2], frames[target].top))))
    return Plan(max(columns[-1].end + MARGIN, LEAST), max(bottoms.values()) + MARGIN, frames, tuple(routes))


def label_width(row: Row) -> float:
    """Return how wide the label of a row may be, whatever the font."""
    return LABEL * sum(0.4 if letter in NARROW else 0.9 if letter in WIDE else 0.64 for letter in row.type)


def _across(
    insides: Mapping[str, Inside],
    places: Mapping[str, tuple[int, int]],
    channels: Mapping[tuple[Line, str], tuple[int, int]],
) -> tuple[list[Column], dict[int, float]]:
    """Return the columns, and where the first lane in the space before each of them is, by its number."""
    columns: list[Column] = []
    spaces: dict[int, float] = {}
    x = float(MARGIN)
    for number in range(COLUMNS):
        if columns:
            lanes = 1 + max((lane for space, lane in channels.values() if space == number), default=0)
            width = max(MARGIN, LANE * (lanes + 1))
            spaces[number] = x + (width - LANE * (lanes - 1)) / 2
            x += width
        inside = [insides[box] for box, (_, column) in places.items() if column == number]
        left, right = (LANE * (max((each.lanes[side] for each in inside), default=0) + 1.5) for side in (0, 1))
        text = ceil(max(map(_text_width, inside), default=0))
        columns.append(Column(x, x + left, x + left + text, x + left + text + right))
        x = columns[-1].end
    return columns, spaces


def _down(
    insides: Mapping[str, Inside],
    places: Mapping[str, tuple[int, int]],
    columns: Sequence[Column],
    last: Mapping[int, int],
) -> dict[str, Frame]:
    """Return the frames, with room between two layers for the lines there up to that in the ``last`` track."""
    frames = {}
    top = float(TOP)
    for number in range(1 + max(layer for layer, _ in places.values())):
        layer = [box for box in insides if places[box][0] == number]
        for box in layer:
            first = top + (HEAD if insides[box].box.title else FOOT) + ROW / 2
            frames[box] = Frame(columns[places[box][1]], top, top + height(insides[box]), first)
        top = max(frames[box].bottom for box in layer) + 2 * CLEAR + LANE * last.get(number, 0)
    return frames


def _exit(line: Line, column: Column, inside: Inside) -> float:
    return column.right_lane(next(rail.lane for rail in inside.right if rail.line == line))


def _entry(line: Line, column: Column, inside: Inside, providers: Sequence[Line]) -> float:
    if line.kind is Kind.PROVIDER:
        return (column.left + column.right) / 2 + LANE * providers.index(line)
    return column.left_lane(next(rail.lane for rail in inside.left if rail.line == line))


def height(inside: Inside) -> float:
    """Return how high the frame of a component is."""
    return (HEAD if inside.box.title else FOOT) + ROW * len(inside.rows) + FOOT


def _text_width(inside: Inside) -> float:
    def with_name(label: float, name: str) -> float:
        return label + (GAP + len(name) * NAME * MONO if name else 0)

    rows = (with_name(label_width(row), row.label) for row in inside.rows)
    return max(*rows, with_name(len(inside.box.title) * TITLE * MONO, inside.box.label))


def _channels(
    hops: Iterable[tuple[Line, str]], places: Mapping[str, tuple[int, int]]
) -> dict[tuple[Line, str], tuple[int, int]]:
    """Return the space between columns, and the lane in it, for each line that has to pass by a layer.

    The spaces are numbered from 0, which is left of the first column.
    """
    found: dict[tuple[Line, str], tuple[int, int]] = {}
    taken: dict[tuple[int, int], list[tuple[int, int, Line]]] = defaultdict(list)
    far = [(line, target) for line, target in hops if places[target][0] - places[line.source][0] > 1]
    for line, target in sorted(far, key=lambda hop: (places[hop[1]][0] - places[hop[0].source][0], hop)):
        (above, begin), (below, end) = places[line.source], places[target]
        space = min(range(1, COLUMNS), key=lambda n: (abs(n - begin - 0.9) + abs(n - end - 0.1), n))
        lane = 0
        while any(other != line and first < below and above < last for first, last, other in taken[space, lane]):
            lane += 1
        taken[space, lane].append((above, below, line))
        found[line, target] = (space, lane)
    return found


def _tracks(nets: Mapping[Line, Net]) -> dict[Line, int]:
    """Return the track of each line in the space between two layers, 0 the highest, so that few lines cross."""

    def span(line: Line) -> tuple[float, float]:
        above, below = nets[line]
        return min(above | below), max(above | below)

    def crossings(high: Line, low: Line) -> int:
        """Return how often two lines cross if the one is above the other; much, if one would run into the other."""
        (left, right), (left_, right_) = span(high), span(low)
        crossed = sum(left_ <= x <= right_ for x in nets[high][1]) + sum(left <= x <= right for x in nets[low][0])
        return crossed + 100 * len(nets[high][1] & nets[low][0])

    order = sorted(nets, key=lambda line: (span(line), line))
    for _ in order:
        before = list(order)
        for n in range(len(order) - 1):
            high, low = order[n : n + 2]
            if crossings(low, high) < crossings(high, low):
                order[n : n + 2] = low, high
        if order == before:
            break

    tracks: dict[Line, int] = {}
    for line in order:
        left, right = span(line)
        beside = [n for other, n in tracks.items() if span(other)[0] <= right + LANE and left <= span(other)[1] + LANE]
        tracks[line] = max(beside, default=-1) + 1
    return tracks
