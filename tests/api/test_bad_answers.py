"""Answers with status 200 that are no answers: each is an error with a name, and none is anything else."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_args

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.requests import Endpoint
from exporter.api.types import EnvironmentPage, QueueStats, WorkItem, WorkPage
from exporter.simulator import DEFAULT_TOKEN, Garbage, ManualClock, Reset, Simulation, SimulatorServer, Truncate
from exporter.simulator.faults import AnyFault
from tests.api.harness import (
    BASE_URL,
    ENVIRONMENT,
    TOKEN,
    WORK,
    GivenToken,
    at_once,
    client,
    conversing,
    item,
    page,
    read,
)
from tests.support.randomness import FACTOR

T = TypeVar("T")

SHAPES: tuple[type[Any], ...] = (WorkItem, WorkPage, QueueStats, EnvironmentPage)
HTML = "<!DOCTYPE html><html><body>Checking your browser.</body></html>"
DEEP = 100_000


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, html=HTML), "(text/html; charset=utf-8): JSON is malformed"),
        (httpx.Response(200), "(no content type): the body is empty"),
        (httpx.Response(200, content=b" \n"), "truncated"),
        (httpx.Response(200, content=b'{"id": "a", "sta'), "truncated"),
        (httpx.Response(200, content=b"null"), "Expected `object`, got `null`"),
        (httpx.Response(200, json=[]), "(application/json): Expected `object`, got `array`"),
        (httpx.Response(200, json="queued"), "(application/json): Expected `object`, got `str`"),
        (httpx.Response(200, json={}), "(application/json): Object missing required field `id`"),
        (httpx.Response(200, content=b'{"id": "a", "state": "queued"} {}'), "JSON is malformed"),
        (httpx.Response(200, content=b'{"x": ' + b"[" * DEEP), "recursion"),
        (httpx.Response(200, content=b"[" * DEEP + b"]" * DEEP), "recursion"),
        (httpx.Response(200, content=b"\xef\xbb\xbf" + json.dumps(item()).encode()), "JSON is malformed"),
    ],
)
async def test_what_is_no_item_is_an_invalid_answer(
    respx_mock: respx.MockRouter, answer: httpx.Response, words: str
) -> None:
    respx_mock.get(f"{BASE_URL}/environments/{ENVIRONMENT}/work/{WORK}").mock(return_value=answer)
    async with client() as api:
        with pytest.raises(errors.InvalidResponse) as failure:
            await api.get(ENVIRONMENT, WORK, deadline=at_once())
    assert str(failure.value).startswith("get: HTTP 200 with an unusable answer (")
    assert words in str(failure.value)
    assert (failure.value.reason, failure.value.status) == ("invalid_response", 200)


async def test_an_invalid_answer_is_final(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.get(f"{BASE_URL}/environments").mock(return_value=httpx.Response(200, html=HTML))
    async with client() as api:
        with pytest.raises(errors.InvalidResponse):
            await api.environments(deadline=at_once() + 3600)
    assert route.call_count == 1
    assert api.counts.requests == {("environments", "200"): 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Garbage(content="html"), "invalid_response"),
        (Garbage(content="invalid_json"), "invalid_response"),
        (Garbage(content="wrong_types"), "invalid_response"),
        (Garbage(content="empty"), "invalid_response"),
        (Garbage(content="null"), "invalid_response"),
        (Truncate(), "network"),
        (Reset(), "network"),
    ],
)
async def test_a_real_server_that_answers_badly(fault: AnyFault, reason: str) -> None:
    simulation = Simulation(clock=ManualClock())
    environment_id = simulation.create_environment("gpu-workers")
    work_id = simulation.create_work(environment_id)
    simulation.faults.add(fault)
    async with SimulatorServer(simulation) as server, client(server.base_url, token=GivenToken(DEFAULT_TOKEN)) as api:
        calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "list": lambda: api.list(environment_id, deadline=at_once()),
            "get": lambda: api.get(environment_id, work_id, deadline=at_once()),
            "stats": lambda: api.stats(environment_id, deadline=at_once()),
            "environments": lambda: api.environments(deadline=at_once()),
        }
        assert calls.keys() == set(get_args(Endpoint))
        for endpoint, call in calls.items():
            with pytest.raises(errors.APIError) as failure:
                await call()
            assert failure.value.reason == reason
            assert failure.value.endpoint == endpoint


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\r\n\r\n",
    ],
)
async def test_an_answer_that_breaks_off_or_is_no_http_is_the_networks_fault(bytes_sent: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes_sent)
        await writer.drain()
        writer.write_eof()

    async with conversing(answer) as base_url, client(base_url) as api:
        with pytest.raises(errors.NetworkError) as failure:
            await api.stats(ENVIRONMENT, deadline=at_once())
    assert failure.value.status is None
    assert TOKEN not in str(failure.value)
    assert api.counts.requests == {("stats", "error"): 1}


def outcome(body: object, shape: type[T]) -> T | errors.InvalidResponse:
    """What becomes of a 200; any other exception is a defect."""
    try:
        return read(body, shape)
    except errors.InvalidResponse as error:
        return error


@given(st.binary() | st.text().map(str.encode), st.sampled_from(SHAPES))
def test_any_bytes_are_an_answer_or_an_invalid_one(body: bytes, shape: type[Any]) -> None:
    found = outcome(body, shape)
    assert isinstance(found, shape) or str(found).isprintable()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.sampled_from([None, "", "2026-07-01T08:00:00Z", "2026-07-01T16:00:00.25+08:00"])
FIELDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bool]]] = {
    "id": (st.text(), lambda value: isinstance(value, str) and 0 < len(value) <= 256),
    "state": (st.text(), lambda value: isinstance(value, str) and len(value) <= 64),
    "created_at": (TIMES, lambda value: value in (None, "") or str(value).startswith("2026")),
    "stopped_at": (TIMES, lambda value: value in (None, "") or str(value).startswith("2026")),
    "metadata": (
        st.none() | st.dictionaries(st.text(), ANYTHING, max_size=3),
        lambda value: value is None or isinstance(value, dict),
    ),
    "extra": (ANYTHING, lambda _: True),
    "secret": (ANYTHING, lambda _: True),
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """An item of good and bad fields, some missing."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS))))
    return {name: draw(FIELDS[name][0] | ANYTHING) for name in names}


