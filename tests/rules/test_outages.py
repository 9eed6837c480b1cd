"""Outages as timelines: what fires goes on, nothing fires because of the gap, and the recovery opens nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rules.evaluating import Firing, firings
from tests.rules.outages import INCIDENT, dead, healthy, of, restarted, unread
from tests.rules.queues import TARGET, Queue
from tests.rules.shapes import SHAPES

pytestmark = pytest.mark.program("promtool")

BEGINS = 90
"""The minute at which each outage begins: by then everything fires that will."""

OUTAGES = {"QoderWorkApiDown", "QoderWorkEnvironmentDown", "QoderWorkExporterDown", "QoderWorkExporterAbsent"}


def at_a_stretch(found: dict[tuple[str, str], Firing], names: set[str], about: str, end: int) -> None:
    """Each of these alerts fires without an end from before the outage to the end."""
    for name in names:
        firing = found[name, about]
        assert firing.first < BEGINS, name
        assert (firing.last, firing.times) == (end, "at a stretch"), name


outages = pytest.mark.parametrize("minutes", [2, 10, 60])


@outages
@pytest.mark.parametrize("make", [healthy, dead])
@pytest.mark.parametrize("everybody", [False, True], ids=["exporter-blind", "api-down"])
def test_an_outage_of_the_api(make: Callable[..., Queue], minutes: int, everybody: bool, tmp_path: Path) -> None:
    end = BEGINS + minutes + 60
    stands = (BEGINS * 60, (BEGINS + minutes) * 60) if everybody else (0, 0)
    values = unread(make(stands=stands).play(end), BEGINS, BEGINS + minutes)

    found = firings(values, end, tmp_path)

    incident = INCIDENT if make is dead else set()
    at_a_stretch(found, incident, "gpu", end)
    others = {name for name, _ in found} - incident
    assert others == ({"QoderWorkApiDown", "QoderWorkEnvironmentDown"} if minutes > 2 else set())
    for name in others:
        (firing,) = (firing for (alert, _), firing in found.items() if alert == name)
        assert BEGINS < firing.first <= BEGINS + 8
        assert (firing.last <= BEGINS + minutes + 4, firing.times) == (True, "at a stretch")


@outages
def test_one_environment_of_two_cannot_be_read(minutes: int, tmp_path: Path) -> None:
    end = BEGINS + minutes + 60
    values = unread({**healthy("cpu").play(end), **dead().play(end)}, BEGINS, BEGINS + minutes)

    found = firings(values, end, tmp_path)

    at_a_stretch(found, INCIDENT, "gpu", end)
    assert set(found) - {(name, "gpu") for name in INCIDENT} == (
        {("QoderWorkEnvironmentDown", "gpu")} if minutes > 2 else set()
    )


@outages
def test_only_the_statistics_are_missing(minutes: int, tmp_path: Path) -> None:
    end = BEGINS + minutes + 60
    values = {
        name: [
            None if "workers_polling" in name and BEGINS <= minute < BEGINS + minutes else value
            for minute, value in enumerate(row)
        ]
        for name, row in dead().play(end).items()
    }

    found = firings(values, end, tmp_path)

    at_a_stretch(found, INCIDENT, "gpu", end)
    assert {name for name, _ in found} == INCIDENT


@pytest.mark.parametrize("make", [healthy, dead])
@pytest.mark.parametrize(("down", "incomplete"), [(1, 0), (2, 10), (10, 0), (60, 5)])
def test_the_exporter_is_gone_and_comes_back(
    make: Callable[..., Queue], down: int, incomplete: int, tmp_path: Path
) -> None:
    end = BEGINS + down + incomplete + 60
    values = restarted(make().play(end), BEGINS, down, incomplete)

    found = firings(values, end, tmp_path)

    incident = INCIDENT if make is dead else set()
    at_a_stretch(found, incident, "gpu", end)
    others = {name for name, _ in found} - incident
    assert others == ({"QoderWorkExporterDown", "QoderWorkExporterAbsent"} if down >= 10 else set())


@pytest.mark.parametrize("make", [healthy, dead])
def test_one_side_of_a_pair_is_blind(make: Callable[..., Queue], tmp_path: Path) -> None:
    end = BEGINS + 60
    values = make().play(end)
    other = {name.replace("a:10190", "b:10190"): row for name, row in values.items()}

    found = firings({**values, **unread(other, BEGINS, end + 1)}, end, tmp_path)

    incident = INCIDENT if make is dead else set()
    at_a_stretch(found, incident, "gpu", end)
    assert {name for name, _ in found} - incident == {"QoderWorkRedundancyLost"}
    assert found["QoderWorkRedundancyLost", "gpu"].first <= BEGINS + 14


def test_an_incident_that_ends_during_an_outage_ends_after_it(tmp_path: Path) -> None:
    end = BEGINS + 90
    ill, well = dead().play(end), healthy().play(end)
    recovered = {
        name: [row[minute] if minute < BEGINS + 10 else well[name][minute] for minute in range(end + 1)]
        for name, row in ill.items()
    }

    found = firings(unread(recovered, BEGINS, BEGINS + 20), end, tmp_path)

    for name in INCIDENT:
        firing = found[name, "gpu"]
        assert BEGINS + 19 <= firing.last <= BEGINS + 25, name
        assert firing.times == "at a stretch", name


def test_an_environment_that_leaves_lets_its_alerts_go(tmp_path: Path) -> None:
    end = BEGINS + 60
    values = {
        name: [None if of(name, "gpu") and minute >= BEGINS else value for minute, value in enumerate(row)]
        for name, row in dead().play(end).items()
    }

    found = firings(values, end, tmp_path)

    assert {name for name, _ in found} == {*INCIDENT, "QoderWorkEnvironmentGone"}
    assert all(found[name, "gpu"].last <= BEGINS + 4 for name in INCIDENT)
    assert found["QoderWorkEnvironmentGone", "gpu"].first <= BEGINS + 14
    assert TARGET in next(iter(values))


@pytest.mark.parametrize("first", [50, 51, 52])
def test_whoever_just_begins_to_look_at_a_batch_that_is_worked_off_pages_nobody(first: int, tmp_path: Path) -> None:
    """A new Prometheus, or a new environment: between two rounds of items nothing is acknowledged for minutes."""
    end = first + 40
    values = SHAPES["hourly"].queue().play(end)
    unseen = {
        name: [None if minute < first else row[minute] for minute in range(end + 1)] for name, row in values.items()
    }

    found = firings(unseen, end, tmp_path)

    assert {name for (name, _), firing in found.items() if firing.last >= first} == {
        "QoderWorkQueueWaitBudgetBurningSlowly"
    }
