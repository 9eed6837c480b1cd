"""Who is watched through which account, and what is kept of those who are not watched any more."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from exporter.api.errors import REFUSALS
from exporter.spans import monotonic
from exporter.tracking.account import Account, Key
from exporter.tracking.checkpoint import KEPT_FOR
from exporter.tracking.record import EnvironmentRecord
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import Conflict, EnvironmentIdentity, GoneEnvironment

GONE_FOR = 86400.0
"""Seconds for which an environment that has left its account is shown as gone."""

log = structlog.get_logger()


class Roster:
    """All trackers. An environment has one, whichever accounts see it; the first of them, as configured, reads it.

    Args:
        known: What is known of an environment from an earlier run.
        keep: Called with the record of an environment that is no longer watched.
        now: Unix time on this machine's clock.
    """

    def __init__(
        self,
        known: Callable[[str, str], EnvironmentRecord | None],
        keep: Callable[[EnvironmentRecord], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._known = known
        self._keep = keep
        self._now = now
        self._trackers: dict[Key, Tracker] = {}
        self._accounts: dict[Key, Account] = {}
        self._leaving: dict[Key, float] = {}
        self._parked: dict[Key, tuple[float, Tracker]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._conflicts: set[tuple[str, Conflict]] = set()

    def __iter__(self) -> Iterator[Tracker]:
        return iter(self._trackers.values())

    def __len__(self) -> int:
        return len(self._trackers)

    def by_account(self) -> dict[Account, list[Tracker]]:
        """Return the trackers of each account that has any."""
        found: dict[Account, list[Tracker]] = {}
        for key, tracker in self._trackers.items():
            found.setdefault(self._accounts[key], []).append(tracker)
        return found

    def leaving(self) -> frozenset[str]:
        """Return the IDs of the environments that are no longer listed, and watched until they are drained."""
        return frozenset(environment_id for _, environment_id in self._leaving)

    def assign(self, accounts: Sequence[Account], tracking: TrackingSettings) -> None:
        """Watch exactly what these accounts select; what is watched already keeps everything that is known of it."""
        wanted: dict[Key, tuple[Account, str]] = {}
        leaving: dict[Key, float] = {}
        conflicts: set[tuple[str, Conflict]] = set()
        for account in accounts:
            selection = account.discovery.selection
            draining = {id_: name for id_, name in selection.lost.items() if account.key(id_) in self._trackers}
            for environment_id in selection.lost.keys() - draining.keys():
                account.discovery.forget(environment_id)
            for environment_id, name in (*selection.names.items(), *draining.items()):
                key = account.key(environment_id)
                owner, _ = wanted.setdefault(key, (account, name))
                if owner is not account:
                    conflicts.add((account.settings.name, Conflict(environment_id, name, owner.settings.name)))
                elif environment_id in draining:
                    leaving[key] = self._leaving.get(key, monotonic())
                else:
                    account.gone.pop(environment_id, None)
        self._part(wanted)
        self._trackers = {key: self._watch(key, account, name, tracking) for key, (account, name) in wanted.items()}
        self._accounts = {key: account for key, (account, _) in wanted.items()}
        self._leaving = leaving
        self._note(accounts, conflicts)

    def settle(self) -> bool:
        """Stop watching environments that have left and are drained; return whether there were any."""
        drained = [key for key, since in self._leaving.items() if _is_drained(self._trackers[key], since)]
        for key in drained:
            account, tracker = self._accounts.pop(key), self._trackers[key]
            identity = tracker.environment
            log.warning(
                "environment has left the account",
                account=identity.account,
                **identity.fields,
            )
            account.gone[identity.id] = monotonic(), GoneEnvironment(identity.id, identity.name, self._now())
            account.watched -= 1
            del self._leaving[key]
            self._park(key)
            account.discovery.forget(identity.id)
        for account in set(self._accounts.values()):
            account.gone = {id_: gone for id_, gone in account.gone.items() if monotonic() - gone[0] < GONE_FOR}
        for key, (since, _) in list(self._parked.items()):
            if monotonic() - since > KEPT_FOR:
                del self._parked[key]
        return bool(drained)

    async def close(self) -> None:
        """Stop everything under way."""
        await asyncio.gather(*(tracker.close() for tracker in self), *self._closing)

    def _watch(self, key: Key, account: Account, name: str, tracking: TrackingSettings) -> Tracker:
        identity = EnvironmentIdentity(key[1], name, account.settings.name)
        page_interval = account.settings.page_interval
        tracker = self._trackers.get(key)
        if tracker is None and key in self._parked:
            _, tracker = self._parked.pop(key)
            log.info("watching again", account=identity.account, **identity.fields)
        if tracker is None:
            log.info("watching", account=identity.account, **identity.fields)
            record = self._known(account.settings.client.base_url, identity.id)
            return Tracker(identity, account.api, tracking, page_interval=page_interval, record=record, now=self._now)
        tracker.environment = identity
        tracker.reconfigure(account.api, tracking, page_interval=page_interval)
        return tracker

    def _part(self, wanted: dict[Key, tuple[Account, str]]) -> None:
        """Stop watching what is not wanted any more."""
        for key in self._trackers.keys() - wanted.keys():
            identity = self._trackers[key].environment
            log.info("no longer watched", account=identity.account, **identity.fields)
            self._accounts[key].schedule.drop(self._trackers[key])
            self._park(key)

    def _park(self, key: Key) -> None:
        tracker = self._trackers.pop(key)
        self._parked[key] = (monotonic(), tracker)
        closing = asyncio.create_task(self._stop(tracker), name=f"stop {key[1]}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _stop(self, tracker: Tracker) -> None:
        """Keep what is known of an environment when nothing can change that any more."""
        await tracker.close()
        self._keep(tracker.record())

    def _note(self, accounts: Sequence[Account], conflicts: set[tuple[str, Conflict]]) -> None:
        for name, conflict in sorted(conflicts - self._conflicts, key=str):
            log.warning(
                "two accounts see one environment; the first of them, as configured, reads it",
                account=name,
                environment=conflict.name,
                environment_id=conflict.id,
                read_by=conflict.owner,
            )
        self._conflicts = conflicts
        for account in accounts:
            mine = (conflict for name, conflict in conflicts if name == account.settings.name)
            account.conflicts = tuple(sorted(mine, key=lambda conflict: (conflict.name, conflict.id)))
            account.watched = sum(owner is account for owner in self._accounts.values())


def _is_drained(tracker: Tracker, since: float) -> bool:
    """Whether an environment that left its account's list at this moment has nothing more to show."""
    view = tracker.view()
    last = view.outcomes[0] if view.outcomes else None
    if last is None or tracker.refreshed_at < since:
        return False
    if last.succeeded:
        return view.history_complete and not tracker.items()
    return last.reason in REFUSALS
