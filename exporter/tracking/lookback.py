"""Where in the list the work begins that is young enough to be watched, found with few requests.

Work IDs are `work_` and a UUIDv7 in hexadecimal, so they begin with the milliseconds of their creation. That is seen,
not documented, and so is what the API makes of a cursor that is no item's ID. Both are tried before they are relied on;
where they do not hold, the list is read page by page.
"""

import re
from collections.abc import Awaitable, Callable, Sequence

from exporter.api.errors import BadRequest, NotFound
from exporter.api.types import WorkItem, unix
from exporter.tracking.source import Source
from exporter.tracking.walk import Walk, in_order

_ID = re.compile(r"(?P<prefix>[a-z]+_)(?P<milliseconds>[0-9a-f]{12})(?P<rest>[0-9a-f]{20})")

MARGIN_MS = 2_000
"""How far an ID's time may be from the item's creation, which has whole seconds, for the first guesses to be good."""

Progress = Callable[[str], Awaitable[None]]


async def find_origin(source: Source, since: float, after: str | None = None) -> str | None:
    """The ID of the last item created before ``since``, or None if there is none: the whole list is young enough.

    Args:
        source: The environment's list.
        since: Unix time on the API's clock.
        after: An item known to be older, from which to look on.

    Raises:
        APIError: A request failed.
        CursorLostError: The API does not know ``after``.
    """
    walk = Walk(source, after)
    page = await walk.next()
    found, origin = _boundary(page.items, since, after)
    if found or page.end:
        return origin
    if await _compares(source, page.items):
        origin = await _bisect(source, since, page.items[-1].id)
        walk = Walk(source, origin)
    while True:
        page = await walk.next()
        found, origin = _boundary(page.items, since, origin)
        if found or page.end:
            return origin


def _old(item: WorkItem, since: float) -> bool:
    return item.created_at is not None and unix(item.created_at) < since


def _boundary(items: Sequence[WorkItem], since: float, before: str | None) -> tuple[bool, str | None]:
    """Whether the first young item is on this page, and the ID of the last old one up to there."""
    for item in items:
        if not _old(item, since):
            return True, before
        before = item.id
    return False, before


async def _compares(source: Source, items: Sequence[WorkItem]) -> bool:
    """Whether the API reads on from an ID that no item has: from just after the first it must go on with the second."""
    if len(items) < 2 or not all(_ID.fullmatch(item.id) for item in items[:2]):
        return False
    first = items[0].id
    between = first[:-1] + chr(ord(first[-1]) + 1)
    if not first < between < items[1].id:
        return False
    try:
        shown = in_order((await source.list(between)).value.data)
    except (BadRequest, NotFound):
        return False
    return bool(shown) and shown[0].id == items[1].id


async def _bisect(source: Source, since: float, old: str) -> str:
    """The ID of an old item, at most a page before the first young one."""
    match = _ID.fullmatch(old)
    if match is None:
        return old
    low, high = int(match["milliseconds"], 16), (1 << 48) - 1
    guesses = [int(since * 1000) - MARGIN_MS, int(since * 1000) + MARGIN_MS]
    while high - low > 1:
        guess = next((guess for guess in guesses if low < guess < high), (low + high) // 2)
        guesses = [other for other in guesses if other != guess]
        data = in_order((await source.list(f"{match['prefix']}{guess:012x}{'0' * 20}")).value.data)
        found, origin = _boundary(data, since, None)
        if found and origin is not None:
            return origin
        if data and not found:
            low, old = guess, data[-1].id
        else:
            high = guess
    return old
