"""Where in the list the work begins that is young enough to be watched, found with few requests.

Where the API reads on from IDs that no item has, the place is found by halving; elsewhere page by page.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from exporter.api.types import WorkItem, unix
from exporter.tracking.ids import LATEST, TimedID, foreign_cursors_work
from exporter.tracking.source import Source
from exporter.tracking.walk import CursorLostError, Walk, in_order

MARGIN_MS = 2_000
"""How far an ID's time may be from the item's creation, which has whole seconds, for the first guesses to be good."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the watched part of a list begins.

    Attributes:
        id: The ID of the last item that is too old to be watched.
        before: An ID, an item's or not, a little before that: a list read from there shows the item itself, and so
            where it ends even if nothing follows. None for the start of the list.
    """

    id: str
    before: str | None


async def find_origin(source: Source, since: float) -> Origin | None:
    """The last item created before ``since``, or None if there is none: the whole list is young enough.

    Args:
        source: The environment's list.
        since: Unix time on the API's clock.

    Raises:
        APIError: A request failed.
    """
    walk = Walk(source, None)
    page = await walk.next()
    found, origin = _last_old(page.items, since, None)
    if found or page.end or origin is None:
        return origin
    timed = TimedID.parse(origin.id)
    if (
        timed is not None
        and len(page.items) > 1
        and await foreign_cursors_work(source, *(i.id for i in page.items[-2:]))
    ):
        close = await _bisect(source, since, origin, timed)
        # An API that does not know its own item's ID as a cursor is read page by page after all.
        with suppress(CursorLostError):
            return await _forward(Walk(source, close.id, [close.before, close.id]), since, close)
    return await _forward(walk, since, origin)


async def _forward(walk: Walk, since: float, origin: Origin) -> Origin:
    """The last old item, found page by page; ``origin`` is the one that the walk stands after."""
    while True:
        page = await walk.next()
        found, last = _last_old(page.items, since, origin)
        origin = last or origin
        if found or page.end:
            return origin


def _last_old(items: Sequence[WorkItem], since: float, origin: Origin | None) -> tuple[bool, Origin | None]:
    """Whether the first young item is among these, and the last old one up to there, ``origin`` if that is none."""
    for item in items:
        if item.created_at is None or unix(item.created_at) >= since:
            return True, origin
        origin = Origin(item.id, origin.id if origin is not None else None)
    return False, origin


async def _bisect(source: Source, since: float, origin: Origin, timed: TimedID) -> Origin:
    """An old item, at most a page before the first young one, or the last of the list.

    The halving goes by the items' creation. It only begins where IDs say that they were created.
    """
    low, high = timed.milliseconds, LATEST
    wanted = int(since * 1000)
    guesses = [wanted - MARGIN_MS, wanted + MARGIN_MS]
    while high - low > 1:
        guess = next((guess for guess in guesses if low < guess < high), (low + high) // 2)
        guesses = [other for other in guesses if other != guess]
        place = Origin(timed.at(guess), None)
        page = (await source.list(place.id)).value
        found, last = _last_old(in_order(page.data), since, place)
        if last is None or last == place:
            high = guess
            continue
        low, origin = guess, last
        if found or not page.more:
            break
    return origin
