"""What becomes of an item whose worker is silent."""

import asyncio

import pytest

from exporter.simulator import Options
from tests.simulator.account import Account, body, refusal


async def held(account: Account, *, ttl: int = 60) -> tuple[str, str]:
    """An active item with a lease, and its latest heartbeat."""
    work_id = account.simulation.create_work(account.id)
    await account.poll("w1")
    await account.ack(work_id, "w1")
    beat = body(await account.heartbeat(work_id, desired_ttl_seconds=ttl))
    return work_id, beat["last_heartbeat"]


async def test_an_active_item_is_requeued_when_its_lease_lapses(account: Account) -> None:
    work_id, _ = await held(account)
    account.clock.advance(59.999)
    assert account.state(work_id) == "active"
    account.clock.advance(0.001)
    shown = await account.get(work_id)
    assert shown["state"] == "queued"
    assert (shown["acknowledged_at"], shown["started_at"], shown["latest_heartbeat_at"]) == (None, None, None)


async def test_each_heartbeat_starts_the_lease_anew(account: Account) -> None:
    work_id, beat = await held(account)
    for _ in range(5):
        account.clock.advance(50)
        beat = body(await account.heartbeat(work_id, expected_last_heartbeat=beat))["last_heartbeat"]
    account.clock.advance(89)  # the default lease of the latest heartbeat
    assert account.state(work_id) == "active"
    account.clock.advance(1)
    assert account.state(work_id) == "queued"


async def test_the_stale_owner_is_refused_before_and_after_the_takeover(account: Account) -> None:
    work_id, beat = await held(account)
    account.clock.advance(60)
    assert refusal(await account.heartbeat(work_id, expected_last_heartbeat=beat))[0] == 409
    assert (await account.poll("w2"))["id"] == work_id
    await account.ack(work_id, "w2")
    assert refusal(await account.heartbeat(work_id, expected_last_heartbeat=beat))[0] == 412
    account.clock.advance(1)
    await account.heartbeat(work_id, expected_last_heartbeat="NO_HEARTBEAT")
    assert refusal(await account.heartbeat(work_id, expected_last_heartbeat=beat))[0] == 412
    assert refusal(await account.ack(work_id, "w1"))[0] == 409


async def test_a_requeue_may_keep_the_times() -> None:
    async with Account(Options(requeue_resets=False)) as account:
        work_id, beat = await held(account)
        account.clock.advance(60)
        shown = await account.get(work_id)
        assert (shown["state"], shown["latest_heartbeat_at"]) == ("queued", beat)
        await account.poll("w2")
        await account.ack(work_id, "w2")
        assert body(await account.heartbeat(work_id, expected_last_heartbeat="NO_HEARTBEAT"))["state"] == "active"


@pytest.mark.parametrize(("policy", "state"), [("keep", "active"), ("stop", "stopped")])
async def test_an_active_item_may_stay_or_stop(policy: str, state: str) -> None:
    async with Account(Options(lease_expiry=policy)) as account:  # type: ignore[arg-type]
        work_id, beat = await held(account)
        account.clock.advance(3600)
        shown = await account.get(work_id)
        assert (shown["state"], shown["latest_heartbeat_at"]) == (state, beat)
        assert shown["stopped_at"] == ("2026-07-01T08:01:00Z" if state == "stopped" else None)


async def test_a_kept_item_can_still_beat() -> None:
    async with Account(Options(lease_expiry="keep")) as account:
        work_id, beat = await held(account)
        account.clock.advance(3600)
        assert body(await account.heartbeat(work_id, expected_last_heartbeat=beat))["state"] == "active"


async def test_a_starting_item_without_heartbeat_is_stuck(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    await account.poll("w1")
    await account.ack(work_id, "w1")
    account.clock.advance(86400)
    shown = await account.get(work_id)
    assert (shown["state"], shown["latest_heartbeat_at"]) == ("starting", None)
    assert await account.poll("w2") is None


async def test_a_starting_item_may_be_requeued() -> None:
    async with Account(Options(starting_expiry="requeue", default_ttl_seconds=30)) as account:
        work_id = account.simulation.create_work(account.id)
        await account.ack(work_id)
        account.clock.advance(30)
        assert (await account.get(work_id))["state"] == "queued"


@pytest.mark.parametrize(("policy", "state"), [("keep", "stopping"), ("stop", "stopped")])
async def test_an_abandoned_stopping_item_stays_or_stops(policy: str, state: str) -> None:
    async with Account(Options(stopping_expiry=policy)) as account:  # type: ignore[arg-type]
        work_id, _ = await held(account)
        await account.stop(work_id)
        account.clock.advance(3600)
        shown = await account.get(work_id)
        assert shown["state"] == state
        assert shown["stopped_at"] == ("2026-07-01T08:01:00Z" if state == "stopped" else None)


async def test_a_deleted_item_does_not_come_back_when_its_lease_lapses(account: Account) -> None:
    work_id, _ = await held(account)
    account.simulation.delete_work(account.id, work_id)
    account.clock.advance(3600)
    assert (await account.page())["data"] == []
    assert await account.poll("w2") is None


async def test_a_waiting_poll_gets_the_item_whose_lease_lapses_meanwhile(account: Account) -> None:
    work_id, _ = await held(account, ttl=10)
    account.clock.advance(9.5)
    poll = asyncio.create_task(account.poll("w2", block_ms=999))
    for _ in range(50):
        await asyncio.sleep(0)
    account.clock.advance(0.999)
    assert (await poll)["id"] == work_id
