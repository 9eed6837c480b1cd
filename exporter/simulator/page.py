"""Pages of a list: what ``limit`` and the three cursors select (`conventions/pagination`)."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.simulator.errors import InvalidRequestError, NotFoundError
from exporter.simulator.options import Options
from exporter.simulator.query import Query, integer

DEFAULT_LIMIT = 20
"""Items on a page when ``limit`` is left out (`work/list`)."""

T = TypeVar("T")

_CURSORS = ("page", "before_id", "after_id")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for.

    Attributes:
        limit: Most items wanted.
        cursor: The ID at which the page begins or ends, exclusive; None for the first page.
        param: The parameter that gave the cursor.
        backward: Whether the page lies before the cursor.
    """

    limit: int
    cursor: str | None = None
    param: str | None = None
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The selected part of a list, in the list's order."""

    data: Sequence[T]
    has_more: bool = False


def page_request(query: Query, options: Options, *, over_limit: str = "cap") -> PageRequest:
    """Read ``limit`` and the cursors.

    Args:
        query: The request's query.
        options: Those of the list's owner.
        over_limit: Whether a limit above 100 is a ``cap`` or ``invalid``.

    Raises:
        InvalidRequestError: The limit is not a positive integer, or there is more than one cursor.
    """
    limit = integer(query, "limit") or DEFAULT_LIMIT
    if limit > 100 and over_limit == "invalid":
        raise InvalidRequestError("limit must be from 1 to 100.", "limit")
    given = [name for name in _CURSORS if name in query]
    if len(given) > 1:
        raise InvalidRequestError(f"{', '.join(given)} are mutually exclusive.", given[1])
    limit = min(limit, options.page_cap)
    if not given:
        return PageRequest(limit)
    name = given[0]
    if not query[name]:
        if options.empty_cursor == "invalid":
            raise InvalidRequestError(f"{name} must not be empty.", name)
        return PageRequest(limit)
    return PageRequest(limit, query[name], name, backward=name == "before_id")


def select_page(
    items: Sequence[T],
    key: Callable[[T], str],
    wanted: PageRequest,
    options: Options,
    *,
    descending: bool = False,
    forgotten: Collection[str] = (),
) -> Page[T]:
    """Return the page of a list sorted by ID.

    Args:
        items: The list, ascending by ID unless ``descending``.
        key: Gives an item's ID.
        wanted: Limit and cursor.
        options: What an unknown cursor does, and which side of it ``before_id`` shows.
        descending: Whether the list begins with the greatest ID.
        forgotten: IDs that count as unknown cursors although they are in the list.

    Raises:
        InvalidRequestError: The cursor is unknown, and the options say so.
        NotFoundError: Likewise.
    """
    if wanted.cursor is None:
        return Page(items[: wanted.limit], len(items) > wanted.limit)
    position, listed = _locate(items, key, wanted.cursor, descending=descending)
    if not listed or wanted.cursor in forgotten:
        match options.unknown_cursor:
            case "not_found":
                raise NotFoundError(f"{wanted.param} names nothing that exists.")
            case "invalid":
                raise InvalidRequestError(f"{wanted.param} names nothing that exists.", wanted.param)
            case "empty":
                return Page(())
            case "restart":
                return Page(items[: wanted.limit], len(items) > wanted.limit)
            case _:
                pass
    if not wanted.backward:
        start = position + listed
        return Page(items[start : start + wanted.limit], len(items) > start + wanted.limit)
    if options.before_id_page == "first":
        return Page(items[: min(position, wanted.limit)], position > wanted.limit)
    start = max(position - wanted.limit, 0)
    return Page(items[start:position], start > 0)


def _locate(items: Sequence[T], key: Callable[[T], str], cursor: str, *, descending: bool) -> tuple[int, bool]:
    """Return how many items stand before the cursor's place, and whether the cursor is in the list."""
    if descending:
        position = len(items) - bisect_left(items[::-1], cursor, key=key)
        if position > 0 and key(items[position - 1]) == cursor:
            return position - 1, True
        return position, False
    position = bisect_left(items, cursor, key=key)
    return position, position < len(items) and key(items[position]) == cursor
