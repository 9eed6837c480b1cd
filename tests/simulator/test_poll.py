"""Polling: delivery, redelivery, waiting."""

import asyncio

import pytest

from exporter.simulator import Options
from tests.simulator.account import Account, refusal

INVALID = (400, "invalid_request_error")


async def test_an_empty_poll_is_null(account: Account) -> None:
    response = await account.http.get(f"{account.work}/poll")
    assert (response.status_code, response.content) == (200, b"null")
    assert response.headers["content-type"] == "application/json"


async def test_an_empty_poll_may_have_no_content() -> None:
    async with Account(Options(empty_poll="no_content")) as account:
        response = await account.http.get(f"{account.work}/poll")
        assert (response.status_code, response.content) == (204, b"")


async def test_a_poll_delivers_the_oldest_item_still_queued(account: Account) -> None:
    oldest, _ = account.simulation.create_work(account.id), account.simulation.create_work(account.id)
    item = await account.poll("w1")
    assert (item["id"], item["state"], item["acknowledged_at"]) == (oldest, "queued", None)


async def test_each_item_is_delivered_once_at_a_time(account: Account) -> None:
    work_ids = [account.simulation.create_work(account.id) for _ in range(2)]
    assert [(await account.poll("w1"))["id"], (await account.poll("w1"))["id"]] == work_ids
    assert await account.poll("w1") is None


async def test_an_item_not_acknowledged_is_delivered_again_after_five_seconds(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    await account.poll("w1")
    account.clock.advance(4.999)
    assert await account.poll("w2") is None
    account.clock.advance(0.001)
    assert (await account.poll("w2"))["id"] == work_id


async def test_the_poller_chooses_the_redelivery_window(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    await account.poll("w1")
    account.clock.advance(1)
    assert await account.poll("w2", reclaim_older_than_ms=1001) is None
    assert (await account.poll("w2", reclaim_older_than_ms=1000))["id"] == work_id
    assert (await account.poll("w3", reclaim_older_than_ms=0))["id"] == work_id


async def test_only_queued_items_are_delivered(account: Account) -> None:
    for state in ("starting", "active", "stopping", "stopped"):
        account.simulation.create_work(account.id, state=state)
    assert await account.poll() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("block_ms", "0"),
        ("block_ms", "1000"),
        ("block_ms", "-1"),
        ("block_ms", "soon"),
        ("reclaim_older_than_ms", "-1"),
        ("reclaim_older_than_ms", "1.5"),
    ],
)
async def test_bad_numbers_are_refused(account: Account, name: str, value: str) -> None:
    response = await account.http.get(f"{account.work}/poll", params={name: value})
    assert refusal(response) == INVALID
    assert response.json()["error"]["param"] == name


async def settled() -> None:
    """Let everything that can happen now happen."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_blocking_poll_waits_for_an_item(account: Account) -> None:
    poll = asyncio.create_task(account.poll("w1", block_ms=999))
    await settled()
    assert not poll.done()
    work_id = account.simulation.create_work(account.id)
    assert (await poll)["id"] == work_id


async def test_a_blocking_poll_ends_empty_after_its_time(account: Account) -> None:
    poll = asyncio.create_task(account.poll("w1", block_ms=999))
    await settled()
    account.clock.advance(0.998)
    await settled()
    assert not poll.done()
    account.clock.advance(0.001)
    assert await poll is None


async def test_one_item_ends_the_wait_of_one_poll(account: Account) -> None:
    polls = [asyncio.create_task(account.poll(f"w{number}", block_ms=500)) for number in range(3)]
    await settled()
    work_id = account.simulation.create_work(account.id)
    await settled()
    assert [poll.done() for poll in polls] == [True, False, False]
    assert (await polls[0])["id"] == work_id
    account.clock.advance(0.5)
    assert [await poll for poll in polls[1:]] == [None, None]


async def test_an_item_is_not_lost_on_a_poller_that_has_left(account: Account) -> None:
    poll = asyncio.create_task(account.poll("w1", block_ms=999))
    await settled()
    poll.cancel()
    await settled()
    work_id = account.simulation.create_work(account.id)
    await settled()
    assert (await account.poll("w2"))["id"] == work_id


async def test_poll_and_stats_are_never_work_ids(account: Account) -> None:
    assert refusal(await account.http.post(f"{account.work}/poll", json={})) == (404, "not_found_error")
    assert (await account.http.get(f"{account.work}/stats")).json()["type"] == "work_queue_stats"


@pytest.mark.parametrize("where", ["nowhere", "poll", "everywhere"])
async def test_the_secret_shows_where_the_options_say(where: str) -> None:
    async with Account(Options(secret=where)) as account:  # type: ignore[arg-type]
        work_id = account.simulation.create_work(account.id)
        secret = account.simulation.secret(work_id)
        missing = object()
        polled, got = await account.poll("w1"), await account.get(work_id)
        expected = {"nowhere": (missing, missing), "poll": (secret, None), "everywhere": (secret, secret)}
        assert (polled.get("secret", missing), got.get("secret", missing)) == expected[where]
