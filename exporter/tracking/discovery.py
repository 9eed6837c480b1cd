"""Which environments an account has, and what they are called."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from exporter.api.client import WorkAPI
from exporter.api.errors import APIError, InvalidResponse
from exporter.api.types import Environment
from exporter.tracking.outcomes import Outcome, outcome_of
from exporter.tracking.settings import AccountSettings, DiscoverySettings

MAX_PAGES = 1000
"""Pages of environments after which a list is taken to be endless."""

RETRY_INTERVAL = 15.0
"""Seconds after which a failed look-up is tried again, if the configured interval is longer."""

log = structlog.get_logger()


class Discovery:
    """Looks up an account's environments in the background; what is known stays when a look-up fails.

    Args:
        account: What to watch: the environments named there, or those that match.
        api: The account's client.
        changed: Called with ID and name of every environment to watch, in the order of the names, after each look-up
            that changed them.
    """

    def __init__(self, account: AccountSettings, api: WorkAPI, changed: Callable[[Mapping[str, str]], None]) -> None:
        self.up: bool | None = None
        self.error: str | None = None
        self.failure: Outcome | None = None
        self._account = account
        self._api = api
        self._changed = changed
        self._names: dict[str, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()

    async def start(self) -> None:
        """Begin; returns when the first look-up has ended, well or not, or when none is needed."""
        configured = self._account.environments
        if configured is not None:
            self._tell({environment.id: environment.name or environment.id for environment in configured})
            if all(environment.name is not None for environment in configured):
                return
        self.up = False
        self._task = asyncio.create_task(self._run(), name=f"discovery {self._account.name}")
        await self._looked.wait()

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Look once, and tell what is to be watched."""
        start = time.monotonic()
        try:
            found = await self._environments()
        except APIError as error:
            self.up, self.error = False, str(error)
            self.failure = outcome_of(time.time(), time.monotonic() - start, 1, error.reason, error)
            log.warning("discovery failed; known environments stay", account=self._account.name, error=self.error)
        except Exception as error:
            self.up, self.error = False, f"{type(error).__name__}: {error}"
            self.failure = outcome_of(time.time(), time.monotonic() - start, 1, "internal", error)
            log.exception("discovery failed: this is a defect of the exporter", account=self._account.name)
        else:
            self.up, self.error, self.failure = True, None, None
            self._tell(selected(found, self._account))
        finally:
            self._looked.set()

    async def _run(self) -> None:
        interval = self._account.discovery.refresh_interval
        while True:
            await self.look()
            await asyncio.sleep(interval if self.up else min(interval, RETRY_INTERVAL))

    def _tell(self, names: dict[str, str]) -> None:
        if names != self._names:
            self._names = names
            self._changed(names)

    async def _environments(self) -> list[Environment]:
        """All environments of the account that are not archived, page by page (`environments/list`)."""
        found: dict[str, Environment] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            deadline = time.monotonic() + self._api.settings.request_timeout
            page = (await self._api.environments(page=cursor, deadline=deadline)).value
            fresh = [environment for environment in page.data if environment.id not in found]
            found.update((environment.id, environment) for environment in fresh)
            if page.cursor is None:
                return list(found.values())
            if not fresh or page.cursor == cursor:
                break
            cursor = page.cursor
            await asyncio.sleep(self._account.page_interval)
        raise InvalidResponse("the list of environments does not come to an end", endpoint="environments")


def selected(found: Sequence[Environment], account: AccountSettings) -> dict[str, str]:
    """ID and name of the environments to watch, in the order of the names."""
    if account.environments is not None:
        known = {environment.id: environment.name for environment in found}
        return {each.id: each.name or known.get(each.id) or each.id for each in account.environments}
    watched = [each for each in found if each.self_hosted and not each.is_archived and matches(each, account.discovery)]
    return {each.id: each.name or each.id for each in sorted(watched, key=lambda each: (each.name or "", each.id))}


def matches(environment: Environment, settings: DiscoverySettings) -> bool:
    """Whether an include pattern, and no exclude pattern, matches the whole name or ID."""
    texts = [text for text in (environment.name, environment.id) if text]
    included = any(pattern.fullmatch(text) for pattern in settings.include for text in texts)
    return included and not any(pattern.fullmatch(text) for pattern in settings.exclude for text in texts)
