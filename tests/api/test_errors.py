"""The error of an answer that is not 200: named by its status, and told in one bounded, printable line."""

import asyncio

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.client import WorkAPI
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorServer
from tests.api.harness import BASE_URL, ENVIRONMENT, TOKEN, GivenToken, at_once, client, conversing, envelope

STATS = f"{BASE_URL}/environments/{ENVIRONMENT}/work/stats"
REQUEST_ID = envelope()["request_id"]
LONGEST = 3 * errors.MAX_QUOTE + 100
"""Type, message and request ID of a stranger, and our own words about them."""


async def failure_of(router: respx.MockRouter, answer: httpx.Response) -> errors.APIError:
    """What becomes of a call that is answered like this."""
    router.get(STATS).mock(return_value=answer)
    async with client() as api:
        return await failed(api)


async def failed(api: WorkAPI, environment_id: str = ENVIRONMENT) -> errors.APIError:
    with pytest.raises(errors.APIError) as failure:
        await api.stats(environment_id, deadline=at_once())
    return failure.value


@pytest.mark.parametrize(
    ("status", "error", "reason", "passing"),
    [
        (201, errors.InvalidResponse, "invalid_response", False),
        (204, errors.InvalidResponse, "invalid_response", False),
        (206, errors.InvalidResponse, "invalid_response", False),
        (302, errors.InvalidResponse, "invalid_response", False),
        (304, errors.InvalidResponse, "invalid_response", False),
        (400, errors.BadRequest, "not_self_hosted", False),
        (401, errors.Unauthenticated, "auth", False),
        (403, errors.Forbidden, "permission", False),
        (404, errors.NotFound, "not_found", False),
        (408, errors.TimedOut, "timeout", True),
        (409, errors.InvalidResponse, "invalid_response", False),
        (418, errors.InvalidResponse, "invalid_response", False),
        (429, errors.RateLimited, "rate_limited", True),
        (500, errors.ServerError, "server", True),
        (501, errors.ServerError, "server", True),
        (502, errors.ServerError, "server", True),
        (503, errors.ServerError, "server", True),
        (504, errors.ServerError, "server", True),
        (529, errors.ServerError, "server", True),
        (599, errors.ServerError, "server", True),
    ],
)
async def test_the_status_names_the_error(
    respx_mock: respx.MockRouter, status: int, error: type[errors.APIError], reason: str, passing: bool
) -> None:
    failure = await failure_of(respx_mock, httpx.Response(status))
    assert type(failure) is error
    assert (failure.reason, failure.passing, failure.status) == (reason, passing, status)
    assert failure.endpoint == "stats"
    assert str(failure) == f"stats: HTTP {status}"


async def test_the_status_wins_over_what_the_body_says(respx_mock: respx.MockRouter) -> None:
    failure = await failure_of(respx_mock, httpx.Response(404, json=envelope("authentication_error", "401")))
    assert type(failure) is errors.NotFound


def test_every_reason_is_listed_once() -> None:
    reasons = [error.reason for error in errors.APIError.__subclasses__()]
    assert sorted(errors.REASONS) == sorted(reasons)
    assert len(set(reasons)) == len(reasons) == 9


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (envelope("api_error", "It broke."), f": api_error: It broke. (request {REQUEST_ID})"),
        (envelope("api_error", "It broke.", request_id=None), ": api_error: It broke."),
        ({"error": {"type": "api_error", "message": "It broke.", "param": "limit"}}, ": api_error: It broke."),
        ({"error": {"message": "It broke."}}, ": It broke."),
        ({"error": {"type": "api_error"}}, ": api_error"),
        ({"error": {"type": None, "message": ""}}, ""),
        ({"error": None, "request_id": "r-1"}, " (request r-1)"),
        ({"error": "It broke."}, ""),
        ({"error": {"type": "api_error", "message": {"en": "It broke."}}}, ""),
        ([], ""),
        ("It broke.", ""),
    ],
)
async def test_the_envelope_is_quoted_as_far_as_it_is_one(
    respx_mock: respx.MockRouter, body: object, words: str
) -> None:
    failure = await failure_of(respx_mock, httpx.Response(503, json=body))
    assert str(failure) == f"stats: HTTP 503{words}"


