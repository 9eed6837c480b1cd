"""The log as it is written, on a clock that a test moves."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from exporter import logs


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def logged(clock: Clock, level: str = "debug") -> Iterator[io.StringIO]:
    """Everything that is logged in this block, with repeated warnings held back by this clock."""
    root = logging.getLogger()
    handlers, before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(level=level, stream=stream, clock=clock)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
        structlog.reset_defaults()
