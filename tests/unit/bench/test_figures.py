"""Medians, ratios of pairs, slopes, and the order in which ways are measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import ratio, ratios, slope, summary
from bench.interleaving import interleaved, rotated

SECONDS = st.lists(st.floats(min_value=0.01, max_value=1000), min_size=1, max_size=9)


def test_a_summary_has_the_range_the_median_and_how_many() -> None:
    assert summary([3, 1, 2, 10]) == {"min": 1, "median": 2.5, "max": 10, "runs": 4}


def test_a_ratio_is_that_of_pairs_so_that_a_slow_moment_falls_out() -> None:
    assert ratio([2, 20, 2], [1, 10, 1]) == 2


@given(SECONDS)
def test_a_way_is_as_long_as_itself(values: list[float]) -> None:
    assert ratio(values, values) == 1


def test_pairs_need_a_partner() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


def test_each_way_is_compared_with_the_base() -> None:
    assert ratios({"floor": [1, 1], "a": [2, 2], "b": [3, 3]}, "floor") == {"a": 2, "b": 3}


def test_the_slope_is_that_of_a_line() -> None:
    assert slope({10: 1.5, 20: 2.0, 110: 6.5}) == pytest.approx(0.05)


@given(st.lists(st.integers(), unique=True), st.integers(min_value=0, max_value=99))
def test_a_rotation_loses_nothing_and_keeps_the_order(items: list[int], turn: int) -> None:
    result = rotated(items, turn)
    assert sorted(result) == sorted(items)
    assert result + result == [*result[: len(items)], *result] and "".join(map(str, items)) in "".join(
        map(str, result + result)
    )


def test_ways_are_measured_in_rounds_that_begin_with_another_one() -> None:
    asked: list[str] = []
    found = interleaved({name: lambda turn, name=name: asked.append(f"{name}{turn}") for name in "ab"}, runs=3)  # type: ignore[misc]
    assert asked == ["a1", "b1", "b2", "a2", "a3", "b3"]
    assert {way: len(values) for way, values in found.items()} == {"a": 3, "b": 3}


def test_a_way_may_say_itself_how_long_it_took() -> None:
    assert interleaved({"a": lambda turn: turn * 1.5}, runs=2) == {"a": [1.5, 3.0]}
