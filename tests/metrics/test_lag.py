"""How late the loop comes round, and for how long that is remembered."""

import asyncio
import time

import pytest

from exporter.metrics.lag import WINDOW, LoopLag


def test_the_longest_lag_of_the_window_is_told_to_everybody() -> None:
    lag = LoopLag()
    for moment, seconds in ((0.0, 0.1), (1.0, 0.5), (2.0, 0.2)):
        lag.observe(seconds, moment)
    assert [lag.longest(3.0), lag.longest(3.0)] == [0.5, 0.5]


def test_a_lag_is_forgotten_and_the_next_longest_shows() -> None:
    lag = LoopLag()
    for moment, seconds in ((0.0, 0.5), (1.0, 0.1), (2.0, 0.2)):
        lag.observe(seconds, moment)
    assert lag.longest(WINDOW) == 0.5
    assert lag.longest(WINDOW + 1) == 0.2
    assert lag.longest(WINDOW + 3) == 0.0


def test_little_is_remembered() -> None:
    lag = LoopLag()
    for number in range(100_000):
        lag.observe(0.001 + number % 7 / 1e6, number / 50)
    assert len(lag._longest) <= 7


def test_nothing_is_late_before_anything_was_measured() -> None:
    assert LoopLag().longest(0.0) == 0.0


@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_a_loop_that_is_held_up_is_noticed(seconds: float) -> None:
    async def held_up() -> float:
        lag = LoopLag()
        measuring = asyncio.create_task(lag.run())
        await asyncio.sleep(0.05)
        time.sleep(seconds)  # noqa: ASYNC251
        await asyncio.sleep(0.05)
        measuring.cancel()
        return lag.longest(time.monotonic())

    assert asyncio.run(held_up()) > seconds - 0.03
