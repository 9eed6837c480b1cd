"""Sets up one environment of a scenario: its past, the work under way, and its workers."""

from collections.abc import Mapping, Sequence
from typing import Unpack

from exporter.simulator.actors import Actor
from exporter.simulator.environment import EnvironmentKind
from exporter.simulator.history import Life
from exporter.simulator.item import ACTIVE, STARTING, STOPPING
from exporter.simulator.options import Options
from exporter.simulator.producers import BurstProducer, Operator, SteadyProducer
from exporter.simulator.simulation import Simulation, Times
from exporter.simulator.workers import Holding, Profile, Worker

DAY = 86400.0


class Site:
    """An environment of a scenario, and who acts in it. Ages are in seconds before now.

    Args:
        simulation: Where.
        name: The environment's name.
        metadata: What its items may carry.
        kind: Self-hosted or cloud.
        archived: Whether it is archived.
        options: Its own options.
        history: How many items have stopped, over the last three days.
        life: How these went.

    Attributes:
        environment_id: The environment's ID.
        actors: Who acts in it.
    """

    def __init__(
        self,
        simulation: Simulation,
        name: str,
        metadata: Sequence[Mapping[str, str]],
        *,
        kind: EnvironmentKind = "self_hosted",
        archived: bool = False,
        options: Options | None = None,
        history: int = 0,
        life: Life | None = None,
    ) -> None:
        self._simulation = simulation
        self._seed = f"{simulation.seed} {name}"
        self._metadata = metadata
        self.actors: list[Actor] = []
        self.environment_id = simulation.create_environment(name, kind=kind, archived=archived, options=options)
        simulation.create_history(
            self.environment_id, history, oldest_age=3 * DAY, life=life or Life(), metadata=metadata
        )

    def queued(self, *ages: float) -> None:
        """Add items of these ages that wait."""
        for age in ages:
            self._add(age)

    def starting(self, age: float) -> str:
        """Add an item that was acknowledged a second after its creation, and return its ID."""
        return self._add(age, STARTING, acknowledged_at=self._ago(age - 1))

    def active(self, age: float, *, heartbeat_age: float) -> str:
        """Add an item that runs and had its latest heartbeat so long ago, and return its ID."""
        return self._add(age, ACTIVE, **self._run(age, heartbeat_age))

    def stopping(self, age: float, *, stop_age: float, heartbeat_age: float) -> str:
        """Add an item that was asked to stop so long ago, and return its ID."""
        times = self._run(age, heartbeat_age)
        times["stop_requested_at"] = self._ago(stop_age)
        return self._add(age, STOPPING, **times)

    def work_steadily(self, *, interval: float) -> None:
        """Let work come in, one item every ``interval`` seconds on average."""
        self.actors.append(
            SteadyProducer(
                self._simulation, self.environment_id, self._seed, interval=interval, metadata=self._metadata
            )
        )

    def work_in_bursts(self, *, size: int, spread: float, calm: float) -> None:
        """Let ``size`` items come in within ``spread`` seconds, then none for ``calm`` seconds, and so on."""
        self.actors.append(
            BurstProducer(
                self._simulation,
                self.environment_id,
                self._seed,
                size=size,
                spread=spread,
                calm=calm,
                metadata=self._metadata,
            )
        )

    def stop_items(self, *, interval: float) -> None:
        """Let an operator ask an item to stop every ``interval`` seconds."""
        self.actors.append(Operator(self._simulation, self.environment_id, interval=interval))

    def worker(self, profile: Profile, holding: Holding | None = None) -> None:
        """Add a worker."""
        self.actors.append(
            Worker(self.environment_id, profile, f"{self._seed} {len(self.actors)}", holding),
        )

    def busy_workers(self, profile: Profile, *ages: float) -> None:
        """Add a worker for each age, busy with an item of this age; it ends it within the profile's running time."""
        for number, age in enumerate(ages, start=1):
            work_id = self.active(age, heartbeat_age=min(age / 2, profile.interval / 2))
            shortest, longest = profile.run
            self.worker(profile, Holding(work_id, shortest + (longest - shortest) * number / len(ages)))

    def _run(self, age: float, heartbeat_age: float) -> Times:
        return Times(
            acknowledged_at=self._ago(age * 0.9),
            started_at=self._ago(age * 0.8),
            latest_heartbeat_at=self._ago(heartbeat_age),
        )

    def _ago(self, age: float) -> float:
        return self._simulation.clock.now() - age

    def _add(self, age: float, state: str = "queued", **times: Unpack[Times]) -> str:
        metadata = self._metadata[int(age) % len(self._metadata)]
        work_id = self._simulation.commit_late(self.environment_id, age, state=state, metadata=metadata)
        self._simulation.force(self.environment_id, work_id, **times)
        return work_id
