"""All environments of all accounts: refreshed together, each by itself, and shown as one view."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx

from exporter.tracking.account import Account
from exporter.tracking.keeper import Keeper
from exporter.tracking.observation import Observation
from exporter.tracking.record import EnvironmentRecord
from exporter.tracking.roster import Roster
from exporter.tracking.settings import AccountSettings, TrackingSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView, FleetView


class Fleet:
    """Everything that is watched.

    Args:
        accounts: Where from.
        tracking: How.
        now: Unix time on this machine's clock.
        transport: Replaces the network, for tests.
    """

    def __init__(
        self,
        accounts: Sequence[AccountSettings],
        tracking: TrackingSettings,
        *,
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._tracking = tracking
        self._now = now
        self._transport = transport
        self._roster = Roster(self._known, self._keep, now)
        self._accounts = [self._account(settings) for settings in accounts]
        self._keeper = self._new_keeper(tracking)
        self._starting = False
        self._started = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether every account has been asked once what is to be watched."""
        return self._started.is_set()

    async def start(self) -> None:
        """Discover what is to be watched; returns when every account has been asked once, successfully or not.

        The first refresh begins right then, so that a long history is under way before the first scrape.
        """
        if self._keeper is not None:
            await self._keeper.start()
        self._starting = True
        self._assign()
        for account in self._accounts:
            account.discovery.start()
        await self._looked()
        self._started.set()
        self._refresh(time.monotonic() + self._tracking.min_interval, None)

    async def reconfigure(self, accounts: Sequence[AccountSettings], tracking: TrackingSettings) -> None:
        """Go on by another configuration. What it still has stays the same: clients, trackers, counters, what is shown.

        Args:
            accounts: Where from, from now on.
            tracking: How.

        Raises:
            Exception: The configuration cannot be used, for instance because of a client's certificates; then nothing
                has changed.
        """
        keeper = self._keeper
        fresh: list[Account] = []
        successors: list[tuple[Account, AccountSettings]] = []
        try:
            if tracking.checkpoint != self._tracking.checkpoint:
                keeper = self._new_keeper(tracking)
                if keeper is not None:
                    await keeper.start(self._keeper)
            for settings, old in _matched(accounts, self._accounts):
                if old is not None and old.settings.client == settings.client:
                    successors.append((old, settings))
                    continue
                account = self._account(settings)
                fresh.append(account)
                if old is not None:
                    account.succeed(old)
                successors.append((account, settings))
        except BaseException:
            await asyncio.gather(*(account.api.close() for account in fresh))  # discoveries may be a predecessor's
            if keeper is not None and keeper is not self._keeper:
                await keeper.close(save=False)
            raise
        self._swap(successors, tracking, keeper)

    def _swap(
        self, successors: Sequence[tuple[Account, AccountSettings]], tracking: TrackingSettings, keeper: Keeper | None
    ) -> None:
        """Go on by another configuration, in one step of the event loop."""
        old_accounts, old_keeper, old_tracking = self._accounts, self._keeper, self._tracking
        self._accounts = [account for account, _ in successors]
        self._tracking, self._keeper = tracking, keeper
        for account, settings in successors:
            if account.settings != settings or old_tracking != tracking or account not in old_accounts:
                account.reconfigure(settings, tracking)
        self._assign()
        kept = {id(account.discovery) for account in self._accounts}
        for account in old_accounts:
            if account not in self._accounts:
                self._later(account.close(discovery=id(account.discovery) not in kept))
        if old_keeper is not None and old_keeper is not keeper:
            self._later(old_keeper.close(save=False))

    async def collect(self, deadline: float, only: EnvironmentIdentity | None = None) -> FleetView:
        """Refresh what is old enough to be refreshed, and show the newest data at the latest at ``deadline``.

        While an account has not been asked yet what is to be watched, that is waited for too, so that what is shown is
        all there is, by its right name.

        Args:
            deadline: On ``time.monotonic()``'s clock. What is not done by then goes on, and serves the next call.
            only: The one environment to refresh and wait for; None for all. What is shown is everything all the same.
        """
        refreshes = self._refresh(deadline, only)
        if not self.ready or any(not account.discovery.looked.is_set() for account in self._accounts):
            await self._until(self._all_known(), deadline)
            refreshes |= self._refresh(deadline, only)
        if refreshes:
            await self._until(asyncio.wait(refreshes), deadline)
        if self._roster.settle():
            self._assign()
        return self.view()

    async def complete(self) -> FleetView:
        """Read everything there is to read, however long it takes, and show it."""
        await asyncio.gather(*(tracker.complete() for tracker in self._roster))
        return self.view()

    def view(self) -> FleetView:
        """The last data as they are."""
        leaving = self._roster.leaving()
        return FleetView(
            environments=tuple(_shown(tracker.view(), leaving) for tracker in self._roster),
            accounts=tuple(account.view() for account in self._accounts),
            metadata_keys=self._tracking.metadata_keys,
            checkpoint=None if self._keeper is None else self._keeper.view(),
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

    def interrupt(self) -> None:
        """Let every call of :meth:`collect` under way, and every later one, show at once what there is.

        No refresh begins any more.
        """
        self._interrupted.set()

    async def close(self) -> None:
        """Stop everything under way, write the checkpoint, and close the connections."""
        self.interrupt()
        for account in self._accounts:
            account.schedule.close()  # or the end of one refresh would be another's turn
        await asyncio.gather(*(account.discovery.close() for account in self._accounts))
        await self._roster.close()
        if self._keeper is not None:
            await self._keeper.close(save=self._starting)
        await asyncio.gather(*(account.close() for account in self._accounts), *self._closing)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _account(self, settings: AccountSettings) -> Account:
        return Account(settings, self._tracking, self._assign, now=self._now, transport=self._transport)

    def _new_keeper(self, tracking: TrackingSettings) -> Keeper | None:
        if tracking.checkpoint is None:
            return None
        return Keeper(tracking.checkpoint, lambda: (tracker.record() for tracker in self._roster), self._now)

    def _assign(self) -> None:
        """Watch what the accounts select now."""
        if self._starting:  # not before the checkpoint has been read
            self._roster.assign(self._accounts, self._tracking)

    def _known(self, base_url: str, environment_id: str) -> EnvironmentRecord | None:
        """What is known of an environment from an earlier run."""
        return None if self._keeper is None else self._keeper.checkpoint.known(base_url, environment_id)

    def _keep(self, record: EnvironmentRecord) -> None:
        if self._keeper is not None:
            self._keeper.checkpoint.keep(record)

    def _trackers(self, only: EnvironmentIdentity | None) -> Iterator[Tracker]:
        return (tracker for tracker in self._roster if only is None or tracker.environment == only)

    def _refresh(self, deadline: float, only: EnvironmentIdentity | None) -> set[asyncio.Future[None]]:
        """Let refreshes begin that are due, and return those under way: one by itself at once, all in their order."""
        if self._interrupted.is_set():
            return set()
        if only is not None:
            return {task for tracker in self._trackers(only) if (task := tracker.refresh(deadline)) is not None}
        begun: set[asyncio.Future[None]] = set()
        for account, trackers in self._roster.by_account().items():
            begun |= account.schedule.refresh(trackers, deadline)
        return begun

    async def _looked(self) -> None:
        await asyncio.gather(*(account.discovery.looked.wait() for account in self._accounts))

    async def _all_known(self) -> None:
        await self._started.wait()
        await self._looked()

    async def _until(self, work: Coroutine[Any, Any, object], deadline: float) -> None:
        """Wait for some work until the deadline or an interruption, which end the waiting alone, not the work."""
        waits = {asyncio.create_task(work), asyncio.create_task(self._interrupted.wait())}
        timeout = max(0.0, deadline - time.monotonic())
        _, waiting = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody has to wait for, but for the end."""
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _matched(
    settings: Sequence[AccountSettings], accounts: Sequence[Account]
) -> list[tuple[AccountSettings, Account | None]]:
    """Each account's settings with the account that they are for: that of the same name, or a renamed one."""
    by_name = {account.settings.name: account for account in accounts}
    names = {each.name for each in settings}
    renamed = [account for account in accounts if account.settings.name not in names]
    found: list[tuple[AccountSettings, Account | None]] = []
    for each in settings:
        account = by_name.get(each.name)
        if account is None:
            account = next((other for other in renamed if other.settings.client == each.client), None)
            if account is not None:
                renamed.remove(account)
        found.append((each, account))
    return found


def _shown(view: EnvironmentView, leaving: frozenset[str]) -> EnvironmentView:
    return replace(view, leaving=True) if view.environment.id in leaving else view
