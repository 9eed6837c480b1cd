"""The life of a work item: ack, heartbeat, stop, metadata."""

from typing import Any

import pytest

from exporter.simulator import STATES, Options
from tests.simulator.account import Account, body, refusal

INVALID = (400, "invalid_request_error")
CONFLICT = (409, "invalid_request_error")
PRECONDITION = (412, "precondition_failed_error")


def item(account: Account, state: str = "queued", **details: Any) -> str:
    return account.simulation.create_work(account.id, state=state, **details)


class TestAck:
    async def test_makes_a_queued_item_starting(self, account: Account) -> None:
        work_id = item(account)
        account.clock.advance(3.7)
        acknowledged = body(await account.ack(work_id))
        assert (acknowledged["state"], acknowledged["acknowledged_at"]) == ("starting", "2026-07-01T08:00:03Z")
        assert (acknowledged["started_at"], acknowledged["latest_heartbeat_at"]) == (None, None)

    async def test_may_be_repeated_while_starting_and_active(self, account: Account) -> None:
        work_id = item(account)
        first = body(await account.ack(work_id, "w1"))
        account.clock.advance(5)
        assert body(await account.ack(work_id, "w1")) == first
        await account.heartbeat(work_id)
        assert body(await account.ack(work_id, "w1"))["state"] == "active"
        assert body(await account.ack(work_id))["acknowledged_at"] == first["acknowledged_at"]

    @pytest.mark.parametrize("state", ["stopping", "stopped"])
    async def test_is_refused_once_the_item_stops(self, account: Account, state: str) -> None:
        assert refusal(await account.ack(item(account, state))) == CONFLICT

    async def test_by_another_worker_than_the_poller_is_refused(self, account: Account) -> None:
        work_id = item(account)
        await account.poll("w1")
        assert refusal(await account.ack(work_id, "w2")) == CONFLICT
        assert body(await account.ack(work_id, "w1"))["state"] == "starting"

    async def test_by_another_worker_than_the_holder_is_refused(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id, "w1")
        assert refusal(await account.ack(work_id, "w2")) == CONFLICT
        await account.heartbeat(work_id)
        assert refusal(await account.ack(work_id, "w2")) == CONFLICT

    async def test_without_a_name_is_accepted_from_a_named_poller(self, account: Account) -> None:
        work_id = item(account)
        await account.poll("w1")
        assert body(await account.ack(work_id))["state"] == "starting"
        assert refusal(await account.ack(work_id, "w2")) == CONFLICT

    async def test_with_any_name_is_accepted_from_a_nameless_poller(self, account: Account) -> None:
        work_id = item(account)
        await account.poll()
        assert body(await account.ack(work_id, "w2"))["state"] == "starting"

    async def test_by_the_first_poller_is_refused_after_redelivery(self, account: Account) -> None:
        work_id = item(account)
        await account.poll("w1")
        account.clock.advance(5)
        await account.poll("w2")
        assert refusal(await account.ack(work_id, "w1")) == CONFLICT
        assert body(await account.ack(work_id, "w2"))["state"] == "starting"

    async def test_without_any_poll_may_be_refused(self) -> None:
        async with Account(Options(ack_needs_delivery=True)) as account:
            work_id = item(account)
            assert refusal(await account.ack(work_id)) == CONFLICT
            await account.poll()
            assert body(await account.ack(work_id))["state"] == "starting"


