"""From a simulated environment's items to series: what is filled with zeros, and what is bounded."""

from collections.abc import Iterator

import pytest

from exporter.simulator import STATES
from exporter.tracking.view import FleetView
from tests.metrics.views import account, of, samples
from tests.support.settings import tracking_settings
from tests.tracking.harness import Watched


@pytest.fixture
def watched() -> Iterator[Watched]:
    """An environment whose items' job becomes a label, with room for two jobs."""
    with Watched(settings=tracking_settings(min_interval=0, metadata_keys=("job",), max_label_values=2)) as watched:
        yield watched


def counts(watched: Watched) -> dict[tuple[str, ...], float]:
    """The items by job and state, as they are exposed."""
    view = watched.refresh()
    assert view.up, view.error
    return of(samples(FleetView((view,), (account(),), watched.settings.metadata_keys)), "qoder_work_items")


def test_every_documented_state_of_an_empty_environment_is_zero(watched: Watched) -> None:
    assert counts(watched) == {("", state): 0 for state in STATES}


def test_a_state_that_is_empty_again_is_zero_again(watched: Watched) -> None:
    work_id = watched.simulation.create_work(watched.id)
    assert counts(watched)["", "queued"] == 1
    watched.simulation.force(watched.id, work_id, "active")
    assert (counts(watched)["", "queued"], counts(watched)["", "active"]) == (0, 1)


def test_a_state_this_version_does_not_know_has_its_own_name(watched: Watched) -> None:
    watched.simulation.create_work(watched.id, state="paused")
    assert counts(watched) == {("", state): 0 for state in STATES} | {("", "paused"): 1}


def test_of_many_unknown_states_five_are_shown(watched: Watched) -> None:
    for number in range(8):
        watched.simulation.create_work(watched.id, state=f"unknown-{number}")
    shown = counts(watched)
    assert {state for _, state in shown} == {*STATES, *(f"unknown-{number}" for number in range(5)), "other"}
    assert shown["", "other"] == 3
    assert sum(shown.values()) == 8


def test_jobs_beyond_the_bound_are_counted_together(watched: Watched) -> None:
    for job in ("a", "b", "b", "c", "d", "a"):
        watched.simulation.create_work(watched.id, metadata={"job": job})
    watched.simulation.create_work(watched.id, state="stopped", metadata={"job": "a"})
    watched.simulation.create_work(watched.id, state="stopped", metadata={"team": "red"})
    zeros = {("", state): 0 for state in ("starting", "active", "stopping")}
    assert counts(watched) == zeros | {
        ("a", "queued"): 2,
        ("b", "queued"): 2,
        ("other", "queued"): 2,
        ("a", "stopped"): 1,
        ("", "stopped"): 1,
    }


def test_counters_that_have_not_changed_are_the_same_object_and_never_change_later(watched: Watched) -> None:
    before = watched.refresh().lifecycle
    assert before is not None
    assert watched.refresh().lifecycle is before
    watched.simulation.create_work(watched.id)
    after = watched.refresh().lifecycle
    assert after is not None
    assert (before.created, after.created) == (0, 1)
    assert watched.refresh().lifecycle is after
