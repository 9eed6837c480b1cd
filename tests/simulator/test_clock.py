"""Clocks: the machine's, faster or wrong, and one that is moved by hand."""

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import ManualClock, RealClock
from exporter.simulator.clock import Bell


def test_the_real_clock_is_the_machines() -> None:
    before = time.time()
    now = RealClock().now()
    assert before - 1e-3 <= now <= time.time() + 1e-3


def test_the_real_clock_may_be_wrong_and_be_corrected() -> None:
    clock = RealClock(offset=-3600)
    assert clock.now() == pytest.approx(time.time() - 3600, abs=60)
    clock.offset = 0
    assert clock.now() == pytest.approx(time.time(), abs=60)


def test_the_real_clock_may_be_faster() -> None:
    clock = RealClock(speed=1000)
    first, real = clock.now(), time.monotonic()
    while clock.now() < first + 5:
        pass
    assert time.monotonic() - real < 5


@pytest.mark.parametrize("speed", [0, -1])
def test_a_clock_that_stands_still_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"^speed: must be above 0"):
        RealClock(speed=speed)


async def test_sleep_follows_the_speed() -> None:
    started = time.monotonic()
    await RealClock(speed=3600).sleep(36)
    assert 0.005 <= time.monotonic() - started < 36


@pytest.mark.parametrize("clock", [RealClock(), ManualClock()], ids=["real", "manual"])
async def test_a_bell_ends_a_sleep(clock: RealClock | ManualClock) -> None:
    bell = Bell()
    sleeps = [asyncio.create_task(clock.sleep(3600, bell)) for _ in range(2)]
    await asyncio.sleep(0)
    bell.ring()
    bell.ring()
    await asyncio.gather(*sleeps)


@pytest.mark.parametrize("clock", [RealClock(), ManualClock()], ids=["real", "manual"])
async def test_a_ring_that_was_not_seen_ends_a_sleep_at_once(clock: RealClock | ManualClock) -> None:
    bell = Bell()
    bell.ring()
    rings_seen = bell.rings
    bell.ring()
    await clock.sleep(3600, bell, rings_seen)


async def test_a_bell_can_be_rung_from_another_thread() -> None:
    bell = Bell()
    sleep = asyncio.create_task(RealClock().sleep(3600, bell))
    await asyncio.sleep(0)
    await asyncio.to_thread(bell.ring)
    await sleep


async def test_the_manual_clock_wakes_those_whose_time_has_come() -> None:
    clock = ManualClock()
    short, long = (asyncio.create_task(clock.sleep(seconds)) for seconds in (5, 10))
    await asyncio.sleep(0)
    clock.advance(5)
    await short
    assert not long.done()
    clock.advance(5)
    await long


def test_the_manual_clock_goes_back_only_when_set() -> None:
    clock = ManualClock(1000)
    with pytest.raises(ValueError, match=r"^seconds: must not be negative"):
        clock.advance(-1)
    clock.set(500.5)
    assert clock.now() == 500.5


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    with clock.actor():
        sleep = asyncio.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        sleep.cancel()
        await asyncio.wait([sleep])
    await clock.run(10)
    assert sleep.cancelled()


@given(pauses=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8), min_size=1, max_size=5))
def test_a_run_wakes_every_sleeper_at_its_moment(pauses: list[list[int]]) -> None:
    """Each actor finds the clock exactly where its sleeps add up to, and nobody is left behind."""

    async def act(clock: ManualClock, mine: list[int], seen: list[float]) -> None:
        with clock.actor():
            for pause in mine:
                await clock.sleep(pause)
                await asyncio.sleep(0)  # the clock must wait for an actor that is busy
                seen.append(clock.now())

    async def play() -> list[list[float]]:
        clock = ManualClock(0)
        seen: list[list[float]] = [[] for _ in pauses]
        tasks = [asyncio.create_task(act(clock, mine, times)) for mine, times in zip(pauses, seen, strict=True)]
        await asyncio.sleep(0)
        await clock.run(1000)
        assert all(task.done() for task in tasks)
        assert clock.now() == 1000
        return seen

    seen = asyncio.run(play())
    for mine, times in zip(pauses, seen, strict=True):
        assert times == [sum(mine[: count + 1]) for count in range(len(mine))]


async def test_a_run_lets_one_actor_finish_before_the_next_wakes() -> None:
    clock, order = ManualClock(), []

    async def act(name: str) -> None:
        with clock.actor():
            await clock.sleep(1)
            for _ in range(20):
                order.append(name)
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(act(name)) for name in "abc"]
    await asyncio.sleep(0)
    await clock.run(1)
    assert "".join(order) == "a" * 20 + "b" * 20 + "c" * 20
    await asyncio.gather(*tasks)


async def test_a_run_ends_where_it_was_told_to() -> None:
    clock = ManualClock(0)
    moments = []
    for _ in range(3):
        await clock.run(2.5)
        moments.append(clock.now())
    assert [later - earlier for earlier, later in pairwise([0, *moments])] == [2.5, 2.5, 2.5]