class TestHeartbeat:
    async def test_the_first_makes_a_starting_item_active(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id)
        account.clock.advance(2.120394)
        beat = body(await account.heartbeat(work_id, expected_last_heartbeat="NO_HEARTBEAT", desired_ttl_seconds=60))
        assert beat == {
            "type": "work_heartbeat",
            "last_heartbeat": "2026-07-01T08:00:02.120394Z",
            "lease_extended": True,
            "state": "active",
            "ttl_seconds": 60,
        }
        shown = await account.get(work_id)
        assert (shown["started_at"], shown["latest_heartbeat_at"]) == ("2026-07-01T08:00:02Z", beat["last_heartbeat"])

    async def test_the_next_expects_the_one_before(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id)
        first = body(await account.heartbeat(work_id, expected_last_heartbeat="NO_HEARTBEAT"))
        account.clock.advance(30)
        second = body(await account.heartbeat(work_id, expected_last_heartbeat=first["last_heartbeat"]))
        assert second["last_heartbeat"] == "2026-07-01T08:00:30.000000Z"
        assert (await account.get(work_id))["started_at"] == "2026-07-01T08:00:00Z"

    async def test_time_is_compared_not_text(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id)
        await account.heartbeat(work_id)
        answer = await account.heartbeat(work_id, expected_last_heartbeat="2026-07-01T10:00:00+02:00")
        assert body(answer)["state"] == "active"

    @pytest.mark.parametrize("expected", ["NO_HEARTBEAT", "2026-07-01T07:59:59.999999Z"])
    async def test_of_a_stale_owner_fails_the_precondition(self, account: Account, expected: str) -> None:
        work_id = item(account)
        await account.ack(work_id)
        await account.heartbeat(work_id)
        before = await account.get(work_id)
        account.clock.advance(10)
        assert refusal(await account.heartbeat(work_id, expected_last_heartbeat=expected)) == PRECONDITION
        assert await account.get(work_id) == before

    async def test_that_expects_one_before_the_first_fails_the_precondition(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id)
        answer = await account.heartbeat(work_id, expected_last_heartbeat="2026-07-01T08:00:00Z")
        assert refusal(answer) == PRECONDITION
        assert account.state(work_id) == "starting"

    async def test_without_an_expectation_is_unconditional(self, account: Account) -> None:
        work_id = item(account)
        await account.ack(work_id)
        for _ in range(3):
            account.clock.advance(1)
            assert body(await account.heartbeat(work_id))["lease_extended"] is True

    @pytest.mark.parametrize("state", ["queued", "stopped"])
    async def test_is_refused_while_queued_or_stopped(self, account: Account, state: str) -> None:
        assert refusal(await account.heartbeat(item(account, state))) == CONFLICT

    async def test_while_stopping_says_so(self, account: Account) -> None:
        beat = body(await account.heartbeat(item(account, "stopping")))
        assert (beat["state"], beat["lease_extended"]) == ("stopping", True)

    async def test_while_stopping_may_not_extend_the_lease(self) -> None:
        async with Account(Options(extend_stopping_lease=False)) as account:
            assert body(await account.heartbeat(item(account, "stopping")))["lease_extended"] is False

    @pytest.mark.parametrize(("asked", "given"), [(1, 10), (10, 10), (60, 60), (600, 600), (86400, 600), (None, 90)])
    async def test_the_lease_is_clamped(self, account: Account, asked: int | None, given: int) -> None:
        query = {} if asked is None else {"desired_ttl_seconds": asked}
        assert body(await account.heartbeat(item(account, "active"), **query))["ttl_seconds"] == given

    @pytest.mark.parametrize("ttl", ["0", "-5", "long", "1.5"])
    async def test_a_lease_that_is_no_positive_integer_is_refused(self, account: Account, ttl: str) -> None:
        answer = await account.heartbeat(item(account, "active"), desired_ttl_seconds=ttl)
        assert refusal(answer) == INVALID

    @pytest.mark.parametrize("expected", ["", "never", "2026-07-01", "2026-07-01T08:00:00", "1782892800"])
    async def test_an_expectation_that_is_no_time_is_refused(self, account: Account, expected: str) -> None:
        answer = await account.heartbeat(item(account, "active"), expected_last_heartbeat=expected)
        assert refusal(answer) == INVALID


class TestStop:
    @pytest.mark.parametrize(
        ("state", "force", "after"),
        [
            ("queued", False, "stopped"),
            ("queued", True, "stopped"),
            ("starting", False, "stopping"),
            ("starting", True, "stopped"),
            ("active", False, "stopping"),
            ("active", True, "stopped"),
            ("stopping", False, "stopped"),
            ("stopping", True, "stopped"),
            ("stopped", False, "stopped"),
            ("stopped", True, "stopped"),
        ],
    )
    async def test_follows_the_documented_table(self, account: Account, state: str, force: bool, after: str) -> None:
        work_id = item(account, state)
        before = await account.get(work_id)
        account.clock.advance(60)
        stopped = body(await account.stop(work_id, json={"force": force}))
        now = "2026-07-01T08:01:00Z"
        assert stopped["state"] == after == account.state(work_id)
        assert stopped["stop_requested_at"] == (now if after == "stopping" else before["stop_requested_at"])
        assert stopped["stopped_at"] == (now if after == "stopped" != state else before["stopped_at"])

    @pytest.mark.parametrize("request_body", [{}, {"json": {}}, {"content": b"  "}])
    async def test_is_graceful_unless_told_otherwise(self, account: Account, request_body: dict[str, Any]) -> None:
        assert body(await account.stop(item(account, "active"), **request_body))["state"] == "stopping"

    @pytest.mark.parametrize("content", [b"{", b"[]", b"true", b'"force"', b'{"force": 1}', b'{"force": null}'])
    async def test_a_bad_body_is_refused(self, account: Account, content: bytes) -> None:
        work_id = item(account, "active")
        assert refusal(await account.stop(work_id, content=content)) == INVALID
        assert account.state(work_id) == "active"

    async def test_of_a_delivered_item_makes_its_ack_fail(self, account: Account) -> None:
        work_id = item(account)
        await account.poll("w1")
        await account.stop(work_id)
        assert refusal(await account.ack(work_id, "w1")) == CONFLICT


