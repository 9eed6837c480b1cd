"""Counts of what has stopped, in segments that can be recounted one by one."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from exporter.tracking.history import SEGMENT_SIZE, History
from exporter.tracking.observation import Labels
from tests.tracking.books import work_id

Item = tuple[str, Labels | None]


def items(states: list[str | None], first: int = 0) -> list[Item]:
    """Consecutive items: None for a live one, else a label."""
    return [(work_id(first + number), None if label is None else (label,)) for number, label in enumerate(states)]


def history(entries: list[Item]) -> History:
    made = History()
    for each, labels in entries:
        made.append(each, labels)
    return made


def brute_force(entries: list[Item]) -> Counter[Labels]:
    return Counter(labels for _, labels in entries if labels is not None)


@st.composite
def many(draw: st.DrawFn) -> list[str | None]:
    """As many items as some segments hold; hypothesis by itself makes short lists."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    return chance.choices([None, "a", "b"], k=draw(st.integers(0, 450)))


states = many()


@given(states)
def test_what_has_stopped_is_counted_by_its_labels(given_states: list[str | None]) -> None:
    entries = items(given_states)
    made = history(entries)
    assert made.stopped == brute_force(entries)
    assert made.size == len(entries)


@given(states)
def test_segments_are_full_but_for_the_last(given_states: list[str | None]) -> None:
    made = history(items(given_states))
    assert all(segment.size == SEGMENT_SIZE for segment in made.segments[:-1])
    assert all(0 < segment.size <= SEGMENT_SIZE for segment in made.segments)
    assert [segment.end for segment in made.segments] == sorted(segment.end for segment in made.segments)


@given(states, st.data())
def test_counting_a_stretch_anew_changes_that_stretch_alone(
    given_states: list[str | None], data: st.DataObject
) -> None:
    entries = items(given_states)
    made = history(entries)
    ends = [None, *(segment.end for segment in made.segments)]
    first = data.draw(st.integers(0, len(ends) - 1))
    last = data.draw(st.integers(first, len(ends) - 1))
    after, through = ends[first], ends[last] if data.draw(st.booleans()) else None
    inside = [
        each for each in entries if (after is None or each[0] > after) and (through is None or each[0] <= through)
    ]
    kept = [
        (each, data.draw(st.sampled_from([None, ("a",), ("c",)]))) for each, _ in inside if data.draw(st.booleans())
    ]
    before = [each for each in entries if after is not None and each[0] <= after]
    behind = [each for each in entries if through is not None and each[0] > through]
    made.replace(after, through, [(*each, False) for each in kept])
    expected = [*before, *kept, *behind]
    assert made.stopped == brute_force(expected)
    assert made.size == len(expected)


def test_an_item_that_stops_is_counted_in_its_segment() -> None:
    made = history(items([None] * 250))
    made.count_stopped(work_id(120), ("a",))
    assert [segment.stopped for segment in made.segments] == [(), ((("a",), 1),), ()]
    assert made.stopped == {("a",): 1}


def test_an_item_after_the_end_belongs_to_the_last_segment() -> None:
    made = history(items([None] * 150))
    assert made.index(work_id(149)) == made.index(work_id(999)) == 1


def test_a_boundary_is_the_last_end_that_is_not_after_an_id() -> None:
    made = history(items([None] * 250))
    assert made.boundary(work_id(98)) is None
    assert made.boundary(work_id(99)) == made.boundary(work_id(198)) == work_id(99)
    assert made.boundary(work_id(199)) == work_id(199)


def test_anchors_are_ever_farther_apart() -> None:
    made = history(items([None] * 2000))
    anchors = made.anchors_before(work_id(1950))
    assert anchors == [work_id(number) for number in (1899, 1799, 1599, 1199, 399)]
    assert made.anchors_before(work_id(50)) == []


def test_an_item_that_appears_late_makes_its_segment_larger() -> None:
    made = history(items([None] * 150))
    made.insert(work_id(50) + "5")
    assert [segment.size for segment in made.segments] == [SEGMENT_SIZE + 1, 50]


def test_counts_that_come_to_nothing_are_forgotten() -> None:
    made = history(items(["a"] * 50))
    made.replace(None, None, [(*each, False) for each in items([None] * 50)])
    assert made.stopped == {}


def test_unreadable_items_are_counted_where_they_stopped() -> None:
    made = history(items(["a"] * 150))
    made.count_stopped(work_id(120), ("a",), unreadable=True)
    made.append(work_id(150), ("a",), unreadable=True)
    assert made.unreadable == 2
    assert History(made.segments).unreadable == 2
    made.replace(made.segments[0].end, None, [(work_id(150), ("a",), True)])
    assert made.unreadable == 1
