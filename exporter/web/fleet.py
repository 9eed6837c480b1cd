"""What the web server asks of the environments it shows."""

from collections.abc import Sequence
from typing import Protocol

from exporter.tracking.observation import Observation
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView, FleetView


class Fleet(Protocol):
    """Every environment watched, as `exporter.tracking.fleet.Fleet` provides it."""

    @property
    def ready(self) -> bool:
        """Whether it is known what is to be watched: every account has been asked once, well or not."""

    async def collect(self, deadline: float, only: EnvironmentIdentity | None = None) -> FleetView:
        """Refresh what needs it and return the last view, at the latest at the deadline on the loop's clock.

        With ``only`` that environment alone is refreshed and waited for; what is returned is everything all the same.
        """

    async def probe(self, environment_id: str, deadline: float, account: str | None = None) -> EnvironmentView | None:
        """Refresh and show an environment that is not watched; None if it is not clear which account can read it."""

    def items(self, environment: EnvironmentIdentity) -> Sequence[Observation]:
        """The live items of an environment as last read."""

    def view(self) -> FleetView:
        """The newest view, without refreshing anything."""

    def interrupt(self) -> None:
        """Let every `collect` under way return now, with the newest view."""