class TestUpdate:
    async def test_sets_changes_and_deletes_keys(self, account: Account) -> None:
        work_id = item(account, metadata={"job": "daily", "team": "core", "old": "x"})
        updated = body(await account.update(work_id, json={"metadata": {"job": "nightly", "new": "y", "old": None}}))
        assert updated["metadata"] == {"job": "nightly", "team": "core", "new": "y"}
        assert (await account.get(work_id))["metadata"] == updated["metadata"]

    async def test_without_metadata_changes_nothing(self, account: Account) -> None:
        work_id = item(account, metadata={"job": "daily"})
        before = await account.get(work_id)
        assert body(await account.update(work_id, json={})) == before

    async def test_does_not_touch_items_that_share_metadata(self, account: Account) -> None:
        shared = {"job": "daily"}
        first, second = item(account, metadata=shared), item(account, metadata=shared)
        await account.update(first, json={"metadata": {"job": None}})
        assert (await account.get(second))["metadata"] == {"job": "daily"}

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b'{"metadata": []}', b'{"metadata": null}', b'{"metadata": {"a": 1}}'],
    )
    async def test_a_bad_body_is_refused(self, account: Account, content: bytes) -> None:
        work_id = item(account, metadata={"job": "daily"})
        assert refusal(await account.update(work_id, content=content)) == INVALID
        assert (await account.get(work_id))["metadata"] == {"job": "daily"}

    @pytest.mark.parametrize(
        "patch",
        [{"k" * 64: "v"}, {"k": "v" * 512}, {str(number): "v" for number in range(16)}],
        ids=["key", "value", "pairs"],
    )
    async def test_metadata_may_be_as_large_as_its_limits(self, account: Account, patch: dict[str, str]) -> None:
        work_id = item(account)
        assert body(await account.update(work_id, json={"metadata": patch}))["metadata"] == patch

    @pytest.mark.parametrize(
        "patch",
        [{"k" * 65: "v"}, {"k": "v" * 513}, {str(number): "v" for number in range(17)}],
        ids=["key", "value", "pairs"],
    )
    async def test_the_limits_of_metadata_hold(self, account: Account, patch: dict[str, str]) -> None:
        work_id = item(account)
        assert refusal(await account.update(work_id, json={"metadata": patch})) == INVALID
        assert (await account.get(work_id))["metadata"] == {}


async def test_an_item_shows_every_documented_field(account: Account) -> None:
    work_id = item(account, metadata={"job": "daily-report"})
    shown = await account.get(work_id)
    session = shown.pop("data")
    assert session["type"] == "session"
    assert session["id"].startswith("sess_")
    assert shown == {
        "id": work_id,
        "type": "work",
        "environment_id": account.id,
        "state": "queued",
        "created_at": "2026-07-01T08:00:00Z",
        "acknowledged_at": None,
        "started_at": None,
        "latest_heartbeat_at": None,
        "stop_requested_at": None,
        "stopped_at": None,
        "metadata": {"job": "daily-report"},
    }


@pytest.mark.parametrize("state", [*STATES, "paused"])
async def test_an_item_can_be_forced_into_any_state_with_any_times(account: Account, state: str) -> None:
    work_id = item(account, "active")
    now = account.clock.now()
    account.simulation.force(
        account.id,
        work_id,
        state,
        created_at=now - 300.5,
        acknowledged_at=None,
        started_at=now + 50,
        latest_heartbeat_at=now - 100.25,
    )
    shown = await account.get(work_id)
    assert shown["state"] == state
    assert shown["created_at"] == "2026-07-01T07:54:59Z"
    assert shown["acknowledged_at"] is None
    assert shown["started_at"] == "2026-07-01T08:00:50Z"
    assert shown["latest_heartbeat_at"] == "2026-07-01T07:58:19.750000Z"
    account.clock.advance(86400)
    assert account.state(work_id) == state


async def test_an_item_forced_back_to_queued_is_delivered_again(account: Account) -> None:
    work_id = item(account)
    await account.poll("w1")
    await account.ack(work_id, "w1")
    await account.heartbeat(work_id)
    account.simulation.force(account.id, work_id, "queued")
    assert (await account.poll("w2"))["id"] == work_id
    assert body(await account.ack(work_id, "w2"))["state"] == "starting"
