"""A simulated account with one environment, and a client on it without sockets."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from exporter.simulator import BASE_PATH, DEFAULT_TOKEN, ManualClock, Options, Simulation, create_app

ROOT = "http://simulator"
START = ManualClock().now()


class Account:
    """One environment of a simulation whose clock stands still, asked through its application."""

    def __init__(self, options: Options | None = None, **kind: Any) -> None:
        self.clock = ManualClock()
        self.simulation = Simulation(clock=self.clock, options=options, seed=1)
        self.id = self.simulation.create_environment("gpu-workers", **kind)
        self.http = httpx.AsyncClient(
            base_url=ROOT + BASE_PATH,
            headers={"authorization": f"Bearer {DEFAULT_TOKEN}"},
            transport=httpx.ASGITransport(create_app(self.simulation)),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    @property
    def work(self) -> str:
        return f"/environments/{self.id}/work"

    async def list(self, **query: str | int) -> httpx.Response:
        return await self.http.get(self.work, params=query)

    async def page(self, **query: str | int) -> dict[str, Any]:
        """The page of a list that must succeed."""
        page: dict[str, Any] = body(await self.list(**query))
        return page

    async def get(self, work_id: str) -> dict[str, Any]:
        """An item that must exist."""
        item: dict[str, Any] = body(await self.http.get(f"{self.work}/{work_id}"))
        return item

    async def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = body(await self.http.get(f"{self.work}/stats"))
        return stats

    async def poll(self, worker: str | None = None, **query: str | int) -> Any:
        """The item of a poll that must succeed, or None."""
        response = await self.http.get(f"{self.work}/poll", params=query, headers=as_worker(worker))
        return body(response)

    async def ack(self, work_id: str, worker: str | None = None) -> httpx.Response:
        return await self.http.post(f"{self.work}/{work_id}/ack", headers=as_worker(worker))

    async def heartbeat(self, work_id: str, **query: str | int) -> httpx.Response:
        return await self.http.post(f"{self.work}/{work_id}/heartbeat", params=query)

    async def stop(self, work_id: str, **request: Any) -> httpx.Response:
        return await self.http.post(f"{self.work}/{work_id}/stop", **request)

    async def update(self, work_id: str, **request: Any) -> httpx.Response:
        return await self.http.post(f"{self.work}/{work_id}", **request)

    def state(self, work_id: str) -> str:
        """The item's state, read without the API."""
        [item] = [item for item in self.simulation.truth(self.id).items if item.id == work_id]
        return item.state


def as_worker(worker: str | None) -> dict[str, str]:
    return {} if worker is None else {"worker-id": worker}


def body(response: httpx.Response) -> Any:
    """The body of a success."""
    assert response.status_code == 200, response.text
    return response.json()


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and type of an error in its documented envelope."""
    envelope = response.json()
    assert envelope["type"] == "error"
    assert envelope["error"]["message"]
    assert envelope["request_id"] == response.headers["x-request-id"]
    return response.status_code, envelope["error"]["type"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened that announces itself in no other way."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
