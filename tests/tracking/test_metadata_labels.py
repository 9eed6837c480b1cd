"""Counts are split by the values of metadata keys: exactly, boundedly, and the same after every restart."""

import random
from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator import Options
from exporter.tracking.observation import Labeller
from exporter.tracking.settings import TrackingSettings
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched

STATES = ("queued", "starting", "active", "stopping", "stopped")


def by(*keys: str, limit: int = 50) -> TrackingSettings:
    return tracking_settings(min_interval=0, metadata_keys=keys, max_label_values=limit)


def counts(watched: Watched) -> dict[tuple[str, tuple[str, ...]], int]:
    """What is shown, without zeros."""
    return {key: count for key, count in watched.queue().counts.items() if count}


def true_counts(watched: Watched, keys: tuple[str, ...], limit: int) -> dict[tuple[str, tuple[str, ...]], int]:
    """What is true, if values and combinations of them are taken in the order of the list until there are enough."""
    kept: dict[str, list[str]] = {key: [] for key in keys}
    combinations: list[tuple[str, ...]] = []
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for item in watched.truth().items:
        labels = []
        for key in keys:
            value = item.metadata.get(key, "")
            if value not in ("", "other", *kept[key]):
                if len(kept[key]) < limit:
                    kept[key].append(value)
                else:
                    value = "other"
            labels.append(value)
        combination = tuple(labels)
        if len(keys) > 1 and combination not in combinations:
            if len(combinations) < (limit + 1) * len(keys):
                combinations.append(combination)
            else:
                combination = ("other",) * len(keys)
        found[item.state, combination] += 1
    return dict(found)


def create(watched: Watched, *values: str, state: str = "queued", key: str = "job") -> list[str]:
    return [
        watched.simulation.create_work(watched.id, state=state, metadata={key: value} if value else {})
        for value in values
    ]


# -- against brute force ----------------------------------------------------------------------------------------------

metadata = st.dictionaries(
    st.sampled_from(["job", "team", "else"]), st.sampled_from(["", "a", "b", "c", "other", "é\n"])
)


@settings(max_examples=40 * FACTOR)
@given(
    arrivals=st.lists(st.lists(st.tuples(metadata, st.sampled_from(STATES)), max_size=60), min_size=1, max_size=4),
    keys=st.sampled_from([("job",), ("job", "team"), ("team", "job"), ("missing",)]),
    limit=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_counts_are_true_for_every_value(
    arrivals: list[list[tuple[dict[str, str], str]]], keys: tuple[str, ...], limit: int, seed: int
) -> None:
    chance = random.Random(seed)
    with Watched(Options(lease_expiry="keep"), by(*keys, limit=limit)) as watched:
        for arrived in arrivals:
            for given_metadata, state in arrived:
                watched.simulation.create_work(watched.id, state=state, metadata=given_metadata)
            for item in watched.truth().live:
                if chance.random() < 0.3:
                    watched.simulation.force(watched.id, item.id, chance.choice(STATES))
            assert counts(watched) == true_counts(watched, keys, limit)
            if chance.random() < 0.4:
                watched.restart()
        shown = counts(watched)
        watched.traverse()
        assert counts(watched) == shown
        watched.tracker = watched.new_tracker()  # without what was known
        assert counts(watched) == shown


# -- one by one -------------------------------------------------------------------------------------------------------


def test_without_keys_there_are_no_labels(watched: Watched) -> None:
    create(watched, "a", "b")
    assert counts(watched) == {("queued", ()): 2}


def test_stopped_items_keep_their_labels(watch: Watch) -> None:
    watched = watch(settings=by("job"))
    first, _ = create(watched, "a", "b")
    watched.queue()
    watched.simulation.force(watched.id, first, "stopped")
    for _ in range(2):
        assert counts(watched) == {("stopped", ("a",)): 1, ("queued", ("b",)): 1}


def test_a_live_item_whose_metadata_changes_is_counted_by_its_new_value(watch: Watch) -> None:
    watched = watch(settings=by("job"))
    (work_id,) = create(watched, "a")
    watched.queue()
    item = watched.simulation.environment(watched.id).queue.find(work_id)
    assert item is not None
    item.metadata = {"job": "b"}
    assert counts(watched) == {("queued", ("b",)): 1}
    watched.simulation.force(watched.id, work_id, "stopped")
    assert counts(watched) == {("stopped", ("b",)): 1}


def test_states_without_items_are_shown_at_zero_without_labels(watch: Watch) -> None:
    watched = watch(settings=by("job", "team"))
    create(watched, "a")
    shown = watched.queue().counts
    assert shown["queued", ("a", "")] == 1
    assert {key for key, count in shown.items() if not count} == {(state, ("", "")) for state in STATES[1:]}


def test_the_first_values_of_the_list_are_kept(watch: Watch) -> None:
    watched = watch(settings=by("job", limit=2))
    create(watched, "c", "b", "a", "b", "d", "")
    assert counts(watched) == {
        ("queued", ("c",)): 1,
        ("queued", ("b",)): 2,
        ("queued", ("other",)): 2,
        ("queued", ("",)): 1,
    }


def test_each_key_has_its_own_bound(watch: Watch) -> None:
    watched = watch(settings=by("job", "team", limit=1))
    create(watched, "a", "b")
    create(watched, "x", "y", key="team")
    assert {labels for _, labels in counts(watched)} == {("a", ""), ("other", ""), ("", "x"), ("", "other")}


def test_a_value_that_came_too_late_stays_other_when_others_have_gone(watch: Watch) -> None:
    watched = watch(settings=by("job", limit=1))
    first, _ = create(watched, "a", "b")
    watched.queue()
    watched.simulation.delete_work(watched.id, first)
    assert counts(watched) == {("queued", ("other",)): 1}
    watched.restart()
    assert counts(watched) == {("queued", ("other",)): 1}


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ('quotes " and \\ and {braces="1"}', 'quotes " and \\ and {braces="1"}'),
        ("line\nfeed\r\ttab\x00zero\x7f", "line\nfeed\r\ttab\x00zero\x7f"),
        ("выпуск 🚀 \u202e", "выпуск 🚀 \u202e"),
        ("x" * 10_000, "x" * 128),
        ("🚀" * 500, "🚀" * 128),
        ("other", "other"),
        ("", ""),
        (None, ""),
        (7, "7"),
        (True, "true"),
        (["a", {"b": None}], '["a",{"b":null}]'),
    ],
)
def test_a_strangers_text_is_a_bounded_label(value: object, label: str) -> None:
    assert Labeller(("job",), 50).labels({"job": value}) == (label,)