@pytest.mark.parametrize(
    ("body", "headers", "request_id"),
    [
        (envelope("api_error", "It broke."), {"x-request-id": "r-2"}, REQUEST_ID),
        (envelope("api_error", "It broke.", request_id=None), {"x-request-id": "r-2"}, "r-2"),
        ({}, {"request-id": "r-3"}, "r-3"),
        ({}, {}, None),
    ],
)
async def test_the_request_id_is_kept_from_the_body_or_a_header(
    respx_mock: respx.MockRouter, body: object, headers: dict[str, str], request_id: str | None
) -> None:
    failure = await failure_of(respx_mock, httpx.Response(503, json=body, headers=headers))
    assert failure.request_id == request_id


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>Bad Gateway</body></html>", b'{"error": {"mess', b"\xff\xfe", b'{"x":' + b"[" * 100_000]
)
async def test_a_body_that_is_no_envelope_says_nothing(respx_mock: respx.MockRouter, body: bytes) -> None:
    failure = await failure_of(respx_mock, httpx.Response(502, content=body))
    assert type(failure) is errors.ServerError
    assert str(failure) == "stats: HTTP 502"


async def test_a_strangers_text_is_one_bounded_printable_line(respx_mock: respx.MockRouter) -> None:
    words = "line one\nline\ttwo\r\n\x1b[31mred\x00\u202eback " + "x" * 10_000
    body = envelope(words, words, request_id=words)
    text = str(await failure_of(respx_mock, httpx.Response(500, json=body)))
    assert text.isprintable()
    assert "line one line two �[31mred��back" in text
    assert len(text) < LONGEST
    assert "…" in text


@given(st.text() | st.text(min_size=errors.MAX_QUOTE - 2))
def test_any_text_of_a_stranger_stays_one_bounded_printable_line(text: str) -> None:
    quoted = errors.quote(text)
    assert len(quoted) <= errors.MAX_QUOTE == 200
    assert quoted.isprintable()


@pytest.mark.parametrize(("length", "quoted"), [(199, "x" * 199), (200, "x" * 200), (201, "x" * 199 + "…")])
def test_a_text_is_cut_only_where_it_is_too_long(length: int, quoted: str) -> None:
    assert errors.quote("x" * length) == quoted


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_refusal_that_repeats_the_token_does_not_spread_it(respx_mock: respx.MockRouter, status: int) -> None:
    words = f"Bearer {TOKEN} is not known; {'x' * 170} {TOKEN}"
    text = str(await failure_of(respx_mock, httpx.Response(status, json=envelope(words, words, request_id=words))))
    assert text.count("Bearer [token] is not known") == 3
    assert "pt-" not in text


async def test_a_content_type_that_repeats_the_token_does_not_spread_it(respx_mock: respx.MockRouter) -> None:
    headers = {"Content-Type": f"text/{TOKEN}"}
    text = str(await failure_of(respx_mock, httpx.Response(200, content=TOKEN.encode(), headers=headers)))
    assert "(text/[token])" in text
    assert "pt-" not in text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_token_stays_here(status: int) -> None:
    visits: list[str] = []

    async def elsewhere(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append("elsewhere")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with conversing(elsewhere) as other:

        async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visits.append("here")
            writer.write(f"HTTP/1.1 {status} Elsewhere\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()

        async with conversing(redirect) as base_url, client(base_url) as api:
            failure = await failed(api)
    assert visits == ["here"]
    assert failure.reason == "invalid_response"
    assert str(failure) == (f"stats: HTTP {status} (redirects are not followed: they would carry the token elsewhere)")


async def test_a_closed_port_is_the_networks_fault() -> None:
    async with conversing(lambda *_: asyncio.sleep(0)) as base_url:
        pass
    async with client(base_url) as api:
        failure = await failed(api)
    assert type(failure) is errors.NetworkError
    assert (failure.reason, failure.status) == ("network", None)
    assert str(failure) == "stats: cannot connect: Connection refused"


async def test_the_real_refusals_have_their_names() -> None:
    simulation = Simulation(tokens=[DEFAULT_TOKEN])
    simulation.tokens.forbid("pt-without-rights")
    cloud = simulation.create_environment("cloud", kind="cloud")
    forbidden = simulation.create_environment("theirs", forbidden=True)
    own = simulation.create_environment("own")
    cases = {
        (DEFAULT_TOKEN, "env_none"): "not_found",
        (DEFAULT_TOKEN, cloud): "not_self_hosted",
        (DEFAULT_TOKEN, forbidden): "permission",
        ("pt-unknown", own): "auth",
        ("pt-without-rights", own): "permission",
    }
    async with SimulatorServer(simulation) as server:
        for (token, environment_id), reason in cases.items():
            async with client(server.base_url, token=GivenToken(token)) as api:
                failure = await failed(api, environment_id)
            assert failure.reason == reason
            assert token not in str(failure)
            assert "(request " in str(failure)
