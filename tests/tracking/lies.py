"""A transport that changes what the simulator answers, as an API does that errs."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.tracking.fleets import Account
from tests.tracking.harness import Watched

Page = dict[str, Any]
Change = Callable[[httpx.Request, Page], Page]
"""What becomes of an answer's content."""


class Lie(httpx.AsyncBaseTransport):
    """Changes the answers of one endpoint, while it is told.

    Args:
        liar: Whose API.
        change: What becomes of an answer's content.
        endpoint: `work` for the list, `stats`, or `environments`.
        alone: Whether items that are asked for alone are changed, too.
    """

    def __init__(self, liar: Watched | Account, change: Change, endpoint: str = "work", *, alone: bool = False) -> None:
        self._liar = liar
        self._inner = liar.transport.inner
        self._change = change
        self._endpoint = endpoint
        self._alone = alone

    def __enter__(self) -> None:
        self._liar.transport.inner = self

    def __exit__(self, *_: object) -> None:
        self._liar.transport.inner = self._inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        *_, folder, last = request.url.path.split("/")
        single = self._alone and folder == "work" and last != "stats"
        if response.status_code != 200 or not (single or last == self._endpoint):
            return response
        content = _content(await response.aread())
        page = {"data": [content]} if single else content
        if page is None or not _is_page(page):
            return response  # it is nonsense already
        page = self._change(request, page)
        if single:
            (page,) = page["data"]
        # Half an emoji is no text that could be encoded, but JSON has a way to write it.
        return httpx.Response(200, headers=_dated(response), content=json.dumps(page).encode("ascii"))


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_page(content: Any) -> bool:
    records = content.get("data", []) if isinstance(content, dict) else None
    return isinstance(records, list) and all(isinstance(record, dict) and "id" in record for record in records)


def _dated(response: httpx.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in ("date",) if name in response.headers}


def without(*work_ids: str) -> Change:
    """Leave out items, as a replica does that lags behind."""
    return lambda _, page: page | {"data": [item for item in page["data"] if item["id"] not in work_ids]}


def empty(_: httpx.Request, page: Page) -> Page:
    """Say that nothing is there."""
    return page | {"data": [], "has_more": False, "next_page": None}


def cut_short(_: httpx.Request, page: Page) -> Page:
    """Say that the list ends with what is in the middle of the page."""
    return page | {"data": page["data"][:3], "has_more": False, "next_page": None}


def renamed(_: httpx.Request, page: Page) -> Page:
    """Write IDs in another form."""
    return page | {"data": [item | {"id": item["id"].replace("work_", "wrk-")} for item in page["data"]]}


def odd(*work_ids: str, **fields: Any) -> Change:
    """Write something odd into these items."""
    return lambda _, page: page | {"data": [item | (fields if item["id"] in work_ids else {}) for item in page["data"]]}


def dated(field: str, text: str) -> Change:
    """Date one step of every item that has it."""
    return lambda _, page: page | {"data": [item | ({field: text} if item.get(field) else {}) for item in page["data"]]}


def from_the_start(watched: Watched) -> Change:
    """Answer with the first page whatever the cursor."""

    first = [{"id": item.id, "state": item.state} for item in watched.truth().items[:100]]

    def change(_: httpx.Request, page: Page) -> Page:
        return page | {"data": first, "has_more": True}

    return change
