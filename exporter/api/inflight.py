"""Requests under way: each owns its lifetime, whoever waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

GRACE = 30.0
"""Seconds that a request may outlive its own timeout before it is given up as stuck."""

T = TypeVar("T")


class StuckError(Exception):
    """A request did not end by its own timeout, nor soon after."""


class ClosedError(Exception):
    """The client was closed while the request was under way."""


class InFlight:
    """Runs every request in a task of its own.

    Cancelling whoever waits for a request cancels the waiting and nothing else: the request ends by its own timeout,
    and gives back what it holds. A pool whose users are cancelled at any point leaks, sooner or later, what they held;
    httpcore's did, until no request could be sent any more.

    Args:
        timeout: Seconds in which every request ends by itself.
    """

    def __init__(self, timeout: float) -> None:
        self._lifetime = timeout + GRACE
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, request: Coroutine[Any, Any, T], release: Callable[[], None], stuck: Callable[[], None]
    ) -> asyncio.Future[T]:
        """Start a request, and give what its result will be; awaiting that is all a caller may do with it.

        The result is :class:`StuckError` or :class:`ClosedError` where the request itself has none.

        Args:
            request: The request.
            release: Gives back what the request holds; called once, when it has ended or is given up.
            stuck: Called when it is given up, so that what it runs on can be replaced.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        task = loop.create_task(request)
        self._tasks.add(task)

        def end(error: BaseException | None = None) -> None:
            """Release once; tell the waiter, if there still is one: the future of one who left is cancelled."""
            overdue.cancel()
            if task in self._tasks:
                self._tasks.discard(task)
                release()
            if result.done():
                return
            if error is None:
                result.set_result(task.result())
            else:
                result.set_exception(error)

        def done(_: asyncio.Task[T]) -> None:
            # Asking for the exception also keeps asyncio from logging it as never retrieved.
            end(ClosedError() if task.cancelled() else task.exception())

        def give_up() -> None:
            task.cancel()
            end(StuckError())
            stuck()

        overdue = loop.call_later(self._lifetime, give_up)
        task.add_done_callback(done)
        return result

    async def close(self, patience: float = 5.0) -> None:
        """Cancel all requests; one that cannot be cancelled is left behind after ``patience`` seconds."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
