"""Where in the list the work begins that is young enough to be watched, found with few requests.

Where the API reads on from IDs that no item has, the place is found by halving; elsewhere page by page.
"""

from collections.abc import Sequence
from contextlib import suppress

from exporter.api.types import WorkItem, unix
from exporter.tracking.ids import LATEST, TimedID, places_compare
from exporter.tracking.source import Source
from exporter.tracking.walk import CursorLostError, Walk, in_order

MARGIN_MS = 2_000
"""How far an ID's time may be from the item's creation, which has whole seconds, for the first guesses to be good."""


async def find_origin(source: Source, since: float) -> str | None:
    """The ID of the last item created before ``since``, or None if there is none: the whole list is young enough.

    Args:
        source: The environment's list.
        since: Unix time on the API's clock.

    Raises:
        APIError: A request failed.
    """
    walk = Walk(source, None)
    page = await walk.next()
    found, origin = _boundary(page.items, since, None)
    if found or page.end:
        return origin
    timed = TimedID.parse(page.items[-1].id)
    if timed is not None and len(page.items) > 1 and await places_compare(source, *(i.id for i in page.items[-2:])):
        close = await _bisect(source, since, page.items[-1].id, timed)
        # An API that does not know its own item's ID as a cursor is read page by page after all.
        with suppress(CursorLostError):
            return await _forward(Walk(source, close), since, close)
    return await _forward(walk, since, origin)


async def _forward(walk: Walk, since: float, origin: str | None) -> str | None:
    """The last old item, found page by page; ``origin`` is the one that the walk stands after."""
    while True:
        page = await walk.next()
        found, origin = _boundary(page.items, since, origin)
        if found or page.end:
            return origin


def _boundary(items: Sequence[WorkItem], since: float, before: str | None) -> tuple[bool, str | None]:
    """Whether the first young item is among these, and the ID of the last old one up to there."""
    for item in items:
        if item.created_at is None or unix(item.created_at) >= since:
            return True, before
        before = item.id
    return False, before


async def _bisect(source: Source, since: float, old: str, timed: TimedID) -> str:
    """The ID of an old item, at most a page before the first young one.

    The halving goes by the items' creation. It only begins where IDs say that they were created.
    """
    low, high = timed.milliseconds, LATEST
    wanted = int(since * 1000)
    guesses = [wanted - MARGIN_MS, wanted + MARGIN_MS]
    while high - low > 1:
        guess = next((guess for guess in guesses if low < guess < high), (low + high) // 2)
        guesses = [other for other in guesses if other != guess]
        data = in_order((await source.list(timed.at(guess))).value.data)
        found, origin = _boundary(data, since, None)
        if found and origin is not None:
            return origin
        if data and not found:
            low, old = guess, data[-1].id
        else:
            high = guess
    return old
