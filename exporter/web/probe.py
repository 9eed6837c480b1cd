"""One environment's metrics alone (`/probe`), and where Prometheus finds all of them (`/sd`)."""

import asyncio
import re
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.metrics.exposition import Scrape, encode_environment
from exporter.metrics.samples import Shape
from exporter.tracking.view import EnvironmentView, FleetView
from exporter.web import deadline
from exporter.web.json_api import HEADERS
from exporter.web.target import AmbiguousError, TargetError, find
from exporter.web.text import json_bytes

if TYPE_CHECKING:
    from exporter.web.app import Exporter

PROBE, SERVICE_DISCOVERY = "/probe", "/sd"

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_ENVIRONMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def routes(exporter: "Exporter") -> list[Route]:
    """Where probes and service discovery are served."""

    async def probe(request: Request) -> Response:
        settings = exporter.settings
        try:
            seconds = deadline.budget(
                request.headers.get(deadline.HEADER), timeout=settings.timeout, offset=settings.timeout_offset
            )
        except deadline.BadTimeout as error:
            return _refused(str(error), 400)
        target, account = request.query_params.get("target", ""), request.query_params.get("account")
        if not target:
            return _refused("give the environment's ID or name: /probe?target=…", 400)
        try:
            found, view = await _probed(exporter, target, account, asyncio.get_running_loop().time() + seconds)
        except TargetError as error:
            return _refused(str(error), error.status)
        scrape = Scrape(request.headers.get("Accept"), names=frozenset(request.query_params.getlist("name[]")))
        body, content_type = encode_environment(found, scrape, Shape(view.metadata_keys, settings.histograms))
        return Response(body, headers={"Content-Type": content_type})

    async def service_discovery(request: Request) -> Response:
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            return _refused("the Host header must name the address under which this exporter is reached", 400)
        root = request.scope.get("root_path", "")
        groups = [
            _group(each, host, request.url.scheme, f"{root}{PROBE}") for each in exporter.fleet.view().environments
        ]
        if not exporter.fleet.ready:  # Prometheus keeps the targets it has when this fails
            return _refused("the environments to watch are still being discovered", 503)
        return Response(json_bytes(groups), headers=HEADERS, media_type="application/json")

    return [Route(PROBE, probe), Route(SERVICE_DISCOVERY, service_discovery)]


async def _probed(
    exporter: "Exporter", target: str, account: str | None, until: float
) -> tuple[EnvironmentView, FleetView]:
    """One environment, refreshed by itself.

    Raises:
        TargetError: It is not watched, and may not be read all the same.
    """
    fleet = exporter.fleet
    view = fleet.view() if fleet.ready else await fleet.collect(until)
    try:
        identity = find(view.environments, target).environment
    except AmbiguousError:
        raise
    except TargetError as error:
        if not exporter.settings.probe_any:
            raise TargetError(
                f"{error}; others are read only where the configuration says probe.allow_any: true"
            ) from None
        if not _ENVIRONMENT_ID.fullmatch(target):
            raise TargetError(f"{error}; what is not watched can only be read by its ID") from None
        return await _any(exporter, target, account, until)
    view = await fleet.collect(until, identity)
    return find(view.environments, identity.id), view


async def _any(
    exporter: "Exporter", target: str, account: str | None, until: float
) -> tuple[EnvironmentView, FleetView]:
    """An environment that is not watched, read because somebody asks for it."""
    fleet = exporter.fleet
    view = await fleet.probe(target, until, account)
    if view is None:
        raise TargetError("it is not clear which account is to read it: add account=… with the name of one")
    newest = next(iter(view.outcomes), None)
    if newest is not None and newest.reason == "not_found":
        raise TargetError(f"the API does not know the environment `{target}`")
    return view, fleet.view()


def _group(view: EnvironmentView, host: str, scheme: str, path: str) -> dict[str, object]:
    """One target of Prometheus' HTTP service discovery."""
    identity = view.environment
    return {
        "targets": [host],
        "labels": {
            "__scheme__": scheme,
            "__metrics_path__": path,
            "__param_target": identity.id,
            "__meta_qoder_work_environment_id": identity.id,
            "__meta_qoder_work_environment": identity.name,
            "__meta_qoder_work_account": identity.account,
            "instance": f"{host}/{identity.id}",
        },
    }


def _refused(text: str, status: int) -> Response:
    return PlainTextResponse(f"{text}\n", status, HEADERS)