def test_texts_that_begin_alike_share_one_value() -> None:
    labeller = Labeller(("job",), 1)
    assert labeller.labels({"job": "x" * 128 + "a"}) == labeller.labels({"job": "x" * 128 + "b"})


@pytest.mark.parametrize("metadata", [None, {}, {"team": "a"}])
def test_an_absent_key_is_an_empty_label(metadata: dict[str, Any] | None) -> None:
    assert Labeller(("job",), 50).labels(metadata) == ("",)


def test_a_value_called_other_takes_no_place() -> None:
    labeller = Labeller(("job",), 1)
    assert [labeller.labels({"job": value}) for value in ("other", "a", "b")] == [("other",), ("a",), ("other",)]


def test_equal_labels_are_one_object() -> None:
    labeller = Labeller(("job", "team"), 50)
    assert labeller.labels({"job": "a", "team": "b"}) is labeller.labels({"team": "b", "job": "a"})


def test_the_values_that_were_kept_are_kept_again() -> None:
    labeller = Labeller(("job",), 2)
    for value in ("b", "a", "c"):
        labeller.labels({"job": value})
    assert labeller.known == {"job": ["b", "a"]}
    again = Labeller(("job",), 2, labeller.known)
    assert [again.labels({"job": value}) for value in ("c", "a", "b")] == [("other",), ("a",), ("b",)]


def test_metadata_of_other_types_than_documented_is_read(watch: Watch) -> None:
    watched = watch(settings=by("job"))
    create(watched, "a", "b", "c")
    inner = watched.transport.inner

    class Loose(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await inner.handle_async_request(request)
            body = await response.aread()
            for old, new in ((b'{"job":"a"}', b'{"job":12}'), (b'{"job":"b"}', b"null")):
                body = body.replace(old, new)
            return httpx.Response(response.status_code, content=body)

    watched.transport.inner = Loose()
    assert counts(watched) == {("queued", ("12",)): 1, ("queued", ("",)): 1, ("queued", ("c",)): 1}


def three_keys(labeller: Labeller) -> set[tuple[str, ...]]:
    """The labels of items with every combination of five values of three keys."""
    values = [f"v{number}" for number in range(5)]
    return {labeller.labels({"a": a, "b": b, "c": c}) for a in values for b in values for c in values}


def test_combinations_of_several_keys_are_bounded_together() -> None:
    found = three_keys(Labeller(("a", "b", "c"), 5))
    assert len(found) == 3 * (5 + 1) + 1
    assert ("other", "other", "other") in found


def test_the_first_combinations_are_kept_over_a_restart() -> None:
    labeller = Labeller(("a", "b", "c"), 5)
    found = three_keys(labeller)
    again = Labeller(("a", "b", "c"), 5, labeller.known)
    assert again.labels({"a": "v4", "b": "v4", "c": "v4"}) == ("other", "other", "other")
    assert again.labels({"a": "v0", "b": "v0", "c": "v1"}) == ("v0", "v0", "v1")
    assert three_keys(again) == found
    assert again.known == labeller.known


def test_one_key_has_its_own_bound_alone() -> None:
    labeller = Labeller(("job",), 2)
    found = [labeller.labels({"job": job} if job else None) for job in ("a", "", "other", "b", "c")]
    assert found == [("a",), ("",), ("other",), ("b",), ("other",)]
    assert set(labeller.known) == {"job"}
