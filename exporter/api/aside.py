"""Calls that may block for ever, such as reading a file or resolving a name, kept away from the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Runs a function in a thread of its own, one call at a time: whoever comes while it runs gets the same result.

    The thread is a daemon: unlike those of asyncio's executor, one that hangs does not keep the process from ending.
    At most one hangs, however often it is asked.
    """

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._name = name
        self._running: asyncio.Future[T] | None = None

    async def __call__(self, seconds: float | None = None) -> T:
        """Return what the function returns, or raise what it raises.

        Raises:
            TimeoutError: It takes longer than so many seconds; it goes on, and serves a later call.
        """
        if self._running is None:
            self._running = self._start()
        return await asyncio.wait_for(asyncio.shield(self._running), seconds)

    def _start(self) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        result.add_done_callback(self._done)

        def settle(value: T | None, error: BaseException | None) -> None:
            if result.cancelled():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]  # None only if that is what the function returns

        def run() -> None:
            value, error = None, None
            try:
                value = self._function()
            except BaseException as raised:  # noqa: BLE001 -- it belongs to whoever waits
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, value, error)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        return result

    def _done(self, result: asyncio.Future[T]) -> None:
        self._running = None
        if not result.cancelled():
            result.exception()  # so that one that nobody waited for any more is not logged as never retrieved
