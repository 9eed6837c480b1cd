"""A client of the API, answers to give it, and servers that misbehave below HTTP."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from exporter.api.client import WorkAPI
from exporter.api.decoding import decode
from tests.support.settings import client_settings

BASE_URL = "https://api.test/api/v1/cloud"
ENVIRONMENT = "env_019e64e01a137caf953ac2ac7b42ec5c"
WORK = "work_019f3be4fd2475d9a784bf2c739e1194"
TOKEN = "pt-must-never-be-shown"

T = TypeVar("T")
Json = dict[str, Any]
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that stands in the test itself."""

    value: str = TOKEN

    def read(self) -> str:
        return self.value


def client(base_url: str = BASE_URL, *, now: Callable[[], float] = time.time, **settings: Any) -> WorkAPI:
    """A client with these settings and a good token."""
    token, transport = settings.pop("token", GivenToken()), settings.pop("transport", None)
    return WorkAPI(client_settings(base_url, token, **settings), now=now, transport=transport)


def at_once() -> float:
    """A deadline that leaves time for a first attempt, and for no other."""
    return time.monotonic()


def within(seconds: float) -> float:
    """A deadline that leaves this much time for retries."""
    return time.monotonic() + seconds


def item(**changes: object) -> Json:
    """A work item as the documentation's example shows it (`work/get`)."""
    return {
        "id": WORK,
        "type": "work",
        "environment_id": ENVIRONMENT,
        "data": {"type": "session", "id": "sess_019f3be3fa66750bb9a1fbcde85b5fe1"},
        "state": "active",
        "created_at": "2026-07-01T08:15:01Z",
        "acknowledged_at": "2026-07-01T08:15:04Z",
        "started_at": "2026-07-01T08:15:06Z",
        "latest_heartbeat_at": "2026-07-01T08:16:06.120394Z",
        "stop_requested_at": None,
        "stopped_at": None,
        "metadata": {"job": "daily-report"},
        **changes,
    }


def page(*items: Json, **changes: object) -> Json:
    """A last page of the work list (`work/list`)."""
    ids = [each["id"] for each in items]
    ends = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return {"data": list(items), **ends, "has_more": False, "next_page": None, **changes}


def envelope(type_: str = "api_error", message: str = "It went wrong.", **changes: object) -> Json:
    """An error (`conventions/errors`)."""
    error = {"type": type_, "message": message}
    return {"type": "error", "request_id": "0c4f7b9e-7c53-4a3c-9a54-4f9f7a6d6d11", "error": error, **changes}


@asynccontextmanager
async def conversing(conversation: Conversation) -> AsyncIterator[str]:
    """A server that reads each request's head and then does as it is told; gives the API's address on it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client may leave at any point, and the test may end while the server still talks.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await conversation(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/cloud"
    finally:
        server.close()


def read(body: object, shape: type[T]) -> T:
    """What a client makes of a 200 with this content: bytes, or anything that JSON can say."""
    content = body if isinstance(body, bytes) else json.dumps(body, allow_nan=False).encode()
    request = httpx.Request("GET", BASE_URL, headers={"Authorization": f"Bearer {TOKEN}"})
    return decode("get", httpx.Response(200, content=content, request=request), shape)
