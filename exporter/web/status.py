"""The status pages: what is watched, what is stuck and since when, and how fresh all of it is. They run no script."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from exporter import advice
from exporter.web import runbooks, schema
from exporter.web.current import Current, Overview
from exporter.web.report import LIVE_STATES, PER_KIND
from exporter.web.selection import SEVERITIES, SORTS, BadSelection, ItemSelection, Selection
from exporter.web.severity import spoken
from exporter.web.target import TargetError
from exporter.web.text import printable

if TYPE_CHECKING:
    from exporter.web.app import Exporter

_UNKNOWN = "\N{EN DASH}"
_BAR_STEPS = 20
_FAILURES = 20

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("exporter.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=lambda value: printable(value) if type(value) is str else value,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _duration(seconds: float | None) -> str:
    return (
        _UNKNOWN if seconds is None else spoken(seconds) if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.0f} ms"
    )


def _time(moment: datetime | None) -> str:
    return _UNKNOWN if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


_TEMPLATES.filters |= {"duration": _duration, "time": _time}
_TEMPLATES.globals |= {"advice_of": advice.of_state, "states": LIVE_STATES}

_STYLE = _TEMPLATES.get_template("style.css").render()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_TEMPLATES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Nothing is loaded, run, framed or kept; the one style sheet is named by its hash."""


def routes(current: Current, exporter: "Exporter") -> list[Route]:
    """Where the pages are served."""

    async def overview(request: Request) -> Response:
        problem = ""
        try:
            selection = Selection.parse(request.query_params)
        except BadSelection as error:
            selection, problem = Selection(), str(error)
        text = render_overview(await current.overview(selection), selection, exporter, problem=problem)
        return HTMLResponse(text, 400 if problem else 200, _headers(selection.refresh))

    async def item(request: Request) -> Response:
        work_id = request.path_params["work_id"]
        try:
            where = quote(current.whose(work_id).id, safe="")
        except TargetError as error:
            return HTMLResponse(render_problem(str(error)), error.status, HEADERS)
        item = quote(work_id, safe="")
        return RedirectResponse(f"../environments/{where}?work_id={item}#{item}", 303, HEADERS)  # relative: no host

    async def environment(request: Request) -> Response:
        try:
            selection, view = ItemSelection.parse(request.query_params), Selection.parse(request.query_params)
            report = await current.environment(request.path_params["target"], selection)
        except BadSelection as error:
            return HTMLResponse(render_problem(str(error)), 400, HEADERS)
        except TargetError as error:
            return HTMLResponse(render_problem(str(error)), error.status, HEADERS)
        return HTMLResponse(render_environment(report, selection, refresh=view.refresh), headers=_headers(view.refresh))

    return [
        Route("/", overview),
        Route("/runbooks", _runbooks),
        Route("/runbooks/{name}", _runbook),  # with .md and without: links work as in the repository
        Route("/environments/{target:path}", environment),
        Route("/items/{work_id}", item),  # where exemplars lead, which know the item and not its environment
    ]


async def _runbook(request: Request) -> Response:
    name = request.path_params["name"].lower().removesuffix(".md")
    if name not in runbooks.names():
        return HTMLResponse(render_problem("No alert of this name has a runbook."), 404, HEADERS)
    return HTMLResponse(render_runbook(name), headers=HEADERS)


async def _runbooks(request: Request) -> Response:
    return HTMLResponse(render_runbooks(), headers=HEADERS)


def _headers(refresh: int) -> dict[str, str]:
    """The headers of a page that loads itself again after so many seconds; 0 is never."""
    return {**HEADERS, **({"Refresh": str(refresh)} if refresh else {})}


def render_overview(overview: Overview, selection: Selection, exporter: "Exporter", *, problem: str = "") -> str:
    """Write the page of the whole fleet.

    Args:
        overview: What to show.
        selection: What was asked for.
        exporter: The exporter, for its configuration.
        problem: What was wrong with the request.
    """
    fleet = overview.fleet
    return _TEMPLATES.get_template("status.html").render(
        root="",
        fleet=fleet,
        refresh=selection.refresh,
        selection=selection,
        problem=problem,
        sorts=SORTS,
        severities=SEVERITIES,
        worst_items=overview.worst_items,
        per_kind=PER_KIND,
        failures=_failures(fleet),
        bars=_bars(fleet.environments),
        configuration=exporter.settings.configuration,
        metrics=exporter.settings.telemetry_path.removeprefix("/"),  # relative: it holds behind a proxy's prefix
    )


def render_environment(report: schema.EnvironmentItems, selection: ItemSelection, *, refresh: int) -> str:
    """Write the page of one environment and its live items."""
    environment = report.environment
    return _TEMPLATES.get_template("environment.html").render(
        root="../",
        report=report,
        environment=environment,
        fleet=report,
        selection=selection,
        refresh=refresh,
        bars=_bars([environment]),
    )


def render_problem(problem: str) -> str:
    """Write the page that says what is wrong with a request."""
    return _TEMPLATES.get_template("problem.html").render(root="../", refresh=0, problem=problem)


def render_runbook(name: str) -> str:
    """Write the page of one alert's runbook."""
    template = _TEMPLATES.get_template("runbook.html")
    return template.render(root="../", title=runbooks.names()[name], text=runbooks.html(name))


def render_runbooks() -> str:
    """Write the page that lists the runbooks."""
    return _TEMPLATES.get_template("runbooks.html").render(root="", names=runbooks.names())


def _failures(fleet: schema.Fleet) -> list[tuple[schema.Environment, schema.Refresh]]:
    """The last failure of each environment shown, newest first."""
    found = [(each, each.last_failure) for each in fleet.environments if each.last_failure is not None]
    return sorted(found, key=lambda pair: pair[1].at, reverse=True)[:_FAILURES]


def _bars(environments: list[schema.Environment]) -> Mapping[tuple[str, str, str], int]:
    """The length of the bar of every count, in steps of a twentieth of the largest count shown of that state."""
    largest = {
        state: max((each.items.get(state, 0) for each in environments if each.items is not None), default=0)
        for state in LIVE_STATES
    }
    return {
        (each.account, each.id, state): -(-_BAR_STEPS * each.items.get(state, 0) // largest[state])
        for each in environments
        if each.items is not None
        for state in LIVE_STATES
        if largest[state]
    }
