"""Ready-made accounts to look at: environments with a past, work under way, and whoever goes on with it."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from exporter.simulator.actors import Actor, acting
from exporter.simulator.clock import Clock
from exporter.simulator.history import Life
from exporter.simulator.options import Options
from exporter.simulator.server import SimulatorServer
from exporter.simulator.simulation import Simulation
from exporter.simulator.site import Site
from exporter.simulator.workers import EAGER, PATIENT, Holding

MINUTE, HOUR = 60.0, 3600.0

_CI = tuple({"job": job, "team": team} for job, team in (("unit", "web"), ("lint", "web"), ("build", "core")))
_ETL = tuple({"job": job, "team": "data"} for job in ("import", "transform", "export"))
_REPORTS = ({"job": "daily-report", "team": "finance"},)
_TRAINING = ({"job": "train", "team": "research"}, {"job": "evaluate", "team": "research"})
_DOCS = ({"job": "preview", "team": "docs"},)

_CI_WORKER = replace(PATIENT, name="runner", run=(8.0, 30.0), interval=5.0, drain=(2.0, 6.0))
_ETL_WORKER = replace(EAGER, name="etl", startup=(0.3, 0.8), run=(3.0, 7.0), interval=2.0, ttl_seconds=20)
_GPU_WORKER = replace(EAGER, name="gpu", startup=(2.0, 5.0), run=(40.0, 120.0), interval=10.0, heeds_stop=True)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A simulation and who acts on it.

    Attributes:
        name: One of `SCENARIOS`.
        simulation: Its state; work is under way already.
        actors: Workers, producers and operators, to be given to `acting` or `play`.
    """

    name: str
    simulation: Simulation
    actors: tuple[Actor, ...]


def _demo(simulation: Simulation) -> Iterator[Site]:
    """What an operator has to tell apart at a glance: good, busy, stuck, dead, idle, and not self-hosted at all."""
    yield _steady_runners(simulation, history=5000)
    yield _growing_backlog(simulation)
    yield _stuck_items(simulation)
    yield _dead_worker(simulation)
    yield from _quiet_ones(simulation)


def _healthy(simulation: Simulation) -> Iterator[Site]:
    """An account in which nothing is wrong."""
    yield _steady_runners(simulation, history=2000)
    etl = Site(simulation, "batch-etl", _ETL, history=1000, life=Life(wait=6, run=5))
    etl.busy_workers(_ETL_WORKER, 1, 2)
    for _ in range(4):
        etl.worker(replace(_ETL_WORKER, idle=(1.0, 3.0)))
    etl.work_in_bursts(size=20, spread=25, calm=95)
    yield etl
    yield from _quiet_ones(simulation)


def _steady_runners(simulation: Simulation, *, history: int) -> Site:
    """Work comes and goes; a little waits, most is picked up at once."""
    site = Site(simulation, "ci-runners", _CI, history=history, life=Life(wait=3, run=20, drained=0.1))
    site.queued(2, 1)
    site.busy_workers(_CI_WORKER, 25, 14, 9, 3)
    for _ in range(3):
        site.worker(_CI_WORKER)
    site.work_steadily(interval=5)
    site.stop_items(interval=40)
    return site


def _growing_backlog(simulation: Simulation) -> Site:
    """More comes in than five workers can do, for a minute; then they catch up. One of them crashes now and then."""
    site = Site(simulation, "batch-etl", _ETL, history=2000, life=Life(wait=20, run=5))
    site.queued(*range(50, 0, -2))
    site.busy_workers(_ETL_WORKER, 6, 4, 3, 2)
    site.worker(replace(_ETL_WORKER, name="etl-spot", ttl_seconds=10, dies="after_heartbeat", dies_at=12, restart=20))
    site.work_in_bursts(size=90, spread=60, calm=60)
    return site


def _stuck_items(simulation: Simulation) -> Site:
    """An item that never started, one whose heartbeat is lost, one that does not finish stopping; more will join.

    Leases never lapse here: what is stuck stays where it is.
    """
    site = Site(
        simulation,
        "gpu-workers",
        _TRAINING,
        options=Options(lease_expiry="keep"),
        history=800,
        life=Life(wait=15, startup=4, run=80),
    )
    site.starting(25 * MINUTE)
    site.active(50 * MINUTE, heartbeat_age=18 * MINUTE)
    draining = site.stopping(2 * HOUR, stop_age=35 * MINUTE, heartbeat_age=4)
    site.worker(replace(_GPU_WORKER, name="gpu-slow", heeds_stop=False), Holding(draining, 2 * HOUR))
    site.busy_workers(_GPU_WORKER, 70, 30)
    site.worker(replace(_GPU_WORKER, anonymous=True))
    site.worker(replace(_GPU_WORKER, name="gpu-crash", dies="after_ack"))
    site.worker(replace(_GPU_WORKER, name="gpu-lost", dies="after_heartbeat"))
    site.work_steadily(interval=40)
    return site


def _dead_worker(simulation: Simulation) -> Site:
    """The only worker died after an ack; work waits, and nobody polls."""
    site = Site(simulation, "nightly-reports", _REPORTS, history=1200, life=Life(wait=5, run=40))
    site.starting(26 * MINUTE)
    site.queued(*(minutes * MINUTE for minutes in (25, 22, 19, 16, 12, 9, 5, 2)))
    site.work_steadily(interval=90)
    return site


def _quiet_ones(simulation: Simulation) -> Iterator[Site]:
    """A worker without work, and two environments that have none: one in the cloud, one archived."""
    idle = Site(simulation, "docs-preview", _DOCS, history=300)
    idle.worker(replace(PATIENT, name="docs", run=(5.0, 10.0)))
    yield idle
    yield Site(simulation, "cloud-sandbox", _DOCS, kind="cloud")
    yield Site(simulation, "old-runners", _CI, archived=True, history=500)


SCENARIOS: Mapping[str, Callable[[Simulation], Iterator[Site]]] = {"demo": _demo, "healthy": _healthy}
"""The scenarios by name."""


def set_up(name: str, *, clock: Clock | None = None, seed: int = 0) -> Scenario:
    """Return a scenario, ready to be played.

    Args:
        name: One of `SCENARIOS`.
        clock: What time it is; the machine's clock by default.
        seed: Of all randomness.

    Raises:
        ValueError: There is no such scenario.
    """
    if name not in SCENARIOS:
        raise ValueError(f"scenario: must be one of {', '.join(SCENARIOS)}, got {name}")
    simulation = Simulation(clock=clock, seed=seed)
    actors = [actor for site in SCENARIOS[name](simulation) for actor in site.actors]
    return Scenario(name, simulation, tuple(actors))


@asynccontextmanager
async def play(scenario: Scenario, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[SimulatorServer]:
    """Serve a scenario and let its actors act, inside this block.

    Raises:
        OSError: The address cannot be listened on.
    """
    simulation = scenario.simulation
    async with (
        SimulatorServer(simulation, host, port) as server,
        acting(scenario.actors, simulation.clock, server.base_url),
    ):
        yield server
