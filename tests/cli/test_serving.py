"""Serving until something ends it."""

import asyncio
import gc
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from exporter.cli.serving import serve
from exporter.metrics.samples import Reload
from exporter.web.app import WebSettings
from tests.support.settings import web_settings


@dataclass
class Broken:
    """A fleet that cannot start.

    Attributes:
        frozen: How many objects the garbage collector had been told to leave alone by then.
    """

    frozen: int = 0
    closed: bool = False

    async def start(self) -> None:
        self.frozen = gc.get_freeze_count()
        raise LookupError("nothing to watch")

    def interrupt(self) -> None:
        """Nothing is under way."""

    async def close(self) -> None:
        self.closed = True


@dataclass
class Served:
    """What is served."""

    fleet: Any = field(default_factory=Broken)
    settings: WebSettings = field(default_factory=web_settings)
    loaded: Reload | None = None

    async def reload(self) -> list[str]:
        return []


def test_what_is_there_at_the_start_is_no_work_for_the_garbage_collector() -> None:
    served = Served()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    try:
        with pytest.raises(LookupError, match="nothing to watch"):
            asyncio.run(serve(served, [listener]))
    finally:
        gc.unfreeze()
    assert served.fleet.closed
    assert served.fleet.frozen > 10_000
