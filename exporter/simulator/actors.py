"""Whoever acts on a simulation while it runs: workers, producers, operators."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import Protocol

import httpx

from exporter.simulator.client import WorkClient
from exporter.simulator.clock import Clock
from exporter.simulator.tokens import DEFAULT_TOKEN


class Actor(Protocol):
    """Acts until it has nothing left to do, or is cancelled."""

    async def act(self, client: WorkClient, clock: Clock) -> None:
        """Play the part.

        Args:
            client: The API as a worker sees it.
            clock: Whose time passes while the actor waits.
        """


@asynccontextmanager
async def acting(
    actors: Iterable[Actor],
    clock: Clock,
    base_url: str,
    *,
    token: str = DEFAULT_TOKEN,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[None]:
    """Let actors act on the API at ``base_url`` inside this block; they are cancelled at its end.

    Args:
        actors: Who acts, all at once.
        clock: Their clock. A `ManualClock` waits for each of them while it runs.
        base_url: Where the API is.
        token: The bearer token they use.
        transport: Another way to the API than by sockets, such as `httpx.ASGITransport`.

    Raises:
        ExceptionGroup: An actor failed.
    """
    client = httpx.AsyncClient(
        base_url=base_url,
        headers={"authorization": f"Bearer {token}", "user-agent": "simulated-worker"},
        timeout=None,  # noqa: S113 -- a poll lasts as long as the clock stands still
        limits=httpx.Limits(max_connections=None),
        transport=transport,
        trust_env=False,
    )
    async with client as http:
        tasks = [_start(actor, WorkClient(http), clock) for actor in actors]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [result for result in results if isinstance(result, Exception)]
        if failures:
            raise ExceptionGroup("actors failed", failures)


def _start(actor: Actor, client: WorkClient, clock: Clock) -> "asyncio.Task[None]":
    """Let an actor act. The clock counts it from now on, not from its first step: it may be run before that."""
    presence = ExitStack()
    presence.enter_context(clock.actor())

    def leave(task: "asyncio.Task[None]") -> None:
        presence.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "an actor failed", "exception": error, "task": task})

    task = asyncio.create_task(_act(actor, client, clock))
    task.add_done_callback(leave)
    return task


async def _act(actor: Actor, client: WorkClient, clock: Clock) -> None:
    await actor.act(client, clock)
