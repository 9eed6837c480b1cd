"""Writing the checkpoint now and then, and saying how that goes."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from exporter.spans import monotonic
from exporter.tracking.checkpoint import Checkpoint
from exporter.tracking.record import EnvironmentRecord
from exporter.tracking.view import CheckpointView

CHECKPOINT_INTERVAL = 30.0
"""Seconds between two writes of the checkpoint, at the least."""

REMINDER_INTERVAL = 600.0
"""Seconds after which a failure that goes on is logged again."""

log = structlog.get_logger()


class Keeper:
    """Keeps one checkpoint current.

    Args:
        path: Where the file is.
        current: Makes the records of everything watched now.
        now: Unix time on this machine's clock.
    """

    def __init__(
        self, path: Path, current: Callable[[], Iterable[EnvironmentRecord]], now: Callable[[], float] = time.time
    ) -> None:
        self.checkpoint = Checkpoint(path, now)
        self._current = current
        self._now = now
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_success: float | None = None
        self._failures = 0
        self._failed: tuple[str, float] | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.checkpoint.path

    async def start(self, predecessor: "Keeper | None" = None) -> None:
        """Read the file, and begin to write it; what a predecessor knows and this file does not is taken over."""
        await asyncio.to_thread(self.checkpoint.load)
        if predecessor is not None:
            self.checkpoint.inherit(predecessor.checkpoint)
        self._task = asyncio.create_task(self._run(), name="checkpoint")

    async def close(self, *, save: bool) -> None:
        """Stop, and write what has changed once more if so desired; give the file free for others."""
        self._closing.set()
        if self._task is not None:
            await self._task
            if save:
                await self.save()
        self.checkpoint.close()

    async def save(self) -> None:
        """Write what has changed. A disk that is full is no reason to stop: what is in memory is still true."""
        try:
            records = self.checkpoint.gather(self._current())
            await asyncio.to_thread(self.checkpoint.save, records)
        except OSError as error:
            self._note_failure(error.strerror or str(error))
        else:
            self._last_success = self._now()
            if self._failed is not None:
                self._failed = None
                log.info("checkpoint is written again", path=str(self.path))

    def view(self) -> CheckpointView:
        """How it goes."""
        return CheckpointView(self._last_success, self._failures)

    def _note_failure(self, why: str) -> None:
        self._failures += 1
        if self._failed is not None and self._failed[0] == why and monotonic() - self._failed[1] < REMINDER_INTERVAL:
            return
        self._failed = (why, monotonic())
        log.warning("checkpoint cannot be written", path=str(self.path), error=why, failures=self._failures)

    async def _run(self) -> None:
        """Write the file now and then until the keeper is closed."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), CHECKPOINT_INTERVAL)
                return
            await self.save()
