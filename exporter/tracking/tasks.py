"""Waiting for several things at once, and for something that may never end."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from exporter.spans import monotonic

T = TypeVar("T")


class StalledError(Exception):
    """Nothing moved for too long."""


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at once; the first failure cancels the others, waits until they have ended, and is raised as it is.

    Whoever is cancelled here only waits: a request that is under way ends by its own time-outs, in the client.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def unless_stalled(work: Coroutine[Any, Any, T], moved: Callable[[], float], patience: float) -> T:
    """Wait for some work as long as it moves.

    Args:
        work: The work. It is cancelled, and has ended, when this raises.
        moved: The last moment on the clock of ``spans`` at which it came forward.
        patience: Seconds that may pass since.

    Raises:
        StalledError: It did not move for so long.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            left = moved() + patience - monotonic()
            if left <= 0:
                raise StalledError
            await asyncio.wait({task}, timeout=left)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
