"""What makes work, and what asks for its end: the control plane's part, and an operator's."""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress

import httpx

from exporter.simulator.client import Refused, WorkClient
from exporter.simulator.clock import Clock
from exporter.simulator.item import ACTIVE
from exporter.simulator.simulation import Simulation

Metadata = Sequence[Mapping[str, str]]
"""Each new item gets one of these at random."""


class SteadyProducer:
    """Creates work at random moments, at a steady rate.

    Args:
        simulation: Where.
        environment_id: In which environment.
        seed: Of the moments and the choice of metadata.
        interval: Mean seconds between items.
        metadata: What the items may carry.
    """

    def __init__(
        self, simulation: Simulation, environment_id: str, seed: str, *, interval: float, metadata: Metadata
    ) -> None:
        self._simulation = simulation
        self._environment_id = environment_id
        self._random = random.Random(f"{seed} steady")
        self._interval = interval
        self._metadata = metadata

    async def act(self, _: WorkClient, clock: Clock) -> None:
        """Create work until cancelled."""
        while True:
            await clock.sleep(self._random.expovariate(1 / self._interval))
            self._simulation.create_work(self._environment_id, metadata=self._random.choice(self._metadata))


class BurstProducer:
    """Creates work in bursts with calm in between.

    Args:
        simulation: Where.
        environment_id: In which environment.
        seed: Of the choice of metadata.
        size: Items in a burst.
        spread: Seconds that a burst lasts.
        calm: Seconds from the end of a burst to the next one.
        metadata: What the items may carry.
    """

    def __init__(
        self,
        simulation: Simulation,
        environment_id: str,
        seed: str,
        *,
        size: int,
        spread: float,
        calm: float,
        metadata: Metadata,
    ) -> None:
        self._simulation = simulation
        self._environment_id = environment_id
        self._random = random.Random(f"{seed} bursts")
        self._size = size
        self._spread = spread
        self._calm = calm
        self._metadata = metadata

    async def act(self, _: WorkClient, clock: Clock) -> None:
        """Create work until cancelled; the first burst begins at once."""
        while True:
            for _item in range(self._size):
                self._simulation.create_work(self._environment_id, metadata=self._random.choice(self._metadata))
                await clock.sleep(self._spread / self._size)
            await clock.sleep(self._calm)


class Operator:
    """Asks the latest active item to stop, gracefully and through the API, every now and then.

    Args:
        simulation: Where to look for an active item.
        environment_id: In which environment.
        interval: Seconds between two stops.
    """

    def __init__(self, simulation: Simulation, environment_id: str, *, interval: float) -> None:
        self._simulation = simulation
        self._environment_id = environment_id
        self._interval = interval

    async def act(self, client: WorkClient, clock: Clock) -> None:
        """Stop items until cancelled; a stop that fails is not tried again."""
        while True:
            await clock.sleep(self._interval)
            active = self._simulation.truth(self._environment_id, live_only=True).in_state(ACTIVE)
            if active:
                with suppress(Refused, httpx.HTTPError):
                    await client.stop(self._environment_id, active[-1].id)
