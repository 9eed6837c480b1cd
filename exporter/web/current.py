"""Reports of what is watched now. Who looks starts a refresh, as a scrape does, and waits for it hardly at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.tracking.observation import Observation
from exporter.tracking.view import EnvironmentIdentity, FleetView
from exporter.web import schema
from exporter.web.report import Reporter
from exporter.web.selection import ItemSelection, Selection
from exporter.web.target import TargetError, find, shown

if TYPE_CHECKING:
    from exporter.web.app import Exporter

PATIENCE = 1.0
"""Seconds a reader waits for one environment, or for the very first reading; what is shown says how old it is."""

WORST_ITEMS = 20
"""Items on the status page."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the status page shows.

    Attributes:
        fleet: Everything.
        worst_items: The items beyond a threshold, worst first, with their environments.
    """

    fleet: schema.Fleet
    worst_items: list[tuple[EnvironmentIdentity, schema.Item]]


@dataclass(slots=True)
class Current:
    """Makes reports of what an exporter watches.

    Attributes:
        exporter: The exporter.
    """

    exporter: Exporter
    _reporter: Reporter = field(default_factory=Reporter)
    _reporting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refreshes: dict[EnvironmentIdentity | None, asyncio.Task[FleetView]] = field(default_factory=dict)

    async def overview(self, selection: Selection) -> Overview:
        """The whole fleet; it is not waited for, unless something has never been read."""
        view = self.exporter.fleet.view()
        unread = not self.exporter.fleet.ready or any(not each.outcomes for each in view.environments)
        view = await self._refreshed(PATIENCE if unread else 0.0)
        fleet = self.exporter.fleet
        async with self._reporting:
            reporter = self._prepared()
            needed = [each.environment for each in view.environments if reporter.needs_items(each)]
            live = {identity: fleet.items(identity) for identity in needed}
            return await asyncio.to_thread(self._overview, view, live, selection, ready=fleet.ready)

    async def environment(self, target: str, selection: ItemSelection) -> schema.EnvironmentItems:
        """One environment by its ID or name.

        Raises:
            TargetError: No single environment is meant.
        """
        fleet = self.exporter.fleet
        if not fleet.ready:
            await self._refreshed(PATIENCE)
        identity = find(fleet.view().environments, target).environment
        view = await self._refreshed(PATIENCE, identity)
        found, items = find(view.environments, identity.id), fleet.items(identity)
        async with self._reporting:
            report = self._prepared().items
            return await asyncio.to_thread(report, found, lambda _: items, selection, view.metadata_keys, time.time())

    def whose(self, work_id: str) -> EnvironmentIdentity:
        """The environment in which an item is live.

        Raises:
            TargetError: The item is live nowhere.
        """
        fleet = self.exporter.fleet
        for view in fleet.view().environments:
            if any(item.id == work_id for item in fleet.items(view.environment)):
                return view.environment
        raise TargetError(
            f"no live item {shown(work_id)} is known: it has stopped, or never was; "
            "`qoder-work-exporter inspect ENV WORK_ID` asks the API about it"
        )

    def _overview(
        self,
        view: FleetView,
        live: Mapping[EnvironmentIdentity, Sequence[Observation]],
        selection: Selection,
        *,
        ready: bool,
    ) -> Overview:
        """Make the report of the whole fleet; what it is made of is frozen, so that it can be made beside the loop."""
        report = self._reporter.fleet(
            view,
            lambda identity: live.get(identity, ()),
            selection,
            ready=ready,
            reload=self.exporter.loaded,
            now=time.time(),
        )
        return Overview(report, self._reporter.worst_items(view, WORST_ITEMS))

    def _prepared(self) -> Reporter:
        """The reporter, as it is configured now."""
        settings = self.exporter.settings
        self._reporter.configure(settings.judges, settings.session_link)
        return self._reporter

    async def _refreshed(self, patience: float, only: EnvironmentIdentity | None = None) -> FleetView:
        """What is known after a refresh, or after so many seconds; the refresh then goes on."""
        task = self._refreshes.get(only)
        if task is None or task.done():
            deadline = asyncio.get_running_loop().time() + self.exporter.settings.timeout
            task = asyncio.create_task(self.exporter.fleet.collect(deadline, only))
            self._refreshes[only] = task
            task.add_done_callback(lambda done: self._ended(only, done))
        await asyncio.wait({task}, timeout=patience)
        return self.exporter.fleet.view()

    def _ended(self, only: EnvironmentIdentity | None, task: asyncio.Task[FleetView]) -> None:
        if self._refreshes.get(only) is task:
            del self._refreshes[only]
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # the loop logs it: a refresh's failures are its own, so this one is a defect
