"""Ways to answer a request, right and wrong."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from tests.api.harness import ENVIRONMENT, Json, page
from tests.api.raw import Talk, answer

JSON = "Content-Type: application/json"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that depends on what the list is asked for.

    Attributes:
        answer: Makes the page of it from the query and all items of the list.
    """

    answer: Callable[[Mapping[str, str], list[Json]], bytes]


def says(*pieces: bytes, pause: float = 0.0, then: str = "close") -> Talk:
    """Say so many pieces, with pauses; then close the connection, reset it, or keep silent."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if then == "silence":
            await asyncio.sleep(3600)
        elif then == "reset":
            writer.transport.abort()
        else:
            writer.write_eof()

    return talk


def endlessly(first: bytes, piece: bytes, pause: float = 0.0) -> Talk:
    """Say something, and then the same for ever."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def body(value: object, *headers: str) -> bytes:
    """A 200 with this JSON."""
    return answer(json.dumps(value).encode(), JSON, *headers)


def following(query: Mapping[str, str], items: list[Json], limit: int = 100) -> list[Json]:
    """The page that the API itself would give: what follows ``after_id``, oldest first (`work/list`)."""
    after = query.get("after_id", "")
    return [item for item in items if item["id"] > after][: min(limit, int(query["limit"]))]


def right(query: Mapping[str, str], items: list[Json], limit: int = 100) -> Json:
    """The page as it should be."""
    found = following(query, items, limit)
    return page(*found, has_more=bool(found) and found[-1] is not items[-1])


def dated(offset: Callable[[], float]) -> Asked:
    """The right answer, of a server whose clock is so many seconds off."""
    return Asked(
        lambda query, items: body(right(query, items), f"Date: {formatdate(time.time() + offset(), usegmt=True)}")
    )


def paged(make: Callable[[Mapping[str, str], list[Json]], Json]) -> Asked:
    """A page that may be wrong, made from what was asked for."""
    return Asked(lambda query, items: body(make(query, items)))


def first_page_for_ever(query: Mapping[str, str], items: list[Json]) -> Json:
    """The first page, whatever the cursor is, and there is always more."""
    return right({"limit": query["limit"]}, items) | {"has_more": True}


def in_a_circle(query: Mapping[str, str], items: list[Json]) -> Json:
    """The first page once more after the last."""
    return (right(query, items) if following(query, items) else first_page_for_ever(query, items)) | {"has_more": True}


def overlapping(query: Mapping[str, str], items: list[Json]) -> Json:
    """Each page begins with items of the one before."""
    before = [item for item in items if item["id"] <= query.get("after_id", "")][-10:]
    found = right(query, items)
    return found | {"data": [*before, *found["data"]]}


def changed(change: Callable[[list[Json]], list[Json]]) -> Asked:
    """The right page, but for its items."""

    def make(query: Mapping[str, str], items: list[Json]) -> Json:
        found = right(query, items)
        return found | {"data": change(found["data"])}

    return paged(make)


def long_list() -> list[Json]:
    """A list of three pages, with live items in the second and at the end."""
    live = {120: "active", 248: "queued", 249: "active"}
    return [
        {
            "id": f"work_019f3be4fd2475d9a784bf2c{number:08x}",
            "environment_id": ENVIRONMENT,
            "state": live.get(number, "stopped"),
            "created_at": "2026-07-01T08:15:01Z",
            "acknowledged_at": "2026-07-01T08:15:04Z",
            "started_at": "2026-07-01T08:15:06Z",
            "latest_heartbeat_at": "2026-07-01T08:16:06Z",
            "stopped_at": None if number in live else "2026-07-01T08:17:06Z",
        }
        for number in range(250)
    ]
