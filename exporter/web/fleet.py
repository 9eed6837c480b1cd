"""What the web server asks of the environments it shows."""

from typing import Protocol

from exporter.tracking.view import FleetView


class Fleet(Protocol):
    """Every environment watched, as `exporter.tracking.fleet.Fleet` provides it."""

    @property
    def ready(self) -> bool:
        """Whether it is known what is to be watched: every account has been asked once, well or not."""

    async def collect(self, deadline: float) -> FleetView:
        """Refresh what needs it and return the newest view, at the latest at the deadline on the loop's clock."""

    def view(self) -> FleetView:
        """The newest view, without refreshing anything."""

    def interrupt(self) -> None:
        """Let every `collect` under way return now, with the newest view."""
