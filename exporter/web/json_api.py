"""The JSON API: what the status page shows, for scripts, for `inspect` and for autoscalers."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.web import schema
from exporter.web.current import Current
from exporter.web.selection import BadSelection, ItemSelection, Selection
from exporter.web.target import TargetError
from exporter.web.text import json_bytes

PATH = f"/api/{schema.VERSION}/environments"

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def routes(current: Current) -> list[Route]:
    """Where the JSON API is served."""

    async def fleet(request: Request) -> Response:
        try:
            selection = Selection.parse(request.query_params)
        except BadSelection as error:
            return problem(str(error), 400)
        return answer((await current.overview(selection)).fleet)

    async def environment(request: Request) -> Response:
        try:
            selection = ItemSelection.parse(request.query_params)
            return answer(await current.environment(request.path_params["target"], selection))
        except BadSelection as error:
            return problem(str(error), 400)
        except TargetError as error:
            return problem(str(error), error.status)

    return [Route(PATH, fleet), Route(PATH + "/{target:path}", environment)]


def answer(value: msgspec.Struct, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(json_bytes(value), status, HEADERS, "application/json")


def problem(text: str, status: int) -> Response:
    """What is wrong with a request."""
    return answer(schema.Problem(error=text), status)
