"""All environments of all accounts: refreshed together, each by itself, and shown as one view."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
import structlog

from exporter.api.client import WorkAPI
from exporter.tracking.ad_hoc import AdHoc
from exporter.tracking.checkpoint import Checkpoint
from exporter.tracking.discovery import Discovery
from exporter.tracking.observation import Observation
from exporter.tracking.record import EnvironmentRecord, copied
from exporter.tracking.settings import AccountSettings, TrackingSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import AccountView, EnvironmentIdentity, EnvironmentView, FleetView

log = structlog.get_logger()


class Account:
    """One account's client, discovery and trackers."""

    def __init__(
        self,
        settings: AccountSettings,
        tracking: TrackingSettings,
        known: Callable[[str, str], EnvironmentRecord | None],
        checkpoint: Checkpoint | None,
        *,
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.api = WorkAPI(settings.client, now=now, transport=transport)
        self.discovery = Discovery(settings, self.api, self._watch)
        self.trackers: dict[str, Tracker] = {}
        self._tracking = tracking
        self._known = known
        self._checkpoint = checkpoint
        self._now = now
        self._closing: set[asyncio.Task[None]] = set()
        self.ad_hoc = AdHoc(settings.name, self._tracker)

    def view(self) -> AccountView:
        """What to show of the account itself."""
        return AccountView(
            name=self.settings.name,
            requests=self.api.counts,
            clock_skew=self.api.clock.skew,
            client_restarts=self.api.restarts,
            environments=len(self.trackers),
            discovery_up=self.discovery.up,
            discovery_error=self.discovery.error,
            discovery_failure=self.discovery.failure,
        )

    async def close(self) -> None:
        """Stop everything under way, and close the connections."""
        await self.discovery.close()
        await self.ad_hoc.close()
        await asyncio.gather(*(tracker.close() for tracker in self.trackers.values()), *self._closing)
        await self.api.close()

    def _watch(self, names: Mapping[str, str]) -> None:
        """Watch exactly these environments; those watched already keep what is known of them."""
        for environment_id in self.trackers.keys() - names.keys():
            log.info("no longer watched", account=self.settings.name, environment=environment_id)
            closing = asyncio.create_task(self._let_go(self.trackers.pop(environment_id)))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        trackers = {}
        for environment_id, name in names.items():
            identity = EnvironmentIdentity(environment_id, name, self.settings.name)
            if environment_id not in self.trackers:
                log.info("watching", account=self.settings.name, environment=environment_id, name=name)
                self.trackers[environment_id] = self._tracker(identity)
            trackers[environment_id] = self.trackers[environment_id]
            trackers[environment_id].environment = identity
        self.trackers = trackers

    async def _let_go(self, tracker: Tracker) -> None:
        """Stop watching an environment, and keep what is known of it when nothing can change that any more."""
        await tracker.close()
        if self._checkpoint is not None:
            self._checkpoint.keep(tracker.record())

    def _tracker(self, identity: EnvironmentIdentity) -> Tracker:
        return Tracker(
            identity,
            self.api,
            self._tracking,
            page_interval=self.settings.page_interval,
            record=self._known(self.api.settings.base_url, identity.id),
            now=self._now,
        )


CHECKPOINT_INTERVAL = 30.0
"""Seconds between two writings of the checkpoint, at the least."""


class Fleet:
    """Everything that is watched.

    Args:
        accounts: Where from.
        tracking: How.
        inherited: What another fleet in this process knows, which is newer than any checkpoint.
        now: Unix time on this machine's clock.
        transport: Replaces the network, for tests.
    """

    def __init__(
        self,
        accounts: Sequence[AccountSettings],
        tracking: TrackingSettings,
        *,
        inherited: Iterable[EnvironmentRecord] = (),
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._tracking = tracking
        self._inherited = {(record.base_url, record.environment_id): record for record in inherited}
        self._checkpoint = Checkpoint(tracking.checkpoint, now) if tracking.checkpoint is not None else None
        self._accounts = [
            Account(account, tracking, self._known, self._checkpoint, now=now, transport=transport)
            for account in accounts
        ]
        self._started = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._saving: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether every account has been asked once what is to be watched."""
        return self._started.is_set()

    async def start(self) -> None:
        """Look up what is to be watched; returns when every account has been asked once, well or not.

        The first refresh begins right then, so that a long history is under way before the first scrape.
        """
        if self._checkpoint is not None:
            self._checkpoint.load()
            self._saving = asyncio.create_task(self._save_regularly(self._checkpoint), name="checkpoint")
        await asyncio.gather(*(account.discovery.start() for account in self._accounts))
        self._started.set()
        for tracker in self._trackers():
            tracker.refresh(time.monotonic() + self._tracking.min_interval)

    async def collect(self, deadline: float, only: EnvironmentIdentity | None = None) -> FleetView:
        """Refresh what is old enough to be refreshed, and show the newest data at the latest at ``deadline``.

        The first call also waits for the first look-up, so that what it shows is all there is, by its right name.

        Args:
            deadline: On ``time.monotonic()``'s clock. What is not done by then goes on, and serves the next call.
            only: The one environment to refresh and wait for; None for all. What is shown is everything all the same.
        """
        if not self.ready:
            await self._until(self._started.wait(), deadline)
        refreshes = {task for tracker in self._trackers(only) if (task := tracker.refresh(deadline)) is not None}
        if refreshes:
            await self._until(asyncio.wait(refreshes), deadline)
        return self.view()

    async def complete(self) -> FleetView:
        """Read everything there is to read, however long it takes, and show it."""
        await asyncio.gather(*(tracker.complete() for tracker in self._trackers()))
        return self.view()

    def view(self) -> FleetView:
        """The newest data as they are."""
        return FleetView(
            environments=tuple(tracker.view() for tracker in self._trackers()),
            accounts=tuple(account.view() for account in self._accounts),
            metadata_keys=self._tracking.metadata_keys,
        )

    async def probe(self, environment_id: str, deadline: float, account: str | None = None) -> EnvironmentView | None:
        """Refresh and show an environment that is not watched; it is not part of any view.

        Args:
            environment_id: Its ID.
            deadline: On ``time.monotonic()``'s clock.
            account: The account to read it with; None for the only one.

        Returns:
            The environment, or None if it is not clear which account can read it.
        """
        found = [each for each in self._accounts if account in (None, each.settings.name)]
        return await found[0].ad_hoc.collect(environment_id, deadline) if len(found) == 1 else None

    def items(self, environment: EnvironmentIdentity) -> tuple[Observation, ...]:
        """The live items of an environment as last read, in the order of its list; none where it is not watched."""
        return next((tracker.items() for tracker in self._trackers(environment)), ())

    def records(self) -> list[EnvironmentRecord]:
        """What a fleet that takes over from this one must know, apart from what this one goes on to change."""
        return [copied(tracker.record()) for tracker in self._trackers()]

    def interrupt(self) -> None:
        """Let every call of :meth:`collect` under way, and every later one, show at once what there is."""
        self._interrupted.set()

    async def close(self) -> None:
        """Stop everything under way, write the checkpoint, and close the connections."""
        self.interrupt()
        if self._saving is not None:
            await self._saving
        await asyncio.gather(*(account.close() for account in self._accounts))
        if self._checkpoint is not None and self._saving is not None:
            await self._save(self._checkpoint)

    def _known(self, base_url: str, environment_id: str) -> EnvironmentRecord | None:
        """What is known of an environment from before it was watched here."""
        inherited = self._inherited.get((base_url, environment_id))
        if inherited is not None or self._checkpoint is None:
            return inherited
        return self._checkpoint.known(base_url, environment_id)

    def _trackers(self, only: EnvironmentIdentity | None = None) -> list[Tracker]:
        trackers = [tracker for account in self._accounts for tracker in account.trackers.values()]
        return trackers if only is None else [tracker for tracker in trackers if tracker.environment == only]

    async def _until(self, work: Coroutine[Any, Any, object], deadline: float) -> None:
        """Wait for some work until the deadline or an interruption, which end the waiting alone, not the work."""
        waits = {asyncio.create_task(work), asyncio.create_task(self._interrupted.wait())}
        timeout = max(0.0, deadline - time.monotonic())
        _, waiting = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()

    async def _save_regularly(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint now and then until the fleet is closed, which writes it once more."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._interrupted.wait(), CHECKPOINT_INTERVAL)
                return
            await self._save(checkpoint)

    async def _save(self, checkpoint: Checkpoint) -> None:
        """Write what has changed. A disk that is full is no reason to stop: what is in memory is still true."""
        content = checkpoint.encode(tracker.record() for tracker in self._trackers())
        if content is None:
            return
        try:
            await asyncio.to_thread(checkpoint.write, content)
        except OSError as error:
            log.error("checkpoint cannot be written", path=str(checkpoint.path), error=error.strerror)  # noqa: TRY400
