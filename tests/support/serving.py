"""An application on a real socket, in a thread of its own."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.web.listen import Address, listen


class Guarded:
    """An application that answers only who knows the password."""

    def __init__(self, app: ASGIApp, user: str, password: str) -> None:
        self._app = app
        self._expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope["headers"]).get(b"authorization") == self._expected:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"Unauthorized"})


@contextmanager
def serving(app: ASGIApp, certificate: tuple[str, str] | None = None) -> Iterator[int]:
    """The port on 127.0.0.1 of an application that is served inside this block."""
    sock = listen(Address("127.0.0.1", 0))
    cert, key = certificate or (None, None)
    config = uvicorn.Config(app, log_config=None, lifespan="off", ssl_certfile=cert, ssl_keyfile=key)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])))
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        sock.close()
