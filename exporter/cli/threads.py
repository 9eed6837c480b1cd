"""Threads that nobody waits for when the program ends."""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

MAX_THREADS = 32
"""Calls under way at the same time; further ones wait for a thread."""

T = TypeVar("T")


class DaemonExecutor(ThreadPoolExecutor):
    """Runs blocking calls for an event loop in threads that do not keep the program alive.

    asyncio's own executor joins its threads at the end: a resolver that swallows queries, or a file system that does
    not answer, would hold up the end for as long as they like.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # asyncio insists on this class; its own thread is never started
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._count = threading.Lock()
        self._threads_alive = 0
        self._idle_threads = 0

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in a thread."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        with self._count:
            if self._idle_threads < self._calls.qsize() and self._threads_alive < MAX_THREADS:
                self._threads_alive += 1
                threading.Thread(target=self._work, name=f"calls-{os.getpid()}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for nothing."""

    def _work(self) -> None:
        while True:
            with self._count:
                self._idle_threads += 1
            future, call = self._calls.get()
            with self._count:
                self._idle_threads -= 1
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
                    future.set_exception(error)
            del future, call
