"""Ten random scenarios: every number of a collection and of a scrape is what the simulator's own state says."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import pytest

from exporter.simulator import STATES, ManualClock, Options, Simulation, SimulatorThread, Times
from exporter.simulator.options import EnvelopeField, StatsField
from tests.end_to_end.running import Exporter, exporter, once, written
from tests.end_to_end.truth import Key, differences, series_of
from tests.support.waiting import eventually

SEEDS = range(10)
PASTS = (0, 1, 99, 100, 101, 350)
TOKEN = "must-never-be-shown"
NAMES = ("gpu workers", 'say "hello"', "back\\slash", "two\nlines", "任务 ü", "", "gpu workers")


@dataclass(frozen=True, slots=True)
class Scene:
    """Ten environments on a clock that stands still, and what the exporter says of them.

    Attributes:
        simulation: The account.
        environment_ids: An environment for each seed.
        texts: The exposition, by how it was got.
    """

    simulation: Simulation
    environment_ids: tuple[str, ...]
    texts: dict[str, str]


def random_options(randomness: random.Random) -> Options:
    """A deployment that differs from the documentation wherever it may."""
    omit: set[EnvelopeField] = {field for field in get_args(EnvelopeField) if randomness.random() < 0.3}
    if {"has_more", "next_page"} <= omit:
        omit.remove(randomness.choice(["has_more", "next_page"]))
    stats: list[StatsField] = [field for field in get_args(StatsField) if randomness.random() < 0.3]
    return Options(
        unknown_cursor=randomness.choice(["compare", "not_found", "invalid", "empty"]),
        page_cap=randomness.choice([7, 20, 50, 99, 100]),
        omit=frozenset(omit),
        null_stats=frozenset(stats[:1]),
        absent_stats=frozenset(stats[1:]),
        depth_includes_pending=randomness.random() < 0.3,
        pending_window_seconds=randomness.choice([5.0, None]),
        secret="everywhere",
        error_request_id=randomness.random() < 0.5,
    )


def fill(simulation: Simulation, environment_id: str, past: int, randomness: random.Random) -> None:
    """Give an environment a past of so many items, and a present of any kind."""
    simulation.create_history(environment_id, past)
    now = simulation.clock.now()
    states = randomness.choices([*STATES, "paused", "a new\nstate"], k=randomness.choice([0, 1, 5, 120]))
    for state in states:
        steps = sorted(randomness.uniform(-5, 10 ** randomness.uniform(0, 5.5)) for _ in range(5))
        heartbeat, stop_requested, started, acknowledged, created = (now - step for step in steps)
        times: Times = {"acknowledged_at": acknowledged, "started_at": started, "latest_heartbeat_at": heartbeat}
        if state == "queued":
            times = {}
        elif state == "starting":
            times = {"acknowledged_at": acknowledged}
        elif state in ("stopping", "stopped"):
            times["stop_requested_at"] = stop_requested
        if state == "active" and randomness.random() < 0.3:
            times["latest_heartbeat_at"] = None
        simulation.create_work(environment_id, state=state, created_at=created, **times)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The ten scenarios, collected once and scraped once."""
    folder = tmp_path_factory.mktemp("scenarios")
    simulation = Simulation(clock=ManualClock(), seed=1, tokens=[TOKEN])
    environment_ids = []
    for seed in SEEDS:
        randomness = random.Random(seed)
        name = randomness.choice(NAMES)
        environment_ids.append(simulation.create_environment(name, options=random_options(randomness)))
        if seed > 0:  # the first environment stays as it was made
            fill(simulation, environment_ids[-1], PASTS[seed % len(PASTS)], randomness)
    with SimulatorThread(simulation) as api:
        config = {
            "accounts": [
                {"base_url": api.base_url, "token_env": "TOKEN", "page_interval": 0, "requests_per_second": 1000}
            ],
            "scrape": {"min_interval": 0},
        }
        variables = {"TOKEN": TOKEN}
        collected = once(written(folder, config), variables)
        assert (collected.returncode, collected.stderr) == (0, "")
        with exporter(folder, config, variables) as running:
            scraped = eventually(lambda: complete(running), "all of the history to be read")
            assert running.stop() == 0
        yield Scene(simulation, tuple(environment_ids), {"once": collected.stdout, "scrape": scraped})


def complete(running: Exporter) -> str | None:
    """A scrape in which every environment is complete."""
    text = running.scrape()
    seen = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith("qoder_work_history_complete{")]
    return text if seen == ["1.0"] * len(SEEDS) else None


def wrong_in(scene: Scene, seed: int, found: dict[Key, float]) -> dict[str, str]:
    """Where these numbers of a scenario differ from the simulator's state."""
    environment_id = scene.environment_ids[seed]
    options = scene.simulation.environment(environment_id).options
    truth = scene.simulation.truth(environment_id)
    return differences(found, truth, unknown_stats=options.null_stats | options.absent_stats)


@pytest.mark.parametrize("source", ["once", "scrape"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_true(scene: Scene, seed: int, source: str) -> None:
    assert wrong_in(scene, seed, series_of(scene.texts[source], scene.environment_ids[seed])) == {}


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_number_that_is_wrong_would_be_noticed(scene: Scene, seed: int) -> None:
    found = series_of(scene.texts["once"], scene.environment_ids[seed])
    for key in found:
        exact = not key[0].endswith(("age_seconds", "lag_seconds", "_bucket", "_gsum"))
        assert set(wrong_in(scene, seed, found | {key: found[key] + (1 if exact else 1000)})) == {str(key)}
        assert set(wrong_in(scene, seed, {other: found[other] for other in found if other != key})) == {str(key)}


def test_the_scenarios_have_all_there_can_be(scene: Scene) -> None:
    truths = [scene.simulation.truth(environment_id) for environment_id in scene.environment_ids]
    for state in (*STATES, "paused", "a new\nstate"):
        assert any(truth.counts.get(state) for truth in truths)
    assert any(not truth.items for truth in truths)
    assert any(len(truth.items) > 300 for truth in truths)


@pytest.mark.parametrize("source", ["once", "scrape"])
def test_what_is_secret_stays_secret(scene: Scene, source: str) -> None:
    assert TOKEN not in scene.texts[source]
    assert scene.simulation.secret("work_1").startswith("wsk-")
    assert "wsk-" not in scene.texts[source]
