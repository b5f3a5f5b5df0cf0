"""Statistics of measurements: medians, ratios of pairs, slopes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def summary(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum, and of how many."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
        "runs": len(values),
    }


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of ``values`` to ``base``, pair by pair.

    The two of a pair were measured one right after the other: what else the machine was doing falls out.
    """
    return round(statistics.median(value / other for value, other in zip(values, base, strict=True)), 3)


def ratios(seconds: Mapping[str, Sequence[float]], base: str) -> dict[str, float]:
    """The ratio of each way to the way ``base``, itself not among them."""
    return {way: ratio(values, seconds[base]) for way, values in seconds.items() if way != base}


def slope(points: Mapping[float, float]) -> float:
    """By how much the value grows for each one more: the line of least squares through ``points``."""
    return statistics.linear_regression(list(points), list(points.values())).slope
