"""Many scrapers at once: all are answered, and nothing is left of them."""

import asyncio
import os
from collections.abc import Collection

import httpx

from exporter.web.app import Unchanging, create_app
from tests.web.fakes import FakeFleet, environment, fleet, snapshot
from tests.web.serving import running
from tests.web.test_app import SETTINGS

SCRAPERS = 50


async def test_fifty_scrapers_at_once_are_answered_and_leave_nothing() -> None:
    shown = FakeFleet(fleet(*(environment(f"e{n}", snapshot=snapshot(1.8e9, queued=n, active=2)) for n in range(20))))
    async with running(create_app(Unchanging(shown, SETTINGS))) as (server, address):

        async def scrape(times: int) -> None:
            async with httpx.AsyncClient(base_url=address, timeout=120) as client:
                for _ in range(times):
                    answer = await client.get("/metrics")
                    assert answer.status_code == 200
                    assert answer.text.count("qoder_work_up{") == 20

        def left() -> tuple[int, int]:
            return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())

        await scrape(1)
        await gone(server.server_state.connections)
        before = left()
        for _ in range(3):
            await asyncio.gather(*(scrape(3) for _ in range(SCRAPERS)))
            await gone(server.server_state.connections)
            assert left() == before


async def gone(connections: Collection[object]) -> None:
    """Wait until the server has noticed that its clients have left."""
    async with asyncio.timeout(120):
        while connections:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
