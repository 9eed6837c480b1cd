"""Reading the list forward from an ID, whatever the API makes of cursors.

What a cursor means whose item is gone is not documented: it may be refused, give an empty page, or be taken as the
start of the list. So a page counts only for the items after the position already reached, an end only if the answer
shows where it is, and there may be several cursors to try.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.api.client import Answer
from exporter.api.errors import BadRequest, InvalidResponse, NotFound
from exporter.api.types import WorkItem, WorkPage
from exporter.tracking.source import Source

TRAIL = 4
"""IDs at the end of what was read that may serve as the next cursor."""

STEPS = 3
"""Pages read forward from an older cursor before the next is tried."""


class CursorLostError(Exception):
    """The API does not know where in the list to read on."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items that follow one another in the list.

    Attributes:
        items: In ascending order of their IDs, which is the order of their creation (`work/list`).
        read_at: Unix time on the API's clock.
        end: Whether the list ends with them.
    """

    items: Sequence[WorkItem]
    read_at: float
    end: bool


class Walk:
    """A position in the list that moves forward page by page.

    Args:
        source: The environment's list.
        position: The ID after which to read; None for the start of the list.
        cursors: What to tell the API, best first: the position, if nothing is given, or earlier IDs. None is the start
            of the list.
    """

    def __init__(self, source: Source, position: str | None, cursors: Sequence[str | None] = ()) -> None:
        self.position = position
        self._source = source
        self._cursors = list(dict.fromkeys(cursors or [position]))
        self._reached = False
        self._not_before = 0.0

    async def next(self) -> Page:
        """The items after the position; moves the position to the last of them.

        Raises:
            CursorLostError: No cursor led on, and none of them was given by the API just now.
            InvalidResponse: The list does not advance, or its items are not in order.
            APIError: A request failed.
        """
        for cursor in self._cursors:
            page = await self._from(cursor)
            if page is not None:
                self._stand_after([item.id for item in page.items])
                self._reached = True
                return page
        if self._reached:
            message = f"the list does not go on after {self.position}, though it said there was more"
            raise InvalidResponse(message, endpoint="list")
        raise CursorLostError(self.position)

    def go_to(self, position: str | None, cursors: Sequence[str | None] = ()) -> None:
        """Read on from another position, for which the arguments are as for a new walk."""
        self.position = position
        self._cursors = list(dict.fromkeys(cursors or [position]))
        self._reached = False

    def _stand_after(self, ids: Sequence[str]) -> None:
        """Go on after the last of these IDs, which the API has shown; the others are further cursors."""
        if ids:
            self.position = ids[-1]
            trail = ids[: -TRAIL - 1 : -1]
            self._cursors = [*trail, *(cursor for cursor in self._cursors if cursor not in trail)][: 2 * TRAIL]

    async def _from(self, cursor: str | None) -> Page | None:
        """The items after the position, read from this cursor; None if it does not lead there."""
        for _ in range(STEPS):
            try:
                answer = await self._list(cursor)
            except (BadRequest, NotFound):
                if cursor is None:
                    raise
                return None
            data = in_order(answer.value.data)
            more = answer.value.more
            if more and not data:
                raise InvalidResponse("a page is empty, yet there is more", endpoint="list")
            items = [item for item in data if self.position is None or item.id > self.position]
            if items:
                return Page(items, answer.read_at, end=not more)
            if not more:
                # An end is believed only if the answer shows something known, or was asked for without a cursor.
                return Page([], answer.read_at, end=True) if data or cursor is None else None
            if data[-1].id == cursor:
                return None
            cursor = data[-1].id
        return None

    async def _list(self, cursor: str | None) -> Answer[WorkPage]:
        """One page, not too soon after the one before."""
        await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
        try:
            return await self._source.list(cursor)
        finally:
            self._not_before = time.monotonic() + self._source.page_interval


def in_order(items: Sequence[WorkItem]) -> Sequence[WorkItem]:
    """The items of a page, each once.

    Raises:
        InvalidResponse: They are not in ascending order of their IDs.
    """
    if all(left.id < right.id for left, right in pairwise(items)):
        return items
    once = [item for item, before in zip(items, [None, *items], strict=False) if before is None or item.id != before.id]
    for left, right in pairwise(once):
        if right.id <= left.id:
            raise InvalidResponse(f"the list is out of order: {right.id} comes after {left.id}", endpoint="list")
    return once
