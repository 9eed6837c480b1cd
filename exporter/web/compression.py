"""Compression by what the client accepts."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.metrics.negotiation import Coding, coding

LEVEL = 4
"""Pages shrink to a tenth at any level; the higher ones only cost more time."""

_MINIMUM_BYTES = 500


class Compressed:
    """An application whose responses are compressed.

    Starlette's middleware looks for the word gzip alone, so that it gets a header with nothing else in it.

    Args:
        app: The application.
        besides: Paths whose responses it compresses itself; a client that accepts no coding is refused there, too.
    """

    def __init__(self, app: ASGIApp, besides: Collection[str] = ()) -> None:
        self._app = app
        self._besides = besides
        self._worth_it = GZipMiddleware(app, minimum_size=_MINIMUM_BYTES, compresslevel=LEVEL)
        self._always = GZipMiddleware(app, minimum_size=0, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in a coding that its client accepts."""
        if scope["type"] != "http":
            await self._worth_it(scope, receive, send)
            return
        chosen = coding(Headers(scope=scope).get("Accept-Encoding"))
        if chosen is Coding.NONE:
            refusal = PlainTextResponse("Only gzip and identity are available.\n", 406)
            await refusal(scope, receive, send)
            return
        if scope["path"] in self._besides:
            await self._app(scope, receive, send)
            return
        scope = {**scope, "headers": list(scope["headers"])}
        accepted = "identity" if chosen is Coding.IDENTITY else "gzip"
        MutableHeaders(scope=scope)["Accept-Encoding"] = accepted
        await (self._always if chosen is Coding.GZIP_ONLY else self._worth_it)(scope, receive, send)