def usable(body: dict[str, Any], name: str) -> bool:
    return name in body and FIELDS[name][1](body[name])


@settings(max_examples=300 * FACTOR)
@given(bodies())
def test_an_item_has_all_of_its_fields_that_can_be_read(body: dict[str, Any]) -> None:
    found = outcome(body, WorkItem)
    assert isinstance(found, WorkItem) is usable(body, "id")
    if isinstance(found, WorkItem):
        assert found.id == body["id"]
        assert found.state == (body["state"] if usable(body, "state") else "other")
        for name in ("created_at", "stopped_at"):
            assert (getattr(found, name) is None) == (body.get(name) in (None, "") or not usable(body, name))
        assert found.metadata == (body["metadata"] if usable(body, "metadata") else None)
        odd = [name for name in ("created_at", "stopped_at") if body.get(name) not in (None, "")]
        lost = any(not usable(body, name) for name in odd)
        assert found.unreadable == (lost or not usable(body, "state"))


@given(ANYTHING, st.sampled_from(SHAPES))
def test_any_json_is_an_answer_or_an_invalid_one(body: object, shape: type[Any]) -> None:
    assert isinstance(outcome(body, shape), shape | errors.InvalidResponse)


@given(st.lists(bodies(), max_size=4), ANYTHING, ANYTHING)
def test_a_page_has_every_item_with_an_id_or_is_an_invalid_answer(
    items: list[dict[str, Any]], has_more: object, cursor: object
) -> None:
    found = outcome(page() | {"data": items, "has_more": has_more, "next_page": cursor}, WorkPage)
    if isinstance(found, WorkPage):
        assert [each.id for each in found.data] == [each["id"] for each in items if usable(each, "id")]
        assert len(found.data) + len(found.without_id) == len(items)
    else:
        assert found.reason == "invalid_response"
