"""Virtual time moves on, however little is to be waited for and however much of it has passed."""

import asyncio
from math import nextafter

import pytest

from tests.tracking.virtual_time import VirtualLoop, VirtualTime


def run(clock: VirtualTime, pause: float) -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(asyncio.sleep(pause))


@pytest.mark.parametrize("start", [0.0, 1000.0, 2.0**24, 1e9, 1e12])
@pytest.mark.parametrize("pause", [1e-12, 1e-6, 1.0, 1e6])
def test_a_pause_ends_after_its_time(start: float, pause: float) -> None:
    clock = VirtualTime()
    clock.now = start
    run(clock, pause)
    assert clock.now == pytest.approx(start + pause, rel=1e-12)


def test_a_timer_for_this_very_moment_is_due_after_half_a_year() -> None:
    clock = VirtualTime()
    clock.now = 2.0**24
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        loop = runner.get_loop()
        called: list[float] = []
        loop.call_at(clock.now, lambda: called.append(loop.time()))
        runner.run(asyncio.sleep(1))
    assert called == [pytest.approx(2.0**24, abs=nextafter(2.0**24, 2.0**25) - 2.0**24)]


def test_what_waits_for_nothing_is_told() -> None:
    with (
        asyncio.Runner(loop_factory=lambda: VirtualLoop(VirtualTime())) as runner,
        pytest.raises(RuntimeError, match="never happen"),
    ):
        runner.run(asyncio.Event().wait())
