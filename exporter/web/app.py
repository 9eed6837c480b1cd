"""The web application: metrics, health, readiness and the status page."""

import asyncio
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.metrics.exposition import encode
from exporter.metrics.families import Reload
from exporter.web import deadline, status
from exporter.web.fleet import Fleet

HEALTHY, READY = "/-/healthy", "/-/ready"

_COMPRESSION_LEVEL = 4
"""Exposition text shrinks to a tenth at any level; the higher ones only cost a busy scrape more time."""

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the web server answers.

    Attributes:
        telemetry_path: Where the metrics are; see `check_telemetry_path`.
        timeout: Seconds a scrape may take that does not say how long it waits.
        timeout_offset: Seconds by which a scraper is answered before it gives up.
        reload: How the configuration was last loaded, or None where that is not known.
    """

    telemetry_path: str = "/metrics"
    timeout: float = 10.0
    timeout_offset: float = 0.5
    reload: Reload | None = None


def check_telemetry_path(path: str) -> str:
    """Return the path if metrics can be served there.

    Raises:
        ValueError: They cannot; the text says why.
    """
    if not path.startswith("/"):
        raise ValueError(f"`{path}` does not begin with /")
    if path.startswith("/-/"):
        raise ValueError(f"`{path}` is not free: /-/ is for health and readiness")
    if any(character in "{}?#%" or not character.isprintable() or character.isspace() for character in path):
        raise ValueError(f"`{path}` has characters that a plain path does not have")
    return path


def create_app(fleet: Fleet, settings: WebSettings) -> Starlette:
    """Make the application that shows a fleet.

    Args:
        fleet: The environments watched.
        settings: How to answer.
    """
    pages = _Pages(fleet, settings)
    routes = [
        Route(settings.telemetry_path, pages.metrics),
        Route(HEALTHY, pages.healthy),
        Route(READY, pages.ready),
        Route("/", pages.status),  # the metrics win where they are to be served here
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(GZipMiddleware, compresslevel=_COMPRESSION_LEVEL)],
        exception_handlers={404: pages.not_found},
    )


@dataclass(frozen=True, slots=True)
class _Pages:
    """One method a route."""

    fleet: Fleet
    settings: WebSettings

    async def metrics(self, request: Request) -> Response:
        try:
            seconds = deadline.budget(
                request.headers.get(deadline.HEADER),
                timeout=self.settings.timeout,
                offset=self.settings.timeout_offset,
            )
        except deadline.BadTimeout as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        view = await self.fleet.collect(asyncio.get_running_loop().time() + seconds)
        body, content_type = encode(view, request.headers.get("Accept"), self.settings.reload)
        return Response(body, headers={"Content-Type": content_type})

    async def healthy(self, _request: Request) -> Response:
        return PlainTextResponse("Healthy.\n")

    async def ready(self, _request: Request) -> Response:
        if self.fleet.ready:
            return PlainTextResponse("Ready.\n")
        return PlainTextResponse("Not ready: the environments to watch are still being looked up.\n", status_code=503)

    async def status(self, _request: Request) -> Response:
        page = status.render(self.fleet.view(), telemetry_path=self.settings.telemetry_path, ready=self.fleet.ready)
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        text = f"Not found. The metrics are at {self.settings.telemetry_path}.\n"
        return PlainTextResponse(text, status_code=404)
