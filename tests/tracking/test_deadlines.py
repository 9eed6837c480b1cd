"""A deadline ends the waiting of whoever set it, and the trying again; never the refresh itself."""

import asyncio
from collections.abc import Callable
from typing import Any

from exporter.simulator import Latency, Status
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched
from tests.tracking.virtual_time import VirtualTime


def refresh(watched: Watched, seconds: float, also: Callable[[], Any] | None = None, after: float = 0.0) -> None:
    """Run one refresh for somebody who waits so long; meanwhile something else may happen."""

    async def run() -> None:
        task = watched.tracker.refresh(asyncio.get_running_loop().time() + seconds)
        assert task is not None
        if also is not None:
            await asyncio.sleep(after)
            also()
        await task

    watched.transport.requests.clear()
    watched.run(run())


def test_a_refresh_goes_on_after_its_deadline(watched: Watched) -> None:
    watched.queue()
    watched.simulation.create_work(watched.id)
    watched.simulation.faults.add(Latency(seconds=4))
    refresh(watched, 1.0)
    view = watched.tracker.view()
    assert view.up
    assert view.snapshot is not None
    assert view.snapshot.counts["queued", ()] == 1


def test_nothing_is_sent_again_after_the_deadline(watched: Watched) -> None:
    watched.queue()
    watched.simulation.faults.add(Status(status=503, endpoint="list"))
    refresh(watched, 0.0)
    assert len(watched.asked("list")) == 1
    assert watched.tracker.view().failures["server"] == 1


def test_until_the_deadline_requests_are_sent_again(watched: Watched) -> None:
    watched.queue()
    watched.simulation.faults.add(Status(status=503, endpoint="list", count=2))
    refresh(watched, 60.0)
    assert len(watched.asked("list")) == 3
    assert watched.tracker.view().up


def test_who_joins_a_refresh_prolongs_it_to_a_later_deadline(watched: Watched, virtual_time: VirtualTime) -> None:
    """The page after the first deadline fails once, and is sent again for the one who waits longer."""
    watched.queue()
    for _ in range(150):
        watched.simulation.create_work(watched.id, state="stopped")
    watched.simulation.faults.add(Latency(seconds=2))
    watched.simulation.faults.add(Status(status=503, endpoint="list", skip=1, count=1))
    refresh(watched, 1.0, lambda: watched.tracker.refresh(virtual_time.now + 60), after=0.5)
    assert watched.tracker.view().up
    watched.simulation.faults.clear()


def test_who_joins_with_an_earlier_deadline_shortens_nothing(watched: Watched, virtual_time: VirtualTime) -> None:
    watched.queue()
    watched.simulation.faults.add(Latency(seconds=2))
    watched.simulation.faults.add(Status(status=503, endpoint="list", count=1))
    refresh(watched, 60.0, lambda: watched.tracker.refresh(virtual_time.now), after=0.5)
    assert watched.tracker.view().up


def test_a_reading_in_the_background_sends_again_whatever_the_deadline(watch: Watch) -> None:
    watched = watch()
    for _ in range(250):
        watched.simulation.create_work(watched.id, state="stopped")
    watched.simulation.faults.add(Status(status=503, endpoint="list", skip=1, count=1))
    refresh(watched, 60.0)
    assert watched.tracker.view().history_complete
