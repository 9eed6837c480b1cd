"""Faults on the wire, without sockets and with them."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from exporter.simulator import (
    DEFAULT_TOKEN,
    AnyFault,
    Garbage,
    Latency,
    Reset,
    Simulation,
    SimulatorServer,
    Status,
    Truncate,
)
from tests.simulator.account import ROOT, Account, body, refusal


def filled(account: Account, count: int = 6) -> list[str]:
    return [account.simulation.create_work(account.id) for _ in range(count)]


class TestStatus:
    async def test_has_the_envelope(self, account: Account) -> None:
        with account.simulation.faults.during(Status(status=503)):
            response = await account.list()
        assert refusal(response) == (503, "api_error")

    async def test_may_have_no_body(self, account: Account) -> None:
        account.simulation.faults.add(Status(status=429, body=False, retry_after="7", headers={"x-ratelimit": "1"}))
        response = await account.list()
        assert (response.status_code, response.content) == (429, b"")
        assert (response.headers["retry-after"], response.headers["x-ratelimit"]) == ("7", "1")

    async def test_comes_before_the_token_is_looked_at(self, account: Account) -> None:
        account.simulation.faults.add(Status(status=502))
        response = await account.http.get("/environments", headers={"authorization": "nonsense"})
        assert response.status_code == 502

    async def test_without_content_has_no_body(self, account: Account) -> None:
        account.simulation.faults.add(Status(status=204))
        response = await account.list()
        assert (response.status_code, response.content) == (204, b"")


class TestSelection:
    """Which requests a fault meets."""

    async def statuses(self, account: Account, fault: AnyFault, count: int) -> list[int]:
        with account.simulation.faults.during(fault):
            return [(await account.list()).status_code for _ in range(count)]

    async def test_by_endpoint(self, account: Account) -> None:
        account.simulation.faults.add(Status(status=500, endpoint="stats"))
        assert (await account.list()).status_code == 200
        assert (await account.http.get(f"{account.work}/stats")).status_code == 500

    async def test_by_environment(self, account: Account) -> None:
        other = account.simulation.create_environment("other")
        account.simulation.faults.add(Status(status=500, environment_id=other))
        assert (await account.list()).status_code == 200
        assert (await account.http.get(f"/environments/{other}/work")).status_code == 500

    async def test_by_count(self, account: Account) -> None:
        assert await self.statuses(account, Status(status=500, count=2), 4) == [500, 500, 200, 200]
        assert account.simulation.faults.active() == {}

    async def test_after_some_have_gone_well(self, account: Account) -> None:
        fault = Status(status=500, skip=2, count=1)
        assert await self.statuses(account, fault, 5) == [200, 200, 500, 200, 200]

    async def test_by_probability_and_seed(self, account: Account) -> None:
        fault = Status(status=500, probability=0.3)
        first = await self.statuses(account, fault, 200)
        assert 30 < first.count(500) < 90
        async with Account() as again:
            assert await self.statuses(again, fault, 200) == first

    async def test_the_first_of_several_wins(self, account: Account) -> None:
        faults = account.simulation.faults
        first, _ = faults.add(Status(status=500)), faults.add(Status(status=503))
        assert (await account.list()).status_code == 500
        assert faults.remove(first)
        assert not faults.remove(first)
        assert (await account.list()).status_code == 503
        faults.clear()
        assert (await account.list()).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Status(status=199),
        lambda: Status(status=500, probability=0),
        lambda: Reset(probability=1.1),
        lambda: Reset(count=0),
        lambda: Reset(skip=-1),
        lambda: Latency(seconds=-1),
    ],
)
def test_impossible_faults_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


class TestGarbage:
    async def answer(self, account: Account, content: Any, **query: str | int) -> httpx.Response:
        with account.simulation.faults.during(Garbage(content=content)):
            response = await account.list(**query)
        assert response.status_code == 200
        return response

    async def test_html(self, account: Account) -> None:
        response = await self.answer(account, "html")
        assert response.headers["content-type"].startswith("text/html")
        assert response.text.startswith("<!DOCTYPE html>")

    @pytest.mark.parametrize(("content", "text"), [("empty", b""), ("null", b"null")])
    async def test_nothing(self, account: Account, content: str, text: bytes) -> None:
        assert (await self.answer(account, content)).content == text

    async def test_invalid_json(self, account: Account) -> None:
        filled(account)
        response = await self.answer(account, "invalid_json")
        assert response.headers["content-type"] == "application/json"
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
            response.json()

    async def test_wrong_types(self, account: Account) -> None:
        filled(account)
        right, wrong = await account.page(), (await self.answer(account, "wrong_types")).json()
        assert right.keys() == wrong.keys()
        for item in wrong["data"]:
            assert not isinstance(item["id"], str)
            assert not isinstance(item["state"], str)
            assert isinstance(item["acknowledged_at"], str)  # null in truth

    async def test_repeated_page(self, account: Account) -> None:
        ids = filled(account)
        for query in ({}, {"page": ids[1]}, {"after_id": ids[3]}):
            page = (await self.answer(account, "repeated_page", limit=2, **query)).json()
            assert [item["id"] for item in page["data"]] == ids[:2]
            assert (page["has_more"], page["next_page"]) == (True, ids[1])

    async def test_stuck_cursor(self, account: Account) -> None:
        ids = filled(account)
        page = (await self.answer(account, "stuck_cursor", limit=2, after_id=ids[1])).json()
        assert [item["id"] for item in page["data"]] == ids[2:4]
        assert (page["has_more"], page["next_page"], page["last_id"]) == (True, ids[1], ids[1])

    async def test_no_cursor(self, account: Account) -> None:
        filled(account)
        page = (await self.answer(account, "no_cursor")).json()
        assert (page["has_more"], page["next_page"], page["last_id"]) == (True, None, None)

    async def test_duplicates(self, account: Account) -> None:
        first, second = filled(account, 2)
        page = (await self.answer(account, "duplicates")).json()
        assert [item["id"] for item in page["data"]] == [first, first, second, second]

    async def test_descending(self, account: Account) -> None:
        ids = filled(account)
        page = (await self.answer(account, "descending")).json()
        assert [item["id"] for item in page["data"]] == ids[::-1]

    async def test_bad_pages_concern_lists_alone(self, account: Account) -> None:
        [work_id] = filled(account, 1)
        account.simulation.faults.add(Garbage(content="duplicates", count=1))
        assert (await account.get(work_id))["id"] == work_id
        assert len((await account.page())["data"]) == 2
        assert len((await account.page())["data"]) == 1

    async def test_errors_stay_errors(self, account: Account) -> None:
        account.simulation.faults.add(Garbage(content="html"))
        assert refusal(await account.list(limit=0))[0] == 400


class TestWithoutSockets:
    """Under `httpx.ASGITransport`, faults of the connection are the errors a client would see."""

    async def test_reset(self, account: Account) -> None:
        account.simulation.faults.add(Reset())
        with pytest.raises(httpx.ReadError):
            await account.list()

    async def test_truncate(self, account: Account) -> None:
        account.simulation.faults.add(Truncate())
        with pytest.raises(httpx.RemoteProtocolError):
            await account.list()


@pytest.fixture
async def client() -> AsyncIterator[tuple[Simulation, httpx.AsyncClient]]:
    simulation = Simulation()
    for number in range(10):
        simulation.create_environment(f"environment {number}")
    async with (
        SimulatorServer(simulation) as server,
        httpx.AsyncClient(base_url=server.base_url, headers={"authorization": f"Bearer {DEFAULT_TOKEN}"}) as client,
    ):
        yield simulation, client


async def test_a_reset_cuts_the_connection(client: tuple[Simulation, httpx.AsyncClient]) -> None:
    simulation, http = client
    assert (await http.get("/environments")).status_code == 200
    simulation.faults.add(Reset(count=1))
    with pytest.raises(httpx.ReadError):
        await http.get("/environments")
    assert (await http.get("/environments")).status_code == 200
    [first, cut, last] = simulation.traffic.recent
    assert [first.status, cut.status, last.status] == [200, 0, 200]
    assert cut.bytes_sent == 0


async def test_a_reset_is_a_tcp_reset(client: tuple[Simulation, httpx.AsyncClient]) -> None:
    simulation, http = client
    simulation.faults.add(Reset())
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: simulator\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_truncated_body_ends_in_the_middle(client: tuple[Simulation, httpx.AsyncClient]) -> None:
    simulation, http = client
    whole = (await http.get("/environments")).content
    simulation.faults.add(Truncate(count=1))
    received: list[bytes] = []

    async def read_until_the_end() -> None:
        async with http.stream("GET", "/environments") as response:
            assert (response.status_code, int(response.headers["content-length"])) == (200, len(whole))
            async for chunk in response.aiter_raw():
                received.append(chunk)  # noqa: PERF401 -- kept when the iteration fails

    with pytest.raises(httpx.RemoteProtocolError):
        await read_until_the_end()
    assert b"".join(received) == whole[: len(whole) // 2]
    assert simulation.traffic.recent[-1].bytes_sent == len(whole) // 2
    assert (await http.get("/environments")).content == whole


async def test_latencies_add_up(client: tuple[Simulation, httpx.AsyncClient]) -> None:
    simulation, http = client
    with simulation.faults.during(Latency(seconds=0.05), Latency(seconds=0.05, jitter=0.01), Status(status=503)):
        started = time.monotonic()
        assert (await http.get("/environments")).status_code == 503
        assert time.monotonic() - started >= 0.1


async def test_a_client_need_not_wait_for_a_late_answer(client: tuple[Simulation, httpx.AsyncClient]) -> None:
    simulation, http = client
    with simulation.faults.during(Latency(seconds=3600)), pytest.raises(httpx.ReadTimeout):
        await http.get("/environments", timeout=0.05)
    assert (await http.get("/environments")).status_code == 200


class TestControl:
    """The simulator's own endpoints."""

    URL = ROOT + "/simulator"

    async def test_faults_are_switched_on_listed_and_off(self, account: Account) -> None:
        del account.http.headers["authorization"]
        fault = {"kind": "status", "status": 503, "endpoint": "list", "retry_after": "2"}
        added = await account.http.post(self.URL + "/faults", json=fault)
        assert (added.status_code, added.json()) == (201, {"number": 1})
        assert (await account.list()).status_code == 503
        listed = body(await account.http.get(self.URL + "/faults"))
        assert fault.items() <= listed["1"].items()
        assert (await account.http.delete(self.URL + "/faults/1")).status_code == 204
        assert (await account.http.delete(self.URL + "/faults/1")).status_code == 404
        assert (await account.list()).status_code == 401

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "latency", "seconds": 0.0},
            {"kind": "reset", "probability": 0.5},
            {"kind": "truncate", "count": 3},
            {"kind": "garbage", "content": "html", "environment_id": "env_1"},
        ],
    )
    async def test_every_kind_can_be_sent(self, account: Account, fault: dict[str, Any]) -> None:
        assert (await account.http.post(self.URL + "/faults", json=fault)).status_code == 201
        [active] = account.simulation.faults.active().values()
        assert active.__struct_config__.tag == fault["kind"]
        assert (await account.http.delete(self.URL + "/faults")).status_code == 204
        assert account.simulation.faults.active() == {}

    @pytest.mark.parametrize(
        ("fault", "complaint"),
        [
            (b"{", "truncated"),
            (b'{"kind": "flood"}', "flood"),
            (b'{"kind": "status"}', "status"),
            (b'{"kind": "status", "status": 99}', "status: must be from 200 to 599, got 99"),
            (b'{"kind": "reset", "often": true}', "often"),
            (b'{"kind": "garbage", "content": "poetry"}', "poetry"),
        ],
    )
    async def test_a_wrong_fault_is_refused_with_the_reason(
        self, account: Account, fault: bytes, complaint: str
    ) -> None:
        response = await account.http.post(self.URL + "/faults", content=fault)
        assert response.status_code == 400
        assert complaint in response.json()["error"]
        assert account.simulation.faults.active() == {}

    async def test_requests_are_shown_and_forgotten(self, account: Account) -> None:
        [work_id] = filled(account, 1)
        page = await account.list(limit=5)
        await account.get(work_id)
        await account.list(limit=0)
        shown = body(await account.http.get(self.URL + "/requests"))
        assert shown["endpoints"]["list"]["requests"] == 2
        assert shown["endpoints"]["list"]["statuses"] == {"200": 1, "400": 1}
        first = shown["recent"][0]
        assert (first["method"], first["path"]) == ("GET", f"/api/v1/cloud{account.work}")
        assert (first["query"], first["bytes_sent"]) == ("limit=5", len(page.content))
        assert DEFAULT_TOKEN not in str(shown)
        assert (await account.http.delete(self.URL + "/requests")).status_code == 204
        assert account.simulation.traffic.requests() == 0

    async def test_the_truth_is_shown(self, account: Account) -> None:
        account.simulation.create_history(account.id, 3)
        [work_id] = filled(account, 1)
        url = f"{self.URL}/truth/{account.id}"
        shown = body(await account.http.get(url))
        assert (shown["counts"]["stopped"], shown["counts"]["queued"], shown["items"]) == (3, 1, [])
        assert [item["id"] for item in body(await account.http.get(url + "?items=live"))["items"]] == [work_id]
        assert len(body(await account.http.get(url + "?items=all"))["items"]) == 4
        assert (await account.http.get(url + "?items=some")).status_code == 400
        assert (await account.http.get(f"{self.URL}/truth/env_0")).status_code == 404
