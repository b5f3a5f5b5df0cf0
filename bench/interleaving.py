"""Ways to do the same, measured one after the other in each round: what disturbs one disturbs the others too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")


def interleaved(
    ways: Mapping[str, Callable[[int], float | None]], runs: int, unit: str = "s"
) -> dict[str, list[float]]:
    """Measure each way ``runs`` times.

    Args:
        ways: Each is called with the number of the round, from 1. It returns its value, or None: then it is the
            seconds that the call took.
        runs: How many rounds; each begins with another way.
        unit: Of the values, for what is said meanwhile.

    Returns:
        The values of each way, in the order of the rounds.
    """
    values: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(runs):
        for way in rotated(list(ways), turn):
            begin = time.monotonic()
            said = ways[way](turn + 1)
            values[way].append(time.monotonic() - begin if said is None else said)
            sys.stderr.write(f"  round {turn + 1} of {runs}  {way}  {values[way][-1]:.2f} {unit}\n")
    return values


def rotated(items: Sequence[Key], turn: int) -> list[Key]:
    """The ``items``, beginning with another one each ``turn``."""
    first = turn % len(items) if items else 0
    return [*items[first:], *items[:first]]
