"""Environments that are not configured and are read only because somebody asks for them (``probe.allow_any``)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from exporter.tracking.tracker import Tracker
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView

MAX_ENVIRONMENTS = 100
"""How many are remembered per account; the one that nobody has asked for the longest makes room."""

IDLE_SECONDS = 3600.0
"""After this long without being asked for, one is forgotten."""


class AdHoc:
    """Trackers of one account's environments that are not watched.

    Args:
        account: The account's name.
        make: Makes a tracker.
    """

    def __init__(self, account: str, make: Callable[[EnvironmentIdentity], Tracker]) -> None:
        self._account = account
        self._make = make
        self._trackers: dict[str, Tracker] = {}
        self._asked: dict[str, float] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._trackers)

    async def collect(self, environment_id: str, deadline: float) -> EnvironmentView:
        """Refresh an environment and show it, at the latest at the deadline on ``time.monotonic()``'s clock."""
        self._forget_idle()
        tracker = self._trackers.get(environment_id)
        if tracker is None:
            identity = EnvironmentIdentity(environment_id, environment_id, self._account)
            tracker = self._trackers[environment_id] = self._make(identity)
        self._asked[environment_id] = time.monotonic()
        refresh = tracker.refresh(deadline)
        if refresh is not None:
            await asyncio.wait({refresh}, timeout=max(0.0, deadline - time.monotonic()))
        view = tracker.view()
        if view.outcomes and view.outcomes[0].reason == "not_found":
            self._forget(environment_id)
        return view

    def reconfigure(self, account: str, change: Callable[[Tracker], None]) -> None:
        """Go on by other settings, which ``change`` gives to each tracker, and under this name of the account."""
        self._account = account
        for tracker in self._trackers.values():
            tracker.environment = replace(tracker.environment, account=account)
            change(tracker)

    async def close(self) -> None:
        """Stop everything under way."""
        for environment_id in list(self._trackers):
            self._forget(environment_id)
        await asyncio.gather(*self._closing)

    def _forget_idle(self) -> None:
        now = time.monotonic()
        by_age = sorted(self._asked, key=self._asked.__getitem__)
        surplus = by_age[: max(0, len(by_age) - MAX_ENVIRONMENTS + 1)]
        for environment_id in by_age:
            if environment_id in surplus or now - self._asked[environment_id] > IDLE_SECONDS:
                self._forget(environment_id)

    def _forget(self, environment_id: str) -> None:
        tracker = self._trackers.pop(environment_id, None)
        self._asked.pop(environment_id, None)
        if tracker is not None:
            closing = asyncio.create_task(tracker.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
