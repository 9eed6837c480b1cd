"""Bounds on requests, over real sockets."""

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from exporter.web.limits import Limits
from exporter.web.paths import OPEN_PATHS
from tests.support.logged import Clock, logged
from tests.web.serving import Slow, running

SECURITY = Path(__file__).parents[2] / "docs/security.md"


async def ok(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("open")


async def test_one_request_too_many_is_refused_but_health_and_readiness_answer() -> None:
    slow = Slow()
    app = Starlette(routes=[*slow.app.routes, *(Route(path, ok) for path in OPEN_PATHS)])
    limits = replace(Limits(), requests=2)
    with logged(Clock(), "info") as stream:
        async with running(app, limits) as (_, address), client_of(address) as client:
            waiting = []
            for _ in range(2):
                slow.entered.clear()
                waiting.append(asyncio.create_task(client.get("/slow")))
                await slow.entered.wait()
            refused = [await client.get("/fast") for _ in range(5)]
            assert [(answer.status_code, answer.headers["retry-after"]) for answer in refused] == [(503, "5")] * 5
            assert [(await client.get(path)).text for path in sorted(OPEN_PATHS)] == ["open", "open"]
            slow.released.set()
            assert [(await answer).text for answer in waiting] == ["late", "late"]
            assert (await client.get("/fast")).text == "early"
    (line,) = stream.getvalue().splitlines()
    assert 'msg="request refused: too many are being answered" requests=2' in line


async def test_a_client_that_leaves_makes_room_at_once() -> None:
    slow = Slow()
    async with running(slow.app, replace(Limits(), requests=1)) as (_, address), client_of(address) as client:
        async with client.stream("GET", "/fast") as answer:
            assert answer.status_code == 200
        leaving = asyncio.create_task(client.get("/slow"))
        await slow.entered.wait()
        assert (await client.get("/fast")).status_code == 503
        leaving.cancel()
        while (answer := await client.get("/fast")).status_code == 503:
            pass
        assert answer.text == "early"
        assert not slow.released.is_set()


async def test_a_request_that_fails_takes_no_place(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_request: Request) -> Response:
        raise RuntimeError("a defect")

    app = Starlette(routes=[Route("/", fail)])
    async with running(app, replace(Limits(), requests=1)) as (_, address):
        for _ in range(3):
            async with client_of(address) as client:
                assert (await client.get("/")).status_code == 500
    assert "a defect" in caplog.text


async def test_what_changes_something_goes_on_when_its_client_leaves() -> None:
    entered, released, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def change(_request: Request) -> Response:
        entered.set()
        await released.wait()
        done.set()
        return Response()

    app = Starlette(routes=[Route("/", change, methods=["POST"])])
    async with running(app) as (_, address), client_of(address) as client:
        leaving = asyncio.create_task(client.post("/"))
        await entered.wait()
        leaving.cancel()
        await client.get("/")
        released.set()
        await done.wait()


def client_of(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, timeout=60)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_response_arrives_as_it_was_sent(size: int, streamed: bool) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def answer(_request: Request) -> Response:
        if streamed:
            return StreamingResponse(iter([body[: size // 2], body[size // 2 :]]))
        return Response(body)

    async with running(Starlette(routes=[Route("/", answer)])) as (_, address), httpx.AsyncClient() as client:
        assert (await client.get(address)).content == body


def test_the_documentation_states_every_limit() -> None:
    text = SECURITY.read_text()
    limits = replace(Limits(), connections=512)
    for field in fields(limits):
        value = getattr(limits, field.name)
        row = f"| `{field.name}` | {value:,g} |" if isinstance(value, int) else f"| `{field.name}` | {value:g} |"
        assert row in text, row
