"""One call of an endpoint: the request's parts, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive

from exporter.simulator.environment import Environment
from exporter.simulator.errors import AuthenticationError, InvalidRequestError, NotFoundError, PermissionDeniedError
from exporter.simulator.item import WorkItem
from exporter.simulator.simulation import Simulation

LARGEST_BODY = 32 * 1024 * 1024
"""Most bytes of a request's body (`overview`)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one endpoint.

    Attributes:
        simulation: The account that is asked.
        path: The values of the path's parameters.
        query: The values of the query's parameters.
        headers: The request's headers.
        body: The request's body.
        receive: Tells when the client hangs up.
    """

    simulation: Simulation
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: bytes
    receive: Receive

    @classmethod
    async def read(cls, simulation: Simulation, request: Request) -> "Call":
        """Read the request to its end."""
        body = await request.body()
        return cls(simulation, request.path_params, dict(request.query_params), request.headers, body, request.receive)

    @property
    def worker_id(self) -> str | None:
        """The ``Worker-ID`` header (`work/poll`)."""
        return self.headers.get("worker-id")

    def authorize(self) -> None:
        """Check the bearer token; ``x-api-key`` does not count (`overview`).

        Raises:
            AuthenticationError: There is none, or it is unknown.
            PermissionDeniedError: It has no rights.
        """
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        rights = self.simulation.tokens.rights(token) if scheme.lower() == "bearer" else None
        if rights is None:
            raise AuthenticationError("The bearer token is missing, unknown or expired.")
        if not rights:
            raise PermissionDeniedError("The token has no right to this operation.")

    def environment(self) -> Environment:
        """Return the environment that the path names.

        Raises:
            NotFoundError: There is none.
            PermissionDeniedError: It is somebody else's.
        """
        try:
            environment = self.simulation.environment(self.path["environment_id"])
        except KeyError:
            raise NotFoundError("There is no such environment.") from None
        if environment.forbidden:
            raise PermissionDeniedError("The token has no right to this environment.")
        return environment

    def work_environment(self) -> Environment:
        """Return the environment that the path names if it has work.

        Raises:
            InvalidRequestError: It is not self-hosted.
            PermissionDeniedError: It is archived, and the options say that its work is closed.
        """
        environment = self.environment()
        if environment.kind != "self_hosted" and environment.options.cloud_work == "invalid":
            raise InvalidRequestError("The environment is not self_hosted: it has no work.")
        if environment.archived_us is not None and environment.options.archived_work == "forbidden":
            raise PermissionDeniedError("The environment is archived.")
        return environment

    def item(self, environment: Environment) -> WorkItem:
        """Return the work item that the path names.

        Raises:
            NotFoundError: There is none in this environment.
        """
        item = environment.queue.find(self.path["work_id"])
        if item is None:
            raise NotFoundError("There is no such work item.")
        return item

    def json(self, *, optional: bool = False) -> dict[str, Any]:
        """Return the body's JSON object; an empty object if it is optional and left out.

        Raises:
            InvalidRequestError: It is not a JSON object, or too large.
        """
        if len(self.body) > LARGEST_BODY:
            raise InvalidRequestError("The request body is too large.")
        if optional and not self.body.strip():
            return {}
        try:
            decoded = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            decoded = None
        if not isinstance(decoded, dict):
            raise InvalidRequestError("The request body must be a JSON object.")
        return decoded
