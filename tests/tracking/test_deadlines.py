"""A deadline ends the waiting of whoever set it, and the trying again; never the refresh itself."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter import spans
from exporter.api.errors import TimedOut
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


# -- what never ends --------------------------------------------------------------------------------------------------


def test_a_refresh_that_hangs_is_given_up_and_leaves_no_task_behind(
    watched: Watched, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(150):
        watched.simulation.create_work(watched.id)
    watched.queue()

    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(1e9)

    with monkeypatch.context() as patch:
        patch.setattr(watched.api, "list", hang)
        start = virtual_time.now
        refresh(watched, 10.0)
        assert virtual_time.now - start == pytest.approx(watched.tracker.patience, abs=1)
        view = watched.tracker.view()
        assert view.failures["timeout"] == 1
        assert "nothing came back" in (view.error or "")

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        assert watched.run(tasks()) == 1
    assert watched.refresh().up


def test_a_whole_reading_that_hangs_is_given_up(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.queue()

    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(1e9)

    with monkeypatch.context() as patch:
        patch.setattr(watched.api, "list", hang)
        with pytest.raises(TimedOut, match="nothing came back"):
            watched.traverse()
    assert watched.refresh().up


def test_an_environment_is_down_while_no_refresh_ends(
    watched: Watched, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.queue()
    assert watched.tracker.view().up

    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(1e9)

    async def scrape() -> None:
        task = watched.tracker.refresh(virtual_time.now + 10)
        assert task is not None
        await asyncio.sleep(59)
        assert watched.tracker.view().up
        await asyncio.sleep(2)
        assert not watched.tracker.view().up
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    monkeypatch.setattr(watched.api, "stats", hang)
    monkeypatch.setattr("exporter.tracking.tracker.STALLED_AFTER", 1e6)
    watched.run(scrape())


def test_a_failed_refresh_leaves_no_task_behind(watched: Watched) -> None:
    for number in range(2000):
        watched.simulation.create_work(watched.id, state="active" if number % 150 < 2 else "stopped")
    watched.queue()
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=3, count=1))
    watched.simulation.faults.add(Latency(seconds=5, endpoint="stats"))

    async def tasks() -> int:
        return len(asyncio.all_tasks() - {asyncio.current_task()})

    for _ in range(3):
        watched.refresh()
        watched.run(asyncio.sleep(6))
        assert watched.run(tasks()) == 0


# -- how old data are -------------------------------------------------------------------------------------------------


def test_data_are_as_old_as_their_first_request_not_as_the_wait_for_its_turn(
    watched: Watched, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.simulation.create_work(watched.id)
    watched.queue()
    calls = watched.api.list, watched.api.stats

    def late(call: Callable[..., Any]) -> Callable[..., Any]:
        async def wait_for_the_turn(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(20)
            return await call(*args, **kwargs)

        return wait_for_the_turn

    monkeypatch.setattr(watched.api, "list", late(calls[0]))
    monkeypatch.setattr(watched.api, "stats", late(calls[1]))
    refresh(watched, 60.0)
    virtual_time.now += 55
    assert watched.tracker.view().snapshot is not None
    virtual_time.now += 6
    assert watched.tracker.view().snapshot is None


def test_a_refresh_that_takes_longer_than_its_data_may_be_shown_shows_none_and_says_so_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never shown and withheld by turns: what is older than promised is withheld."""
    for number in range(500):
        watched.simulation.create_work(watched.id, state="active" if number % 150 == 0 else "stopped")
    watched.queue()
    call = watched.api.get

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(50)
        try:
            return await call(*args, **kwargs)
        finally:
            await asyncio.sleep(20)

    monkeypatch.setattr(watched.api, "get", slow)
    monkeypatch.setattr("exporter.tracking.tracker.STALLED_AFTER", 1e6)
    with capture_logs() as logs:
        for _ in range(3):
            refresh(watched, 60.0)
            view = watched.tracker.view()
            assert view.up
            assert view.snapshot is None
    assert len([entry for entry in logs if "raise scrape.max_staleness" in entry["event"]]) == 1


# -- clocks that are set ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_data_are_shown_for_as_long_as_they_would_be_if_nobody_had_set_the_clock(watched: Watched, hours: int) -> None:
    watched.queue()
    watched.clock.set(watched.clock.now() + 3600 * hours)
    assert watched.tracker.view().snapshot is not None
    watched.clock.advance(59)
    assert watched.tracker.view().snapshot is not None
    watched.clock.advance(2)
    assert watched.tracker.view().snapshot is None


@pytest.mark.parametrize("days", [-30, 30])
def test_the_whole_list_is_read_again_when_it_would_be_if_nobody_had_set_the_clock(watched: Watched, days: int) -> None:
    watched.queue()
    watched.clock.set(watched.clock.now() + 86_400 * days)
    assert not watched.tracker.resync.due
    watched.clock.advance(86_000)
    assert not watched.tracker.resync.due
    watched.clock.advance(500)
    assert watched.tracker.resync.due


def test_a_suspended_machine_has_old_data(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux ``time.monotonic()`` stands still meanwhile."""
    watched.queue()
    assert watched.tracker.view().snapshot is not None
    monkeypatch.setattr(spans, "_suspended", lambda: spans._BEFORE + 3600.0)
    assert watched.tracker.view().snapshot is None
    assert not watched.tracker.view().up


def test_a_checkpoint_from_the_future_makes_the_whole_list_due(watched: Watched) -> None:
    watched.queue()
    watched.clock.set(watched.clock.now() - 86_400 * 365)
    watched.restart()
    assert watched.tracker.resync.due
