"""One account: its client, its settings, and the environments that it discovers."""

from collections.abc import Callable

import httpx

from exporter.api.client import WorkAPI
from exporter.tracking.ad_hoc import AdHoc
from exporter.tracking.discovery import Discovery
from exporter.tracking.schedule import Schedule
from exporter.tracking.settings import AccountSettings, TrackingSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import AccountView, Conflict, EnvironmentIdentity, GoneEnvironment

Key = tuple[str, str]
"""What an environment is, whoever reads it: the API's address and the ID."""


class Account:
    """One account's client and discovery.

    Args:
        settings: What is configured.
        tracking: How environments that are not watched are read.
        changed: Called when the account has discovered something else than before.
        now: Unix time on this machine's clock.
        transport: Replaces the network, for tests.

    Raises:
        Exception: The client cannot be made: certificates or proxies are set up in a way that cannot be used.

    Attributes:
        watched: How many environments are read through the account.
        conflicts: Those that it sees, and that an account before it reads.
        gone: Those that have left it lately, and when, on the clock of ``spans``.
        schedule: In which order its environments are refreshed.
        ad_hoc: Environments that are not watched, and read when somebody asks for them.
    """

    def __init__(
        self,
        settings: AccountSettings,
        tracking: TrackingSettings,
        changed: Callable[[], None],
        *,
        now: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.settings = settings
        self.api = WorkAPI(settings.client, now=now, transport=transport)
        self.discovery = Discovery(settings, self.api, changed)
        self.watched = 0
        self.conflicts: tuple[Conflict, ...] = ()
        self.gone: dict[str, tuple[float, GoneEnvironment]] = {}
        self.schedule = Schedule(settings.client, tracking.max_staleness)
        self.ad_hoc = AdHoc(settings.name, self._unwatched_tracker)
        self._tracking = tracking
        self._now = now

    def key(self, environment_id: str) -> Key:
        """Return what the environment is, whoever reads it."""
        url = httpx.URL(self.settings.client.base_url)
        return (f"{url.scheme}://{url.netloc.decode('ascii')}{url.path.rstrip('/')}", environment_id)

    def succeed(self, predecessor: "Account") -> None:
        """Take over what another client of this account has counted; the discoveries, too, if it is the same API."""
        self.api.counts, self.api.restarts = predecessor.api.counts, predecessor.api.restarts
        if predecessor.key("") == self.key(""):
            self.api.clock = predecessor.api.clock
            self.discovery = predecessor.discovery
            self.gone = predecessor.gone

    def reconfigure(self, settings: AccountSettings, tracking: TrackingSettings) -> None:
        """Go on by other settings that need no other client."""
        self.settings, self._tracking = settings, tracking
        self.schedule.reconfigure(settings.client, tracking.max_staleness)
        self.discovery.reconfigure(settings, self.api)

        def change(tracker: Tracker) -> None:
            tracker.reconfigure(self.api, tracking, page_interval=settings.page_interval)

        self.ad_hoc.reconfigure(settings.name, change)

    async def close(self, *, discovery: bool = True) -> None:
        """Stop everything under way but the trackers, and close the connections.

        Args:
            discovery: Whether to stop the discoveries too; not where a successor has taken them over.
        """
        self.schedule.close()
        if discovery:
            await self.discovery.close()
        await self.ad_hoc.close()
        await self.api.close()

    def _unwatched_tracker(self, identity: EnvironmentIdentity) -> Tracker:
        return Tracker(identity, self.api, self._tracking, page_interval=self.settings.page_interval, now=self._now)

    def view(self) -> AccountView:
        """What to show of the account itself."""
        return AccountView(
            name=self.settings.name,
            requests=self.api.counts,
            clock_skew=self.api.clock.skew,
            environments=self.watched,
            discovery_up=self.discovery.up,
            discovery_error=self.discovery.error,
            discovery_failure=self.discovery.failure,
            client_restarts=self.api.restarts,
            gone=tuple(gone for _, gone in self.gone.values()),
            unmatched=self.discovery.selection.unmatched,
            conflicts=self.conflicts,
            skipped=self.discovery.skipped,
        )
