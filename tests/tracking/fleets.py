"""A fleet on a simulated account, in virtual time."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx

from exporter.api.client import ClientSettings
from exporter.simulator import Simulation, create_app
from exporter.tracking.fleet import Fleet
from exporter.tracking.settings import AccountSettings, TrackingSettings
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView, FleetView
from tests.support.settings import account_settings, client_settings, tracking_settings
from tests.tracking.harness import BASE_URL, Forgetful, GivenToken, PassingClock
from tests.tracking.virtual_time import VirtualLoop, VirtualTime

T = TypeVar("T")


class Account:
    """A simulated account, and the exporter's fleet on it.

    Args:
        virtual: Time that passes by itself.
        tracking: How environments are tracked.
        **account: Further settings of the account.

    Attributes:
        ahead: Seconds by which this machine's clock is ahead of the API's.
    """

    def __init__(self, virtual: VirtualTime, tracking: TrackingSettings | None = None, **account: Any) -> None:
        self.virtual = virtual
        self.clock = PassingClock(virtual)
        self.ahead = 0.0
        self.simulation = Simulation(clock=self.clock, seed=1)
        self.transport = Forgetful(httpx.ASGITransport(create_app(self.simulation)))
        self.runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(virtual))
        self.tracking = tracking or tracking_settings()
        self.settings = account_settings("default", self.reach(), **{"page_interval": 0.0, **account})
        self.fleet = self.new_fleet()

    def now(self) -> float:
        """Unix time on this machine's clock."""
        return self.clock.now() + self.ahead

    def reach(self, token: str | None = None) -> ClientSettings:
        """How to reach the account."""
        return client_settings(
            BASE_URL, GivenToken() if token is None else GivenToken(token), requests_per_second=1_000_000
        )

    def new_fleet(self, *accounts: AccountSettings) -> Fleet:
        """A fleet as another process would make it."""
        return Fleet(accounts or [self.settings], self.tracking, now=self.now, transport=self.transport)

    def environment(self, name: str, *states: str, **kwargs: Any) -> str:
        """Create an environment with items in these states."""
        environment_id = self.simulation.create_environment(name, **kwargs)
        for state in states:
            self.simulation.create_work(environment_id, state=state)
        return environment_id

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end."""
        return self.runner.run(work)

    def start(self) -> None:
        """Start the fleet."""
        self.run(self.fleet.start())

    def collect(self, seconds: float = 10.0, only: EnvironmentIdentity | None = None) -> FleetView:
        """What a scraper that waits so long is shown."""
        self.transport.requests.clear()
        return self.run(self.fleet.collect(time.monotonic() + seconds, only))

    def wait(self, seconds: float) -> None:
        """Let time pass, everywhere, with whatever the fleet does meanwhile."""
        self.run(asyncio.sleep(seconds))

    def restart(self) -> None:
        """Stop the fleet, and start another one."""
        self.run(self.fleet.close())
        self.fleet = self.new_fleet()
        self.start()

    def close(self) -> None:
        """Stop everything."""
        self.run(self.fleet.close())
        self.runner.close()

    @property
    def endpoints(self) -> list[str]:
        """The requests since the newest collection began, by the last part of their path."""
        return [request.url.path.rsplit("/", 1)[-1] for request in self.transport.requests]


def shown(view: FleetView) -> dict[str, dict[str, int] | None]:
    """The counts of each environment by its name, without zeros; None where they are withheld."""
    return {environment.environment.name: counts(environment) for environment in view.environments}


def counts(view: EnvironmentView) -> dict[str, int] | None:
    """The counts of one environment, without zeros; None where they are withheld."""
    if view.snapshot is None or view.snapshot.queue is None:
        return None
    return {state: count for (state, _), count in view.snapshot.counts.items() if count}


def by_name(view: FleetView, name: str) -> EnvironmentView:
    """One environment."""
    (found,) = (each for each in view.environments if each.environment.name == name)
    return found
