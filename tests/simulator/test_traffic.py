"""The record of requests."""

import asyncio

from exporter.simulator import Latency
from tests.simulator.account import Account


async def test_requests_and_bytes_are_counted_by_endpoint(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    answers = [
        await account.http.get("/environments"),
        await account.http.get(f"/environments/{account.id}"),
        await account.list(),
        await account.list(limit=1),
        await account.http.get(f"{account.work}/poll"),
        await account.http.get(f"{account.work}/stats"),
        await account.http.get(f"{account.work}/{work_id}"),
        await account.ack(work_id),
        await account.heartbeat(work_id),
        await account.update(work_id, json={}),
        await account.stop(work_id),
        await account.http.get("/nowhere"),
    ]
    traffic = account.simulation.traffic
    names = ["environments", "environment", "list", "list", "poll", "stats", "get"]
    names += ["ack", "heartbeat", "update", "stop", "unknown"]
    assert [exchange.endpoint for exchange in traffic.recent] == names
    assert [exchange.bytes_sent for exchange in traffic.recent] == [len(answer.content) for answer in answers]
    assert (traffic.requests("list"), traffic.requests("list", "stats"), traffic.requests()) == (2, 3, 12)
    assert traffic.bytes_sent("list") == len(answers[2].content) + len(answers[3].content)
    assert traffic.bytes_sent() == sum(len(answer.content) for answer in answers)
    assert traffic.requests("delete") == 0


async def test_the_simulators_own_endpoints_do_not_count(account: Account) -> None:
    await account.http.get("http://simulator/simulator/requests")
    assert account.simulation.traffic.requests() == 0


async def test_a_request_names_its_client(account: Account) -> None:
    await account.http.get("/environments", headers={"user-agent": "tests/1"})
    assert account.simulation.traffic.recent[-1].user_agent == "tests/1"


async def test_the_peak_of_concurrent_requests_is_known(account: Account) -> None:
    with account.simulation.faults.during(Latency(seconds=0.02)):
        await asyncio.gather(*(account.list() for _ in range(7)), account.http.get("/environments"))
    await account.list()
    assert account.simulation.traffic.peak_in_flight == {"list": 7, "environments": 1, "": 8}


async def test_a_reset_forgets_everything(account: Account) -> None:
    await account.list()
    account.simulation.traffic.reset()
    traffic = account.simulation.traffic
    assert (traffic.requests(), traffic.bytes_sent(), list(traffic.recent), traffic.peak_in_flight) == (0, 0, [], {})
