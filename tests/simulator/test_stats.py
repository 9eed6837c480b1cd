"""The queue's stats, and the documented readings of them."""

import pytest

from exporter.simulator import Options
from tests.simulator.account import Account


async def test_an_empty_queue(account: Account) -> None:
    assert await account.stats() == {
        "type": "work_queue_stats",
        "depth": 0,
        "pending": 0,
        "oldest_queued_at": None,
        "workers_polling": 0,
    }


async def test_only_queued_items_count(account: Account) -> None:
    for state in ("queued", "starting", "active", "stopping", "stopped", "queued"):
        account.simulation.create_work(account.id, state=state)
    assert (await account.stats())["depth"] == 2


async def test_a_delivered_item_is_pending_for_five_seconds(account: Account) -> None:
    for _ in range(3):
        account.simulation.create_work(account.id)
    await account.poll("w1")
    stats = await account.stats()
    assert (stats["depth"], stats["pending"]) == (2, 1)
    account.clock.advance(5)
    stats = await account.stats()
    assert (stats["depth"], stats["pending"]) == (3, 0)


async def test_the_window_may_be_the_pollers() -> None:
    async with Account(Options(pending_window_seconds=None)) as account:
        account.simulation.create_work(account.id)
        await account.poll("w1", reclaim_older_than_ms=60_000)
        account.clock.advance(59.9)
        assert (await account.stats())["pending"] == 1
        account.clock.advance(0.1)
        assert (await account.stats())["pending"] == 0


async def test_depth_may_include_pending() -> None:
    async with Account(Options(depth_includes_pending=True)) as account:
        account.simulation.create_work(account.id)
        await account.poll("w1")
        stats = await account.stats()
        assert (stats["depth"], stats["pending"]) == (1, 1)


async def test_the_oldest_is_the_earliest_created_whatever_its_id(account: Account) -> None:
    now = account.clock.now()
    account.simulation.create_work(account.id, created_at=now - 10)
    account.simulation.create_work(account.id, created_at=now - 90.5)
    assert (await account.stats())["oldest_queued_at"] == "2026-07-01T07:58:29Z"


@pytest.mark.parametrize(("included", "oldest"), [(True, "2026-07-01T07:58:20Z"), (False, "2026-07-01T07:59:50Z")])
async def test_the_oldest_may_leave_pending_items_out(included: bool, oldest: str) -> None:
    async with Account(Options(oldest_includes_pending=included)) as account:
        now = account.clock.now()
        account.simulation.create_work(account.id, created_at=now - 100)
        account.simulation.create_work(account.id, created_at=now - 10)
        await account.poll("w1")
        assert (await account.stats())["oldest_queued_at"] == oldest


async def test_workers_count_for_thirty_seconds_and_only_with_a_name(account: Account) -> None:
    await account.poll()
    await account.poll("w1")
    account.clock.advance(20)
    await account.poll("w2")
    await account.poll("w2")
    assert (await account.stats())["workers_polling"] == 2
    account.clock.advance(10.001)
    assert (await account.stats())["workers_polling"] == 1


async def test_fields_may_be_null_or_missing() -> None:
    options = Options(null_stats=frozenset({"workers_polling"}), absent_stats=frozenset({"oldest_queued_at"}))
    async with Account(options) as account:
        account.simulation.create_work(account.id)
        await account.poll("w1")
        stats = await account.stats()
        assert stats["workers_polling"] is None
        assert "oldest_queued_at" not in stats
