"""Bounds on single requests and on all of them together."""

import asyncio
import http
from collections.abc import Iterator

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.limits import Limits
from exporter.web.paths import OPEN_PATHS

_SLICE_BYTES = 65_536
"""Sent at once. Only between two slices does the server wait for a slow client; what it has been given it keeps."""

log = structlog.get_logger()


class Bounded:
    """An application whose requests are bounded in number and size; health and readiness are always answered.

    Args:
        app: The application.
        limits: The bounds.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        headers = Headers(scope=scope)
        sender = _Sender(send, close="expect" in headers)
        if (status := self._refusal(scope, headers)) is not None:
            refusal = PlainTextResponse(f"{status.phrase}\n", status, headers={"Connection": "close"})
            await refusal(scope, receive, sender.send)
        elif scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, sender.send)
        elif self._requests >= self._limits.requests:
            log.warning("request refused: too many are being answered", requests=self._limits.requests)
            busy = PlainTextResponse("Too many requests are being answered.\n", 503, headers={"Retry-After": "5"})
            await busy(scope, receive, sender.send)
        else:
            self._requests += 1
            try:
                await self._answer(scope, receive, sender.send)
            finally:
                self._requests -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; a request that only reads ends when its client leaves, and makes room."""
        if scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        gone = asyncio.create_task(_disconnected(receive))
        answering = asyncio.ensure_future(self._app(scope, _without_body(gone), send))
        try:
            await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
        finally:
            gone.cancel()
            answering.cancel()
            await asyncio.wait({answering})

    def _refusal(self, scope: Scope, headers: Headers) -> http.HTTPStatus | None:
        if scope["http_version"] not in {"1.0", "1.1"}:
            return http.HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        if len(scope["raw_path"]) + len(scope["query_string"]) > self._limits.url_bytes:
            return http.HTTPStatus.REQUEST_URI_TOO_LONG
        if int(headers.get("content-length", "0")) > self._limits.body_bytes:
            return http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return None


async def _disconnected(receive: Receive) -> None:
    """Return once the client has left, or has its response."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _without_body(gone: asyncio.Task[None]) -> Receive:
    """What the application receives of a request: an empty body, and later that the client has left."""
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.wait({gone})
        return {"type": "http.disconnect"}

    return receive


class _Sender:
    """Sends a response in slices, and closes the connection after it where that is wanted.

    Args:
        send: Where to.
        close: Whether the connection must not be used again: a client that expects to be told to go on may or may not
            send its body once it has the response.
    """

    def __init__(self, send: Send, *, close: bool) -> None:
        self._send = send
        self._close = close

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._close:
            MutableHeaders(raw=message["headers"])["connection"] = "close"
        if message["type"] == "http.response.body":
            for part in _slices(message):
                await self._send(part)
        else:
            await self._send(message)


def _slices(message: Message) -> Iterator[Message]:
    body, more = message.get("body", b""), message.get("more_body", False)
    rest = memoryview(body)
    while len(rest) > _SLICE_BYTES:
        yield {"type": "http.response.body", "body": bytes(rest[:_SLICE_BYTES]), "more_body": True}
        rest = rest[_SLICE_BYTES:]
    yield {"type": "http.response.body", "body": bytes(rest), "more_body": more}
