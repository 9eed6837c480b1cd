"""The web application: metrics, health, readiness and the status page."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from exporter.metrics.exposition import Exposition, Scrape
from exporter.metrics.lag import LoopLag
from exporter.metrics.samples import Reload, Shape
from exporter.web import deadline, json_api, probe, status
from exporter.web.compression import Compressed
from exporter.web.current import Current
from exporter.web.fleet import Fleet
from exporter.web.paths import HEALTHY, READY, RELOAD
from exporter.web.severity import Judges


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the web server answers.

    Attributes:
        telemetry_path: Where the metrics are; see `check_telemetry_path`.
        timeout: Seconds a scrape may take that does not say how long it waits.
        timeout_offset: Seconds by which a scraper is answered before it gives up.
        probe_any: Whether ``/probe`` may read environments that are not configured.
        judges: Say how bad it is.
        session_link: The address of a session's page, with ``{session_id}`` for its ID; None for no links.
        histograms: The upper bounds of the buckets to expose, by the name of the metric; None leaves the histogram out.
            Histograms that are not named are exposed whole.
        configuration: The configuration in force, fit for everybody's eyes.
    """

    telemetry_path: str
    timeout: float
    timeout_offset: float
    probe_any: bool
    judges: Judges
    session_link: str | None
    histograms: Mapping[str, tuple[float, ...] | None]
    configuration: str


def check_telemetry_path(path: str) -> str:
    """Return the path if metrics can be served there.

    Raises:
        ValueError: They cannot; the text says why.
    """
    if not path.startswith("/"):
        raise ValueError(f"`{path}` does not begin with /")
    if path.startswith("/-/"):
        raise ValueError(f"`{path}` is not free: /-/ is for health, readiness and reloading")
    if any(character in "{}?#%" or not character.isprintable() or character.isspace() for character in path):
        raise ValueError(f"`{path}` has characters that a plain path does not have")
    return path


AnyFleet = TypeVar("AnyFleet", bound=Fleet)


class Exporter(Protocol):
    """What the application serves. All of it may change with a reload, but for the telemetry path."""

    @property
    def fleet(self) -> Fleet:
        """The environments watched."""

    @property
    def settings(self) -> WebSettings:
        """How to answer."""

    @property
    def loaded(self) -> Reload | None:
        """How the configuration was last loaded, or None where there is none."""

    async def reload(self) -> Sequence[str]:
        """Load the configuration again, and return why that failed, one line per error."""


@dataclass(frozen=True, slots=True)
class Unchanging(Generic[AnyFleet]):
    """An exporter without a configuration that could be loaded again."""

    fleet: AnyFleet
    settings: WebSettings
    loaded: Reload | None = None

    async def reload(self) -> Sequence[str]:
        """There is nothing to load."""
        return ["there is no configuration that could be loaded again"]


def create_app(exporter: Exporter, lag: LoopLag | None = None) -> Starlette:
    """Make the application that shows a fleet.

    Args:
        exporter: What to serve.
        lag: Measures the event loop; None to show no such measurement.
    """
    pages = _Pages(exporter, Exposition(lag))
    current = Current(exporter)
    routes = [
        Route(exporter.settings.telemetry_path, pages.metrics),
        Route(HEALTHY, pages.healthy),
        Route(READY, pages.ready),
        Route(RELOAD, pages.reload, methods=["POST"]),
        *probe.routes(exporter),
        *json_api.routes(current),
        *status.routes(current, exporter),  # the metrics win where they are to be served at /
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Compressed, besides={exporter.settings.telemetry_path})],
        exception_handlers={404: pages.not_found},
    )
    app.router.redirect_slashes = False  # it would redirect to whatever the Host header says
    return app


@dataclass(frozen=True, slots=True)
class _Pages:
    """One method a route."""

    exporter: Exporter
    exposition: Exposition

    async def metrics(self, request: Request) -> Response:
        settings = self.exporter.settings
        try:
            seconds = deadline.budget(
                request.headers.get(deadline.HEADER), timeout=settings.timeout, offset=settings.timeout_offset
            )
        except deadline.BadTimeout as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        seconds -= min(self.exposition.cost, seconds / 2)  # writing the answer is part of the budget
        view = await self.exporter.fleet.collect(asyncio.get_running_loop().time() + seconds)
        scrape = Scrape(
            request.headers.get("Accept"),
            request.headers.get("Accept-Encoding"),
            frozenset(request.query_params.getlist("name[]")),
        )
        shape = Shape(view.metadata_keys, self.exporter.settings.histograms)
        answer = await self.exposition.encode(view, scrape, reload=self.exporter.loaded, shape=shape)
        if isinstance(answer.body, bytes):
            return Response(answer.body, headers=answer.headers)
        return StreamingResponse(answer.body, headers=answer.headers)

    async def healthy(self, _request: Request) -> Response:
        return PlainTextResponse("Healthy.\n")

    async def ready(self, _request: Request) -> Response:
        if self.exporter.fleet.ready:
            return PlainTextResponse("Ready.\n")
        return PlainTextResponse("Not ready: the environments to watch are still being looked up.\n", status_code=503)

    async def reload(self, _request: Request) -> Response:
        if errors := await self.exporter.reload():
            return PlainTextResponse("".join(f"{error}\n" for error in errors), status_code=500)
        return PlainTextResponse("Loaded.\n")

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        text = f"Not found. The metrics are at {self.exporter.settings.telemetry_path}.\n"
        return PlainTextResponse(text, status_code=404)
