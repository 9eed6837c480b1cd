"""Reports made by asking the API directly, without an exporter that runs."""

import asyncio
import contextlib
import re
import time
from types import TracebackType
from typing import Any, Self

import msgspec

from exporter import advice
from exporter.api.client import WorkAPI
from exporter.api.errors import APIError, NotFound
from exporter.api.types import WorkItem
from exporter.cli import wiring
from exporter.cli.inspect.source import InspectedItem, InspectError, Progress
from exporter.config import Account, Config
from exporter.config import Discovery as DiscoveryConfig
from exporter.tracking.discovery import Discovery
from exporter.tracking.fleet import Fleet
from exporter.tracking.observation import observe
from exporter.tracking.view import EnvironmentIdentity, FleetView
from exporter.web import schema
from exporter.web.report import Reporter, moment
from exporter.web.selection import ItemSelection, Selection
from exporter.web.target import TargetError, find

_ID = re.compile(r"env_\w+", re.ASCII)
_PROGRESS_INTERVAL = 0.2


class API:
    """The API of the configured accounts.

    Args:
        config: The configuration; its checkpoint belongs to the exporter that runs, and is left alone.
        progress: Told how far a long reading has come: in words, and how many environments of how many are read.
    """

    def __init__(self, config: Config, progress: Progress) -> None:
        history = msgspec.structs.replace(config.history, checkpoint=None)
        self._config = msgspec.structs.replace(config, history=history)
        self._progress = progress
        self._reporter = Reporter(wiring.judges(config.alerts), config.links.session)
        self._fleet: Fleet | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._fleet is not None:
            await self._fleet.close()

    async def fleet(self, selection: Selection) -> schema.Fleet:
        """The environments, each read completely."""
        view, fleet = await self._read(self._config)
        report = self._reporter.fleet(view, fleet.items, selection, ready=True, reload=None, now=time.time())
        if not view.environments:
            raise InspectError(_nothing_found(view))
        return report

    async def environment(self, target: str, selection: ItemSelection) -> schema.EnvironmentItems:
        """One environment, read completely, and its live items."""
        view, fleet = await self._read(_only(self._config, target))
        try:
            found = find(view.environments, target)
        except TargetError as error:
            failed = any(account.discovery_error for account in view.accounts)
            raise InspectError(_nothing_found(view) if failed else str(error)) from None
        return self._reporter.items(found, fleet.items, selection, view.metadata_keys, time.time())

    async def item(self, target: str, work_id: str) -> InspectedItem:
        """One item in full, live or not (`work/get`)."""
        failures: list[str] = []
        config = self._config if _ID.fullmatch(target) else _only(self._config, target)
        for account in config.accounts:
            settings = wiring.account_settings(account)
            async with WorkAPI(settings.client) as api:
                try:
                    identities = await self._identities(account, api, target)
                    for identity in identities:
                        deadline = time.monotonic() + settings.client.request_timeout
                        answer = await api.get(identity.id, work_id, deadline=deadline)
                        return self._inspected(answer.value, answer.read_at, identity)
                except NotFound:
                    failures.append(f"account {account.name}: the API knows no item {work_id} in {target}")
                except APIError as error:
                    failures.append(f"account {account.name}: {error}")
        raise InspectError("; ".join(failures) or f"no environment with the ID or name {target} is found")

    async def _identities(self, account: Account, api: WorkAPI, target: str) -> list[EnvironmentIdentity]:
        """The environments of an account that a target names; one given by its ID need not be discovered."""
        if _ID.fullmatch(target):
            return [EnvironmentIdentity(target, target, account.name)]
        discovery = Discovery(wiring.account_settings(account), api, lambda: None)
        await discovery.look()
        if discovery.error is not None:
            raise InspectError(f"account {account.name}: no environment could be discovered: {discovery.error}")
        return [
            EnvironmentIdentity(identifier, name, account.name)
            for identifier, name in discovery.selection.names.items()
            if target in (identifier, name)
        ]

    def _inspected(self, item: WorkItem, read_at: float, identity: EnvironmentIdentity) -> InspectedItem:
        seen = observe(item, (), read_at)
        shown = self._reporter.item(seen, self._reporter.judges.of(identity.name).item(seen, served=False), ())
        known: dict[str, Any] = {name: getattr(shown, name) for name in shown.__struct_fields__}
        if seen.stopped is not None:
            known |= {"state_since": moment(seen.stopped), "state_seconds": max(0.0, read_at - seen.stopped)}
        known["metadata"] = {key: _text(value) for key, value in (item.metadata or {}).items()}
        return InspectedItem(
            **known,
            environment_id=identity.id,
            environment=identity.name,
            account=identity.account,
            meaning=advice.of_state(item.state).meaning,
            stopped_at=moment(seen.stopped),
            data_type=None if item.data is None else item.data.type,
        )

    async def _read(self, config: Config) -> tuple[FleetView, Fleet]:
        """Everything there is to read, told how far it is; a second call reads what has changed since."""
        fleet = self._fleet
        if fleet is None:
            fleet = self._fleet = wiring.make_fleet(config)
            await fleet.start()
        telling = asyncio.create_task(self._tell(fleet))
        try:
            return await fleet.complete(), fleet
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _tell(self, fleet: Fleet) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_INTERVAL)
            environments = fleet.view().environments
            reading = [f"{each.environment.name}: {each.progress}" for each in environments if each.progress]
            done = sum(each.snapshot is not None and each.history_complete for each in environments)
            text = f"{done} of {len(environments)} environments read; {'; '.join(reading[:1])}".rstrip("; ")
            self._progress(text, done, len(environments))


def _only(config: Config, target: str) -> Config:
    """The configuration with what is asked for alone in it, as far as names are known before the API is asked.

    Raises:
        InspectError: Nothing of it is configured.
    """
    narrowed = (_narrowed(account, target) for account in config.accounts)
    accounts = tuple(account for account in narrowed if account.environments is None or account.environments)
    if not accounts:
        raise InspectError(f"no environment with the ID or name {target} is configured")
    return msgspec.structs.replace(config, accounts=accounts)


def _narrowed(account: Account, target: str) -> Account:
    """An account with what is asked for alone; where names are not configured, those without one may be it."""
    if account.environments is not None:
        named = tuple(each for each in account.environments if target in (each.id, each.name))
        nameless = tuple(each for each in account.environments if each.name is None)
        return msgspec.structs.replace(account, environments=named or nameless)
    only = DiscoveryConfig(
        refresh_interval=account.discovery.refresh_interval, include=(re.escape(target),), exclude=()
    )
    return msgspec.structs.replace(account, discovery=only)


def _nothing_found(view: FleetView) -> str:
    errors = [f"account {each.name}: {each.discovery_error}" for each in view.accounts if each.discovery_error]
    return "; ".join(errors) or "no environment is watched: none is self-hosted and included by the configuration"


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
