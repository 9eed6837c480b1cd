"""The simulated API as an ASGI application, with the simulator's own control endpoints beside it."""

import asyncio
import random
import time
import uuid
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from exporter.simulator.call import Call
from exporter.simulator.connection import ResetConnection, TruncatedResponse, while_connected
from exporter.simulator.control import control_routes
from exporter.simulator.endpoints import ENDPOINTS, Body, Endpoint
from exporter.simulator.errors import ApiError, NotFoundError
from exporter.simulator.faults import Disruption, Garbage, Reset, Status, Truncate
from exporter.simulator.garbage import CURSORS, JSON, corrupt
from exporter.simulator.simulation import Simulation
from exporter.simulator.traffic import Exchange
from exporter.simulator.wire import ErrorBody, ErrorDetail, encode, http_date

BASE_PATH = "/api/v1/cloud"
"""Where the API begins (`overview`)."""

_CLIENT_LEFT = 499
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(simulation: Simulation) -> Starlette:
    """Return the application that serves this simulation.

    The API is under `BASE_PATH`, the simulator's own endpoints (`control_routes`) under ``/simulator``. It runs under
    uvicorn (`SimulatorServer`) as well as under `httpx.ASGITransport`; only with the latter, faults of the connection
    raise the httpx error that a client would see.
    """
    request_ids = random.Random(f"request IDs {simulation.seed}")
    unknown = Endpoint("unknown", "GET", "/{path:path}", _unknown)
    routes = [
        Route(endpoint.path, _Answer(simulation, endpoint, request_ids), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    routes.append(Route(unknown.path, _Answer(simulation, unknown, request_ids), methods=_METHODS))
    catch_all = Route(unknown.path, _Answer(simulation, unknown, request_ids), methods=_METHODS)
    return Starlette(
        routes=[Mount(BASE_PATH, routes=routes), Mount("/simulator", routes=control_routes(simulation)), catch_all]
    )


async def _unknown(_: Call) -> Body:
    raise NotFoundError("There is no such route.")


class _Answer:
    """Answers one endpoint's requests: faults, authorization, the handler, errors, the record."""

    def __init__(self, simulation: Simulation, endpoint: Endpoint, request_ids: random.Random) -> None:
        self._simulation = simulation
        self._endpoint = endpoint
        self._request_ids = request_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        started = time.monotonic()
        with self._simulation.traffic.answering(self._endpoint.name):
            response = await self._respond(request)
        self._record(request, response, started)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            call = await Call.read(self._simulation, request)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_LEFT)
        disruption = self._simulation.faults.draw(self._endpoint.name, call.path.get("environment_id"))
        if disruption.seconds and not await while_connected(asyncio.sleep(disruption.seconds), call.receive):
            return Response(status_code=_CLIENT_LEFT)
        request_id = request.headers.get("x-request-id") or self._new_request_id()
        response = await self._corrupted_or_correct(call, disruption, request_id)
        response.headers["x-request-id"] = request_id
        if self._simulation.options.date_header:
            response.headers["date"] = http_date(self._simulation.clock.now_us())
        return response

    async def _corrupted_or_correct(self, call: Call, disruption: Disruption, request_id: str) -> Response:
        fault = disruption.fault
        match fault:
            case Reset():
                return ResetConnection()
            case Status():
                return self._gateway_answer(fault, request_id)
            case Garbage(content="repeated_page"):
                query = {name: value for name, value in call.query.items() if name not in CURSORS}
                right = await self._right(replace(call, query=query), request_id)
            case _:
                right = await self._right(call, request_id)
        if isinstance(fault, Garbage) and right.status_code == 200:
            body, content_type = corrupt(fault.content, bytes(right.body), call.query)
            return Response(body, headers={"content-type": content_type})
        if isinstance(fault, Truncate):
            return TruncatedResponse(right.body, right.status_code, media_type=JSON)
        return right

    async def _right(self, call: Call, request_id: str) -> Response:
        try:
            call.authorize()
            body = await self._endpoint.handler(call)
        except ApiError as error:
            return self._error(error, request_id)
        if body is None and self._simulation.options.empty_poll == "no_content":
            return Response(status_code=204)
        return Response(encode(body), media_type=JSON)

    def _error(self, error: ApiError, request_id: str) -> Response:
        detail = ErrorDetail(error.type, error.message, error.param)
        body = ErrorBody(detail, request_id) if self._simulation.options.error_request_id else ErrorBody(detail)
        return Response(encode(body), error.status, media_type=JSON)

    def _gateway_answer(self, fault: Status, request_id: str) -> Response:
        if fault.body and fault.status not in (204, 304):
            error = ApiError("The gateway answers instead of the service.")
            error.status, error.type = fault.status, _GATEWAY_TYPES.get(fault.status, ApiError.type)
            response = self._error(error, request_id)
        else:
            response = Response(status_code=fault.status)
        response.headers.update(fault.headers)
        if fault.retry_after is not None:
            response.headers["retry-after"] = fault.retry_after
        return response

    def _new_request_id(self) -> str:
        return str(uuid.UUID(int=self._request_ids.getrandbits(128), version=4))

    def _record(self, request: Request, response: Response, started: float) -> None:
        cut = isinstance(response, ResetConnection) or response.status_code == _CLIENT_LEFT
        sent = response.half if isinstance(response, TruncatedResponse) else response.body
        self._simulation.traffic.record(
            Exchange(
                endpoint=self._endpoint.name,
                method=request.method,
                path=request.url.path,
                query=request.url.query,
                status=0 if cut else response.status_code,
                bytes_sent=0 if cut else len(sent),
                started=started,
                user_agent=request.headers.get("user-agent", ""),
            )
        )


_GATEWAY_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    412: "precondition_failed_error",
    429: "rate_limit_error",
    501: "feature_not_available",
}
