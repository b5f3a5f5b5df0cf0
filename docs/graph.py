"""Draws the dependency graph of a stack, as Pulumi's engine records it, into docs/graph.svg and site/graph.svg.

    .venv/bin/python -m tests.graph.export | .venv/bin/python -m docs.graph

draws that of the stack `dev`, and needs no cluster; what `pulumi stack export --stack dev` writes gives the same.

Here is only what Graphviz is told: a cluster for each component, in it a node for each resource, and of the edges those
that no others imply. Graphviz is its build for WebAssembly, which npx (of Node.js) gets from npm: unlike an installed
`dot`, it gives the same drawing on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from graphlib import TopologicalSorter
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PICTURES = (PROJECT / "docs" / "graph.svg", PROJECT / "site" / "graph.svg")
"""The same drawing, for the README and for the site."""

GRAPHVIZ = "@hpcc-js/wasm-graphviz-cli@1.11.2"
TITLE = "The dependency graph of the stack"
COMPONENT = "inspiration:index:"
"""What the types of this project's components begin with."""
PROVIDER = "pulumi:providers:"
STACK = "pulumi:pulumi:Stack"

COLOURS = {
    "paper": ("#f5f7fb", "#0a1b33"),
    "component": ("#ffffff", "#0e2342"),
    "ink": ("#0f2340", "#e8f0ff"),
    "muted": ("#4a5d7a", "#a8bddd"),
    "data": ("#1d4f91", "#86b2ff"),
    "order": ("#b8430a", "#ffb169"),
    "provider": ("#6b7d99", "#7f96ba"),
}
"""By day and by night; those of the site."""
DAY = {name: f'"{day}"' for name, (day, _) in COLOURS.items()}
NIGHT = "".join(f'[{what}="{day}"]{{{what}:{night}}}' for day, night in COLOURS.values() for what in ("fill", "stroke"))
FONT = "ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, 'Liberation Mono', monospace"
"""What has letters about as wide as those of Courier, which Graphviz knows."""


class Kind(StrEnum):
    """Why one resource comes after another."""

    DATA = "data"
    """An output of the one is an input of the other."""
    ORDER = "order"
    """The other waits for it, as ``depends_on`` asks."""
    PROVIDER = "provider"
    """It is the provider that makes the other."""


LOOKS = {
    Kind.DATA: ("style=solid", "──>", "an output is an input"),
    Kind.ORDER: ("style=dashed", "╌╌>", "depends_on"),
    # What waits for nothing but its provider is at the top, so that the drawing isn't higher than it has to be.
    Kind.PROVIDER: ("style=dotted penwidth=1.5 weight=10", "┈┈>", "provider"),
}
"""How edges are drawn, and the legend."""

State = Mapping[str, Any]
"""What the engine records of a resource. Its inputs and outputs aren't read, so no secret is."""
Edges = dict[tuple[str, str], Kind]
"""By what comes first and what comes after it."""


def main() -> int:
    """Draw the stack whose export is on the standard input; returns 0 if it did."""
    try:
        drawing = drawn(dot(json.load(sys.stdin)["deployment"]["resources"]))
    except (KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"error: the standard input isn't what `pulumi stack export` writes of a stack: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: Graphviz can't be run by npx, which comes with Node.js: {error}\n")
        return 1
    for picture in PICTURES:
        picture.write_text(drawing, encoding="utf-8")
    return 0


