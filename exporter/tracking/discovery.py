"""Which environments an account has, and what they are called."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.api.client import WorkAPI
from exporter.api.errors import APIError, InvalidResponse
from exporter.api.types import Environment
from exporter.tracking.outcomes import Outcome, outcome_of
from exporter.tracking.patterns import Pattern
from exporter.tracking.settings import AccountSettings, DiscoverySettings

MAX_PAGES = 1000
"""Pages of environments after which a list is taken to be endless."""

RETRY_INTERVAL = 15.0
"""Seconds until the next discovery after a failed one, or one in which something was missing."""

CONFIRMATIONS = 2
"""Discoveries in a row that must lack an environment before it counts as lost: one short answer proves nothing."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Selection:
    """What one account watches.

    Attributes:
        names: The environments to watch and their names, by ID, in the order of the names.
        lost: Those that are no longer in the account's list, or archived; their last names, by ID.
        unmatched: The include patterns that match nothing.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()


class Discovery:
    """Discovers an account's environments in the background; what is known stays when a discovery fails.

    Args:
        account: What to watch: the environments named there, or those that match.
        api: The account's client.
        changed: Called after each discovery that changed the selection.

    Attributes:
        selection: What to watch.
        looked: Set once the first discovery has ended, successfully or not, or none is needed.
        up: Whether the last discovery succeeded; None where none is needed.
        error: Why it failed, or None.
        failure: The same with its reason and the API's request ID.
        skipped: The environments that the last successful discovery could not read: their IDs, as far as they can be.
    """

    def __init__(self, account: AccountSettings, api: WorkAPI, changed: Callable[[], None]) -> None:
        self.selection = Selection()
        self.looked = asyncio.Event()
        self.up: bool | None = None
        self.error: str | None = None
        self.failure: Outcome | None = None
        self.skipped: tuple[str, ...] = ()
        self._account = account
        self._api = api
        self._changed = changed
        self._found: dict[str, Environment] | None = None
        self._missing: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._select()

    @property
    def needed(self) -> bool:
        """Whether the API must be asked: for the environments, or for the names of some."""
        configured = self._account.environments
        return configured is None or any(environment.name is None for environment in configured)

    def start(self) -> None:
        """Start, or start again with the next discovery at once."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if not self.needed:
            self.up, self.error, self.failure = None, None, None
            self.skipped = ()
            self.looked.set()
            return
        self.up = bool(self.up)
        self._task = asyncio.create_task(self._run(), name=f"discovery {self._account.name}")

    def reconfigure(self, account: AccountSettings, api: WorkAPI) -> None:
        """Go on by other settings, or through another client of the same API; what has been found stays."""
        self._account, self._api = account, api
        self._select()
        self.start()

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.looked.set()

    async def look(self) -> None:
        """Ask the API once, and select what is to be watched."""
        start = time.monotonic()
        try:
            found, skipped = await self._environments()
        except APIError as error:
            self.up, self.error = False, str(error)
            self.failure = outcome_of(time.time(), time.monotonic() - start, 1, error.reason, error)
            log.warning("discovery failed; known environments stay", account=self._account.name, error=self.error)
        except Exception as error:
            self.up, self.error = False, f"{type(error).__name__}: {error}"
            self.failure = outcome_of(time.time(), time.monotonic() - start, 1, "internal", error)
            log.exception("discovery failed: this is a defect of the exporter", account=self._account.name)
        else:
            self.up, self.error, self.failure, self.skipped = True, None, None, skipped
            self._observe(found)
            before = self.selection
            self._select()
            if self.selection != before:
                self._changed()
        finally:
            self.looked.set()

    async def _run(self) -> None:
        interval = self._account.discovery.refresh_interval
        while True:
            await self.look()
            settled = self.up and not any(count < CONFIRMATIONS for count in self._missing.values())
            await asyncio.sleep(interval if settled else min(interval, RETRY_INTERVAL))

    def _observe(self, found: Sequence[Environment]) -> None:
        """Note what is there, and count how often in a row what was there before is missing.

        What was there before and cannot be read now is there, and stays as it was.
        """
        known = self._found or {}
        present = {id_: known[id_] for id_ in self.skipped if id_ in known}
        present |= {environment.id: environment for environment in found}
        self._missing = {
            environment_id: self._missing.get(environment_id, 0) + 1 for environment_id in known.keys() - present.keys()
        }
        if first := sum(count == 1 for count in self._missing.values()):
            log.info("environments are missing; asking again", account=self._account.name, missing=first)
        self._found = {id_: known[id_] for id_ in self._missing} | present

    def forget(self, environment_id: str) -> None:
        """Forget an environment that is lost and no longer watched."""
        if self._found is not None and self._missing.get(environment_id, 0) >= CONFIRMATIONS:
            del self._found[environment_id], self._missing[environment_id]
            self._select()

    def _select(self) -> None:
        found = {} if self._found is None else self._found
        configured = self._account.environments
        if configured is not None:
            names = {id_: environment.name for id_, environment in found.items()}
            self.selection = Selection({each.id: each.name or names.get(each.id) or each.id for each in configured})
            return
        patterns = self._account.discovery
        watched = [each for each in found.values() if each.self_hosted and included(each, patterns)]
        watched.sort(key=lambda each: (each.name or "", each.id))
        lost = {each.id for each in watched if each.is_archived or self._missing.get(each.id, 0) >= CONFIRMATIONS}
        self.selection = Selection(
            {each.id: each.name or each.id for each in watched if each.id not in lost},
            {each.id: each.name or each.id for each in watched if each.id in lost},
            unmatched(found.values(), patterns) if self._found is not None else (),
        )

    async def _environments(self) -> tuple[list[Environment], tuple[str, ...]]:
        """All environments of the account that are not archived, page by page (`environments/list`).

        With them come the IDs of those that cannot be read.
        """
        found: dict[str, Environment] = {}
        skipped: list[str] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            deadline = time.monotonic() + self._api.settings.request_timeout
            page = (await self._api.environments(page=cursor, deadline=deadline)).value
            fresh = [environment for environment in page.data if environment.id not in found]
            found.update((environment.id, environment) for environment in fresh)
            skipped += page.skipped
            if page.cursor is None:
                return list(found.values()), tuple(skipped)
            if not fresh or page.cursor == cursor:
                break
            cursor = page.cursor
            await asyncio.sleep(self._account.page_interval)
        raise InvalidResponse("the list of environments does not come to an end", endpoint="environments")


def included(environment: Environment, patterns: DiscoverySettings) -> bool:
    """Whether an include pattern, and no exclude pattern, matches the whole name or ID."""
    if not any(_matches(pattern, environment) for pattern in patterns.include):
        return False
    return not any(_matches(pattern, environment) for pattern in patterns.exclude)


def unmatched(environments: Iterable[Environment], patterns: DiscoverySettings) -> tuple[str, ...]:
    """The include patterns that match no self-hosted environment, whatever is excluded."""
    own = [environment for environment in environments if environment.self_hosted]
    return tuple(
        pattern.text for pattern in patterns.include if not any(_matches(pattern, environment) for environment in own)
    )


def _matches(pattern: Pattern, environment: Environment) -> bool:
    return any(pattern.matches(text) for text in (environment.name, environment.id) if text)
