"""The results as small drawings, for a page that is dark as well as for one that is light."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.tables import Result

OURS, THEIRS = "#2f6fde", "#9aa4b2"
mpl.rcParams |= {
    "svg.fonttype": "none",  # text stays text: small, and set in the reader's own font
    "svg.hashsalt": "inspiration",  # the same results give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": "#768390",
    "axes.labelcolor": "#768390",
    "axes.edgecolor": "#768390",
    "xtick.color": "#768390",
    "ytick.color": "#768390",
}


def draw(found: Mapping[str, Result], folder: Path) -> None:
    """Draw each subject that was measured into ``folder``."""
    for subject in ("edit", "preview", "first-up", "destroy"):
        if subject in found:
            _save(bars(found[subject]["values"], "seconds, each run a dot"), folder / f"{subject}.svg")
    if "growth" in found:
        _save(lines(found["growth"]["rows"]), folder / "growth.svg")
    if "cold" in found:
        _save(gantt(found["cold"]["stages"]), folder / "cold.svg")
    if "site" in found:
        rates = {case: [row["requests_per_second"]["median"]] for case, row in found["site"]["rows"].items()}
        for size in ("1 KB", "1 MB"):
            of_size = {case.replace(f", {size}", ""): values for case, values in rates.items() if f", {size}," in case}
            name = size.replace(" ", "").lower()
            _save(bars(of_size, f"requests a second, {size}"), folder / f"site-{name}.svg")


def bars(values: Mapping[str, Sequence[float]], unit: str) -> Figure:
    """A bar for each way, as long as its median, with a dot for each run; the shortest at the top."""
    ways = sorted(values, key=lambda way: statistics.median(values[way]), reverse=True)
    figure, axes = _figure(0.4 * len(ways) + 0.7)
    for place, way in enumerate(ways):
        median = statistics.median(values[way])
        axes.barh(place, median, height=0.6, color=OURS if way.startswith(("pulumi", "site")) else THEIRS)
        if len(values[way]) > 1:
            axes.plot(values[way], [place] * len(values[way]), ".", color="#d29922", markersize=4)
        axes.text(max(values[way]), place, f"  {median:,.2f}" if median < 100 else f"  {median:,.0f}", va="center")
    axes.set_yticks(range(len(ways)), ways)
    axes.set_xlabel(unit)
    axes.margins(x=0.15)
    return figure


def lines(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Preview and one change, by the number of resources."""
    figure, axes = _figure(2.6)
    resources = [row["resources"] for row in rows]
    for key, label, color in ("preview", "preview, nothing changed", OURS), ("change", "one site changed", THEIRS):
        axes.plot(resources, [row[key]["median"] for row in rows], "o-", color=color, markersize=4, label=label)
    axes.legend(frameon=False)
    axes.set_xlabel("resources in the stack")
    axes.set_ylabel("seconds")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return figure


def gantt(stages: Mapping[str, Sequence[float]]) -> Figure:
    """When each stage of the first ``script/up`` began and ended."""
    ordered = sorted(stages.items(), key=lambda item: item[1][0], reverse=True)
    figure, axes = _figure(0.26 * len(ordered) + 0.7)
    for place, (_, (begin, end)) in enumerate(ordered):
        axes.barh(place, max(end - begin, 0.5), left=begin, height=0.6, color=OURS)
    axes.set_yticks(range(len(ordered)), [title for title, _ in ordered])
    axes.set_xlabel("seconds since the start")
    return figure


def _figure(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, transparent=True, metadata={"Date": None})
