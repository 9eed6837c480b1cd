"""Whose turn it is: slots and pace of an account, shared out among its environments."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.shares import ABOUT, JITTER, SLOW, Shares
from tests.api.play import START, play

Times = list[float]
MANY = 1_000_000
FAST = 0.01
HANG = 10.0


class Asking:
    """Environments that ask for turns and keep each for a while; notes when each turn began, and for whom."""

    def __init__(self, slots: int = 8, background_slots: int = 4, per_second: float = MANY) -> None:
        self.shares = Shares(slots, background_slots, per_second)
        self.begun: list[tuple[str, float]] = []
        self.paced = 0.0

    async def ask(self, key: str, seconds: float = FAST, *, at: float = 0.0, background: bool = False) -> None:
        await asyncio.sleep(at)
        turn = await self.shares.turn(key, background=background)
        self.begun.append((key, time.monotonic() - START))
        self.paced += turn.paced
        await asyncio.sleep(seconds)
        turn.release()

    def waits(self, key: str) -> Times:
        return [at for asked, at in self.begun if asked == key]


def run(scene: Callable[[Asking], Sequence[Coroutine[Any, Any, None]]], **settings: float) -> Asking:
    """Play a scene to its end."""

    async def scenes() -> Asking:
        asking = Asking(**settings)  # type: ignore[arg-type]
        await asyncio.gather(*scene(asking))
        return asking

    return play(scenes())


class TestPace:
    @given(
        st.one_of(st.floats(0.05, 200), st.integers(1, 50)),
        st.lists(st.tuples(st.floats(0, 5), st.floats(0, JITTER), st.floats(0, 3)), max_size=60),
    )
    def test_the_api_never_counts_more_than_the_rate_in_any_second(
        self, per_second: float, requests: list[tuple[float, float, float]]
    ) -> None:
        """However long requests travel there, and their answers back."""

        async def exchange(shares: Shares, counted: Times, at: float, there: float, back: float) -> None:
            await asyncio.sleep(at)
            turn = await shares.turn("env")
            await asyncio.sleep(there)
            counted.append(time.monotonic())
            await asyncio.sleep(back)
            turn.release()

        async def scene() -> Times:
            counted: Times = []
            shares = Shares(100, 50, per_second)
            await asyncio.gather(*(exchange(shares, counted, *request) for request in requests))
            return sorted(counted)

        counted = play(scene())
        burst = max(1, int(per_second))
        assert len(counted) == len(requests)
        for first, beyond in zip(counted, counted[burst:], strict=False):
            assert beyond - first > max(1, 1 / per_second) - 1e-5

    def test_a_burst_within_the_rate_is_not_spread(self) -> None:
        asking = run(lambda asking: [asking.ask("env", 0) for _ in range(50)], slots=50, per_second=50)
        assert asking.waits("env") == [0.0] * 50
        assert asking.paced == 0

    def test_what_exceeds_the_rate_waits_for_the_next_second(self) -> None:
        asking = run(lambda asking: [asking.ask("env", 0) for _ in range(7)], per_second=3)
        assert asking.waits("env") == pytest.approx([0, 0, 0, 1, 1, 1, 2])
        assert asking.paced == pytest.approx(0 + 0 + 0 + 1 + 1 + 1 + 2)

    def test_a_request_that_hangs_occupies_the_pace_no_longer_than_its_journey(self) -> None:
        asking = run(lambda asking: [asking.ask("env", HANG) for _ in range(3)], per_second=1)
        assert asking.waits("env") == pytest.approx([0, 1 + JITTER, 2 + 2 * JITTER])

    def test_waiting_for_a_slot_is_not_counted_as_pacing(self) -> None:
        assert run(lambda asking: [asking.ask("env", 5) for _ in range(9)], slots=1).paced == 0

    @pytest.mark.parametrize("per_second", [0, -1.5])
    def test_a_rate_that_is_none_is_refused(self, per_second: float) -> None:
        with pytest.raises(ValueError, match="a rate is positive, not"):
            Shares(1, 1, per_second)


class TestTurns:
    def test_an_environment_is_served_in_the_order_it_asked(self) -> None:
        order = []

        async def ask(asking: Asking, number: int) -> None:
            turn = await asking.shares.turn("env")
            order.append(number)
            turn.release()

        run(lambda asking: [ask(asking, number) for number in range(9)], slots=1)
        assert order == list(range(9))

    def test_environments_take_turns_however_many_requests_each_has(self) -> None:
        asking = run(
            lambda asking: [*(asking.ask("huge", 1) for _ in range(20)), asking.ask("a", 1), asking.ask("b", 1)],
            slots=1,
        )
        assert [key for key, _ in asking.begun[:5]] == ["huge", "huge", "a", "b", "huge"]

    def test_scrapes_go_before_the_background_which_has_one_turn_of_five(self) -> None:
        asking = run(
            lambda asking: [
                *(asking.ask("background", 1, background=True) for _ in range(4)),
                *(asking.ask("scrape", 1) for _ in range(8)),
            ],
            slots=1,
            background_slots=1,
        )
        keys = "".join(key[0] for key, _ in asking.begun)
        assert keys == "bssss" + "bssss" + "bb"

    @pytest.mark.parametrize(("slots", "background_slots"), [(1, 1), (2, 1), (8, 4)])
    def test_the_background_leaves_slots_to_the_scrapes(self, slots: int, background_slots: int) -> None:
        asking = run(
            lambda asking: [asking.ask("env", 1, background=True) for _ in range(3 * slots)],
            slots=slots,
            background_slots=background_slots,
        )
        assert asking.waits("env").count(0.0) == background_slots


class TestReserves:
    def test_one_alone_may_have_all_slots(self) -> None:
        asking = run(lambda asking: [asking.ask("", 0.5), *(asking.ask("env", 1, at=1) for _ in range(9))])
        assert asking.waits("env").count(1.0) == 8

    def test_one_among_others_may_have_half(self) -> None:
        asking = run(
            lambda asking: [asking.ask("other"), asking.ask("env"), *(asking.ask("env", HANG, at=1) for _ in range(20))]
        )
        assert asking.waits("env").count(1.0) == 4

    def test_one_that_has_never_answered_may_have_one(self) -> None:
        asking = run(lambda asking: [asking.ask("other"), *(asking.ask("env", at=1) for _ in range(3))])
        assert asking.waits("env") == pytest.approx([1, 1 + FAST, 1 + FAST])

    def test_others_that_have_asked_for_nothing_for_long_are_not_reckoned_with(self) -> None:
        late = ABOUT + 2
        asking = run(lambda asking: [asking.ask("other"), *(asking.ask("env", HANG, at=late) for _ in range(20))])
        assert asking.waits("env").count(late) == 8

    @pytest.mark.parametrize("hanging", [1, 2, 5, 25])
    def test_neighbours_of_those_that_hang_are_served_at_once(self, hanging: int) -> None:
        """Fifty small ones, every 15 s, beside some that want twenty windows each and get no answer."""

        def scene(asking: Asking) -> list[Coroutine[Any, Any, None]]:
            names = [f"{'hanging' if each < hanging else 'small'} {each}" for each in range(50 + hanging)]
            random.Random(1).shuffle(names)
            return [
                asking.ask(name, FAST, at=at) if name.startswith("small") else asking.ask(name, HANG, at=at)
                for at in (0.0, 55.0, 70.0, 85.0)
                for name in names
                for _ in range(2 if name.startswith("small") else 20)
            ]

        asking = run(scene)
        later = [at for key, at in asking.begun if key.startswith("small") and at >= 55]
        assert len(later) == 300
        assert max((at - 55) % 15 for at in later) < 1
        first = [at for key, at in asking.begun if key.startswith("small") and at < 55]
        assert max(first) < (1 if hanging <= 5 else 5 * HANG), "it is not known at once who hangs"

    def test_if_all_are_slow_nothing_is_kept_for_nobody(self) -> None:
        asking = run(lambda asking: [asking.ask(f"env {each}", 3 * SLOW) for each in range(40)])
        assert max(at for _, at in asking.begun) == pytest.approx((40 / 8 - 1) * 3 * SLOW)

    def test_one_that_answers_again_is_no_longer_slow(self) -> None:
        def scene(asking: Asking) -> list[Coroutine[Any, Any, None]]:
            neighbours = (asking.ask("other", at=at) for at in range(40))
            hanging = (asking.ask(f"env {each}", HANG) for each in range(4))
            again = (asking.ask(f"env {each}", 0.1, at=20) for each in range(4))
            return [*neighbours, *hanging, *again, *(asking.ask(f"env {each % 4}", 0.9, at=30.1) for each in range(6))]

        asking = run(scene)
        assert sum(30 <= at < 30.5 for key, at in asking.begun if key.startswith("env")) == 6


class TestLeaving:
    def test_who_leaves_the_queue_is_forgotten(self) -> None:
        async def scene() -> tuple[int, float]:
            shares = Shares(1, 1, MANY)
            first = await shares.turn("env")
            waiting = [asyncio.create_task(shares.turn(f"env {number}")) for number in range(5)]
            last = asyncio.create_task(shares.turn("last"))
            await asyncio.sleep(1)
            for task in waiting:
                task.cancel()
            first.release()
            await last
            return sum(task.cancelled() for task in waiting), time.monotonic() - START

        assert play(scene()) == (5, 1.0)

    @given(st.data())
    def test_nothing_leaks_whenever_callers_leave(self, data: st.DataObject) -> None:
        slots = data.draw(st.integers(1, 4))
        task_of = st.sampled_from(["scrape", "background"])
        request = st.tuples(st.sampled_from("abc"), st.floats(0, 5), st.floats(0, 3), st.floats(0, 6), task_of)
        requests = data.draw(st.lists(request, max_size=25))

        async def exchange(asking: Asking, key: str, at: float, seconds: float, leaves: float, task_of: str) -> None:
            task = asyncio.create_task(asking.shares.turn(key, background=task_of == "background"))
            try:
                await asyncio.sleep(at)
                turn = await asyncio.wait_for(task, leaves)
            except TimeoutError:
                return
            await asyncio.sleep(seconds)
            turn.release()
            turn.release()

        async def scene() -> None:
            asking = Asking(slots, max(1, slots // 2))
            await asyncio.gather(*(exchange(asking, *request) for request in requests))
            shares = asking.shares
            assert (shares._under_way, shares._background_under_way) == (0, 0)
            assert not shares._scrapes
            assert not shares._background
            assert not shares._members._under_way
            (await shares.turn("alone")).release()

        play(scene())

    def test_a_caller_cancelled_in_the_moment_it_is_granted_gives_the_slot_back(self) -> None:
        async def scene() -> None:
            shares = Shares(1, 1, MANY)
            first = await shares.turn("env")
            second, third = (asyncio.create_task(shares.turn("env")) for _ in range(2))
            await asyncio.sleep(0)
            first.release()
            second.cancel()
            (await third).release()
            assert second.cancelled()
            fourth, fifth = (asyncio.create_task(shares.turn("env")) for _ in range(2))
            await asyncio.sleep(0)
            assert fourth.done()
            fifth.cancel()
            fourth.result().release()
            await asyncio.wait([fifth])
            (await shares.turn("env")).release()

        play(scene())
