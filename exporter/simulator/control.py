"""The simulator's own endpoints: faults, the record of requests and the truth, for whoever drives it from outside."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.simulator.faults import AnyFault
from exporter.simulator.garbage import JSON
from exporter.simulator.simulation import Simulation


def control_routes(simulation: Simulation) -> list[Route]:
    """Return the routes, relative to ``/simulator``. None needs a token.

    - ``GET /faults``: the faults that are on, by number.
    - ``POST /faults``: switch one on, e.g. ``{"kind": "status", "status": 503, "endpoint": "list", "count": 3}``; the
      kinds and their fields are those of `exporter.simulator.faults`. Answers with its ``number``.
    - ``DELETE /faults`` and ``DELETE /faults/{number}``: switch all of them, or one, off.
    - ``GET /requests``: sums by endpoint, and the latest requests; ``DELETE /requests`` forgets them.
    - ``GET /truth/{environment_id}``: the counts and stats of an environment now, and with ``?items=live`` or
      ``?items=all`` its items.
    """
    control = _Control(simulation)
    return [
        Route("/faults", control.list_faults, methods=["GET"]),
        Route("/faults", control.add_fault, methods=["POST"]),
        Route("/faults", control.clear_faults, methods=["DELETE"]),
        Route("/faults/{number:int}", control.remove_fault, methods=["DELETE"]),
        Route("/requests", control.show_requests, methods=["GET"]),
        Route("/requests", control.forget_requests, methods=["DELETE"]),
        Route("/truth/{environment_id}", control.show_truth, methods=["GET"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def _refusal(status: int, message: str) -> Response:
    return _json({"error": message}, status)


class _Control:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def list_faults(self, _: Request) -> Response:
        return _json({str(number): fault for number, fault in self._simulation.faults.active().items()})

    async def add_fault(self, request: Request) -> Response:
        try:
            fault = msgspec.json.decode(await request.body(), type=AnyFault)
        except msgspec.DecodeError as error:
            return _refusal(400, str(error))
        return _json({"number": self._simulation.faults.add(fault)}, 201)

    async def clear_faults(self, _: Request) -> Response:
        self._simulation.faults.clear()
        return Response(status_code=204)

    async def remove_fault(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not self._simulation.faults.remove(number):
            return _refusal(404, f"fault {number} is not on")
        return Response(status_code=204)

    async def show_requests(self, _: Request) -> Response:
        return _json(self._simulation.traffic.snapshot())

    async def forget_requests(self, _: Request) -> Response:
        self._simulation.traffic.reset()
        return Response(status_code=204)

    async def show_truth(self, request: Request) -> Response:
        wanted = request.query_params.get("items", "none")
        if wanted not in ("none", "live", "all"):
            return _refusal(400, f"items: must be none, live or all, got {wanted}")
        try:
            truth = self._simulation.truth(request.path_params["environment_id"], live_only=wanted != "all")
        except KeyError:
            return _refusal(404, "there is no such environment")
        shown = msgspec.to_builtins(
            {name: getattr(truth, name) for name in truth.__dataclass_fields__ if name not in ("items", "counts")}
        )
        items = msgspec.to_builtins([_plain(item) for item in truth.items]) if wanted != "none" else []
        return _json(shown | {"counts": dict(truth.counts), "items": items})


def _plain(item: object) -> dict[str, object]:
    fields = {name: getattr(item, name) for name in item.__dataclass_fields__}  # type: ignore[attr-defined]
    return fields | {"metadata": dict(fields["metadata"])}
