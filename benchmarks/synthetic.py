"""Environments that are busy, as they are shown, without an API: what the exposition is measured on."""

import random
from dataclasses import replace

from exporter.api.errors import REASONS
from exporter.histogram import Example, Histogram
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.snapshot import Queue, Snapshot, Stats
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView, FleetView

NOW = 1_782_892_800.0


def busy(environments: int) -> FleetView:
    """Return a fleet in which every environment has live items, counters, and exemplars in most buckets."""
    return FleetView(tuple(_environment(number, random.Random(number)) for number in range(environments)), ())


def later(view: FleetView) -> FleetView:
    """Return the same fleet after a refresh that has changed something in every environment."""
    return replace(view, environments=tuple(_later(environment) for environment in view.environments))


def _environment(number: int, chance: random.Random) -> EnvironmentView:
    return EnvironmentView(
        environment=EnvironmentIdentity(f"env_{number:032d}", f"pool-{number}", "default"),
        up=True,
        history_complete=True,
        snapshot=_snapshot(chance, NOW),
        lifecycle=_lifecycle(chance),
        refresh_duration=0.25,
        refresh_requests=3,
        failures=dict.fromkeys(REASONS, 0),
        error=None,
        progress=None,
    )


def _later(view: EnvironmentView) -> EnvironmentView:
    chance = random.Random(view.environment.id)
    if view.lifecycle is None:
        raise ValueError("the environment has no counters")
    lifecycle = view.lifecycle.copy()
    for histogram in (lifecycle.wait, lifecycle.startup, lifecycle.run, lifecycle.drain):
        histogram.observe(20.0, _example(chance, 20.0))
    return replace(view, snapshot=_snapshot(chance, NOW + 15), lifecycle=lifecycle)


def _snapshot(chance: random.Random, read_at: float) -> Snapshot:
    states = ("queued", "starting", "active", "stopping", "stopped")
    queue = Queue(
        counts={(state, ()): chance.randrange(1000) for state in states},
        oldest_age={state: chance.random() * 1000 for state in states[:-1]},
        oldest_queued_at=read_at - chance.random() * 1000,
        queue_age=_histogram(chance, 30),
        max_heartbeat_lag=chance.random() * 60,
        oldest_heartbeat_at=read_at - chance.random() * 60,
        heartbeat_lag=_histogram(chance, 30),
    )
    return Snapshot(read_at, queue, Stats(3, 1, 8, queue.oldest_queued_at, chance.random() * 1000))


def _lifecycle(chance: random.Random) -> Lifecycle:
    observed = [_histogram(chance, 200, exemplars=True) for _ in range(4)]
    return Lifecycle(4_500, 4_000, 20, 1, *observed)


def _histogram(chance: random.Random, count: int, *, exemplars: bool = False) -> Histogram:
    made = Histogram()
    for _ in range(count):
        value = 2 ** (chance.random() * 14)
        made.observe(value, _example(chance, value) if exemplars else None)
    return made


def _example(chance: random.Random, value: float) -> Example:
    labels = {name: f"{name[:4]}_{chance.getrandbits(128):032x}" for name in ("work_id", "session_id")}
    return Example(labels, value, NOW - chance.random() * 1000)