def drawn(text: str) -> str:
    """Return as SVG what is told in Graphviz' language, with colours for day and night.

    Raises:
        OSError: There is no npx, or it failed and has said why.
    """
    done = subprocess.run(["npx", "--yes", GRAPHVIZ, text], stdout=subprocess.PIPE, text=True, check=False)
    _, start, svg = done.stdout.partition("<svg")
    if not start:
        raise ChildProcessError("it drew nothing")
    svg = re.sub(r"<!--.*?-->\n", "", svg, flags=re.DOTALL)
    svg = svg.replace(' font-family="Courier,monospace"', "")
    head = rf' width="\1" height="\2" role="img" font-family="{FONT}"'
    svg = re.sub(r' width="(\d+)pt" height="(\d+)pt"', head, svg, count=1)
    # By day the colours are in the elements themselves: a web server may forbid styles in a document (CSP style-src).
    style = f"<style>@media (prefers-color-scheme:dark){{{NIGHT}}}</style>"
    return start + svg.replace(">\n", f">\n{mark(text)}\n{style}\n", 1)


def mark(text: str) -> str:
    """Return what tells in the drawing whether it is of this text."""
    return f"<!-- {hashlib.sha256((GRAPHVIZ + NIGHT + text).encode()).hexdigest()} is the hash of what was drawn -->"


def dot(states: Iterable[State]) -> str:
    """Return the graph in Graphviz' language: the same in whatever order, and whatever the name of the stack.

    Raises:
        ValueError: Two resources have the same type and name.
    """
    resources = _by_id(states)
    homes = {each: _home(each, resources) for each in resources}
    inside = {
        home: [each for each in resources if homes[each] == home and not _is_component(resources[each])]
        for home in sorted(set(homes.values()))
    }
    edges = _edges(resources, homes, inside)
    columns = {home: _column(rows, edges) for home, rows in inside.items() if rows}
    titles = _labels([home for home in columns if _is_component(resources[home])], resources)
    count = f"{sum(map(len, columns.values()))} resources in {len(titles)} components"
    legend = (f"{text} <font color={DAY[kind]}>{escape(arrow)}</font>" for kind, (_, arrow, text) in LOOKS.items())
    font = f"fontname=Courier fontsize=11 fontcolor={DAY['ink']}"
    left = '<br align="left"/>'
    heading = f'<font point-size="15"><b>{TITLE}</b></font>{left}{"  ".join([count, *legend])}{left}'
    lines = [
        f"digraph {_quoted(TITLE)} {{",
        f"graph [label=<{heading}> labelloc=t labeljust=l {font}]",
        f"graph [compound=true nodesep=0.12 ranksep=0.17 bgcolor={DAY['paper']}]",
        f'node [shape=box color=none height=0.16 width=0 margin="0.06,0.01" {font}]',
        "edge [arrowsize=0.5]",
    ]
    for home, column in columns.items():
        title = f"<b>{titles[home]}</b>" if home in titles else ""
        lines += [
            f"subgraph {_cluster(home)} {{",
            f'graph [label=<{title}> style="filled,rounded" fillcolor={DAY["component"]} color={DAY["data"]}]',
            *(f"{_quoted(row)} [label=<{label}>]" for row, label in _labels(column, resources, home).items()),
            "edge [style=invis]",
            " -> ".join(map(_quoted, column)),
            "}",
        ]
    # All of a component is below all of those that it has something of.
    for first, second in sorted({(homes[before], homes[after]) for before, after in edges}):
        if first != second:
            lines.append(f"{_quoted(columns[first][-1])} -> {_quoted(columns[second][0])} [style=invis]")
    for kind, (look, _, _) in LOOKS.items():
        lines.append(f"edge [class={kind} {look} color={DAY[kind]}]")
        for before, after in (ends for ends, its in edges.items() if its is kind):
            end = f"{_quoted(columns[after][0])} [lhead={_cluster(after)}]" if kind is Kind.PROVIDER else _quoted(after)
            lines.append(f"{_quoted(before)} -> {end}")
    return "\n".join([*lines, "}", ""])


