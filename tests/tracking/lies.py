"""A transport that changes what the simulator answers, as an API does that errs."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.tracking.fleets import Account
from tests.tracking.harness import Watched

Page = dict[str, Any]


class Lie(httpx.AsyncBaseTransport):
    """Changes the answers of one endpoint, while it is told.

    Args:
        liar: Whose API.
        change: What becomes of an answer's content.
        endpoint: `work` for the list, `stats`, or `environments`.
    """

    def __init__(
        self, liar: Watched | Account, change: Callable[[httpx.Request, Page], Page], endpoint: str = "work"
    ) -> None:
        self._liar = liar
        self._inner = liar.transport.inner
        self._change = change
        self._endpoint = endpoint

    def __enter__(self) -> None:
        self._liar.transport.inner = self

    def __exit__(self, *_: object) -> None:
        self._liar.transport.inner = self._inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.url.path.rsplit("/", 1)[-1] != self._endpoint or response.status_code != 200:
            return response
        page = self._change(request, json.loads(await response.aread()))
        return httpx.Response(200, json=page)


def without(*work_ids: str) -> Callable[[httpx.Request, Page], Page]:
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


def from_the_start(watched: Watched) -> Callable[[httpx.Request, Page], Page]:
    """Answer with the first page whatever the cursor."""

    first = [{"id": item.id, "state": item.state} for item in watched.truth().items[:100]]

    def change(_: httpx.Request, page: Page) -> Page:
        return page | {"data": first, "has_more": True}

    return change
