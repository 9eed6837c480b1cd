"""Where `inspect` gets its reports from: a running exporter, or the API directly."""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from exporter.web import schema
from exporter.web.selection import ItemSelection, Selection


class InspectError(Exception):
    """What is asked for cannot be shown; one line says why and what to do."""


class InspectedItem(schema.Item, frozen=True, kw_only=True):
    """A work item in full.

    Attributes:
        environment_id: Its environment.
        environment: The environment's name.
        account: The account it was read with.
        meaning: What its state means.
        stopped_at: When it stopped; null if it has not.
        data_type: What it is for, usually ``session``.
    """

    environment_id: str
    environment: str
    account: str
    meaning: str
    stopped_at: datetime | None = None
    data_type: str | None = None


Progress = Callable[[str, int, int], None]
"""Told how far a long reading has come: in words, and how many environments of how many are read."""


class Source(Protocol):
    """Something that makes reports; each call reads what can have changed."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def fleet(self, selection: Selection) -> schema.Fleet:
        """The environments.

        Raises:
            InspectError: They cannot be shown.
        """

    async def environment(self, target: str, selection: ItemSelection) -> schema.EnvironmentItems:
        """One environment and its live items.

        Raises:
            InspectError: It cannot be shown.
        """

    async def item(self, target: str, work_id: str) -> InspectedItem:
        """One item.

        Raises:
            InspectError: It cannot be shown.
        """