def _edges(resources: Mapping[str, State], homes: Mapping[str, str], inside: Mapping[str, Sequence[str]]) -> Edges:
    """Return the edges that no others imply; one from a provider leads to a component, for all in it."""
    every: Edges = {}
    for kind in (Kind.PROVIDER, Kind.ORDER, Kind.DATA):
        for each, state in resources.items():
            for other in _waits_for(state, kind) & resources.keys():
                # Who waits for a component waits for all in it, and what a component waits for, all in it wait for.
                every |= dict.fromkeys(product(inside.get(other, [other]), inside.get(each, [each])), kind)
    near: dict[str, set[str]] = {row: set() for rows in inside.values() for row in rows}
    for before, after in every:
        near[after].add(before)
    above: dict[str, set[str]] = {}
    for row in TopologicalSorter(near).static_order():
        above[row] = near[row].union(*(above[other] for other in near[row]))
    implied = {(before, after) for before, after in every if any(before in above[other] for other in near[after])}
    needed = {ends: every[ends] for ends in sorted(every.keys() - implied)}
    edges: Edges = {ends: kind for ends, kind in needed.items() if kind is not Kind.PROVIDER}
    providers = {(before, homes[after]) for before, after in needed.keys() - edges.keys()}
    for provider, home in sorted(providers):
        entering = [before for before, after in edges if homes[after] == home != homes[before]]
        if homes[provider] != home and not any(provider in {before, *above.get(before, ())} for before in entering):
            edges[provider, home] = Kind.PROVIDER
    return edges


def _waits_for(state: State, kind: Kind) -> set[str]:
    if kind is Kind.PROVIDER:
        return {_id(str(state.get("provider", "")).rpartition("::")[0])}
    if kind is Kind.ORDER:
        return set(map(_id, state.get("dependencies") or ()))
    return {_id(urn) for urns in (state.get("propertyDependencies") or {}).values() for urn in urns or ()}


def _column(rows: Sequence[str], edges: Edges) -> list[str]:
    """Return the resources of a component from top to bottom: each below all that it waits for, and near to it."""
    before = {row: [other for other in rows if (other, row) in edges] for row in rows}
    column: dict[str, None] = {}

    def add(row: str) -> None:
        for other in before[row]:
            add(other)
        column[row] = None

    # What waits for nothing comes with what waits for it, or at the end.
    for row in sorted(rows, key=lambda row: not before[row]):
        add(row)
    return list(column)


def _labels(ids: Sequence[str], resources: Mapping[str, State], home: str = "") -> dict[str, str]:
    """Return the label of each: the last part of its type, and where others have the same, its name within its home."""
    types = {each: str(resources[each]["type"]).rpartition(":")[2] for each in ids}
    times = Counter(types.values())
    labels = {}
    for each, label in types.items():
        name = each.partition("::")[2].removeprefix(f"{home.partition('::')[2]}-") if times[label] > 1 else ""
        if resources[each]["type"] == f"{PROVIDER}{label}":
            label, name = "Provider", label
        labels[each] = escape(label) + (f" <font color={DAY['muted']}>{escape(name)}</font>" if name else "")
    return labels


def _by_id(states: Iterable[State]) -> dict[str, State]:
    # What is being replaced is there twice.
    found = [(_id(each["urn"]), each) for each in states if each["type"] != STACK and not each.get("delete")]
    if twice := [each for each, times in Counter(each for each, _ in found).items() if times > 1]:
        raise ValueError(f"two resources have the same type and name, {twice[0]}")
    return dict(sorted(found, key=lambda pair: pair[0]))


def _id(urn: str) -> str:
    """Return what is the same in every stack: ``type::name``."""
    kinds, _, name = urn.split("::", 2)[-1].partition("::")
    return f"{kinds.rpartition('$')[2]}::{name}"


def _home(each: str, resources: Mapping[str, State]) -> str:
    """Return the innermost component that a resource is in or is; the resource itself where there is none."""
    above = each
    while not _is_component(resources[above]):
        above = _id(resources[above].get("parent", ""))
        if above not in resources:
            return each
    return above


def _is_component(state: State) -> bool:
    return str(state["type"]).startswith(COMPONENT)


def _cluster(home: str) -> str:
    return _quoted(f"cluster {home}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
