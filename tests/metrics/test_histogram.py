"""Counting into buckets."""

import math
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK, Example, Histogram

BOUNDS = st.lists(st.floats(0, 1e6), min_size=1, max_size=8, unique=True).map(sorted).map(tuple)
VALUES = st.lists(st.floats(0, 2e6))


def example(value: float) -> Example:
    return Example({"work_id": f"work_{value}"}, value, value)


@pytest.mark.parametrize("bounds", [SECONDS_TO_A_WEEK, REQUEST_SECONDS])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert bounds[0] > 0
    assert bounds[-1] < math.inf


def test_a_queue_of_seconds_and_one_of_days_are_told_apart() -> None:
    assert SECONDS_TO_A_WEEK[0] == 1
    assert SECONDS_TO_A_WEEK[-1] == 7 * 86_400
    assert max(later / earlier for earlier, later in pairwise(SECONDS_TO_A_WEEK)) <= 3.5


@given(BOUNDS, VALUES)
def test_each_bucket_counts_what_is_not_above_its_bound(bounds: tuple[float, ...], values: list[float]) -> None:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    assert [(bound, count) for bound, count, _ in histogram.cumulative()] == [
        (bound, sum(value <= bound for value in values)) for bound in (*bounds, math.inf)
    ]
    assert histogram.count == len(values)
    assert histogram.sum == pytest.approx(sum(values))


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, math.nextafter(1.0, 2.0), 2.0, math.nextafter(2.0, 3.0), math.inf):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2]


@given(BOUNDS, VALUES)
def test_each_bucket_keeps_its_newest_example(bounds: tuple[float, ...], values: list[float]) -> None:
    histogram = Histogram(bounds)
    newest = {}
    for value in values:
        histogram.observe(value, example(value))
        newest[bisect_left(bounds, value)] = value
    assert {index: found.value for index, found in histogram.examples.items()} == newest
    for index, (_, _, found) in enumerate(histogram.cumulative()):
        assert (found.value if found else None) == newest.get(index)


def test_an_observation_without_an_example_leaves_the_former_one() -> None:
    histogram = Histogram((1.0,))
    histogram.observe(0.5, example(0.5))
    histogram.observe(0.7)
    assert histogram.examples == {0: example(0.5)}
    assert histogram.count == 2


def test_an_empty_histogram_has_every_bucket() -> None:
    histogram = Histogram()
    assert [count for _, count, _ in histogram.cumulative()] == [0] * (len(SECONDS_TO_A_WEEK) + 1)
    assert (histogram.count, histogram.sum) == (0, 0)


def test_a_copy_is_independent() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe(0.5, example(0.5))
    copy = histogram.copy()
    assert copy == histogram
    histogram.observe(1.5, example(1.5))
    assert (copy.counts, copy.sum, list(copy.examples)) == ([1, 0, 0], 0.5, [0])


@pytest.mark.parametrize("counts", [[0], [0, 0, 0, 0]])
def test_counts_that_do_not_fit_the_bounds_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=f"{len(counts)} counts do not fit 2 bounds"):
        Histogram((1.0, 2.0), counts)
