"""The error of an answer that is not 200: named by its status, and told in one bounded, printable line."""

import asyncio
import json
import time

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from exporter.api import errors, words
from exporter.api.client import WorkAPI
from exporter.mixin import palette
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorServer
from tests.api.harness import BASE_URL, ENVIRONMENT, TOKEN, GivenToken, at_once, client, conversing, envelope

STATS = f"{BASE_URL}/environments/{ENVIRONMENT}/work/stats"
REQUEST_ID = envelope()["request_id"]


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
    ("status", "error", "reason", "transient"),
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
    respx_mock: respx.MockRouter, status: int, error: type[errors.APIError], reason: str, transient: bool
) -> None:
    failure = await failure_of(respx_mock, httpx.Response(status))
    assert type(failure) is error
    assert (failure.reason, failure.transient, failure.status) == (reason, transient, status)
    assert failure.endpoint == "stats"
    assert str(failure) == f"stats: HTTP {status}"


@pytest.mark.parametrize(
    ("base_url", "hint"),
    [("http://api.test/api/v1/cloud", ""), ("http://api.test", " (base_url does not end in /api/v1/cloud)")],
)
async def test_a_404_hints_at_an_incomplete_base_url(respx_mock: respx.MockRouter, base_url: str, hint: str) -> None:
    respx_mock.get(f"{base_url}/environments/{ENVIRONMENT}/work/stats").mock(return_value=httpx.Response(404))
    async with client(base_url) as api:
        assert str(await failed(api)) == f"stats: HTTP 404{hint}"


async def test_the_status_wins_over_what_the_body_says(respx_mock: respx.MockRouter) -> None:
    failure = await failure_of(respx_mock, httpx.Response(404, json=envelope("authentication_error", "401")))
    assert type(failure) is errors.NotFound


def test_no_two_classes_have_one_reason() -> None:
    assert len(set(errors.REASONS)) == len(errors.REASONS) > 0


@pytest.mark.parametrize(
    ("body", "said"),
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
    respx_mock: respx.MockRouter, body: object, said: str
) -> None:
    failure = await failure_of(respx_mock, httpx.Response(503, json=body))
    assert str(failure) == f"stats: HTTP 503{said}"


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


async def test_untrusted_text_is_one_bounded_printable_line(respx_mock: respx.MockRouter) -> None:
    message = "line one\nline\ttwo\r\n\x1b[31mred\x00\u202eback\x85\u2028 " + "x" * 10_000
    body = envelope(message, message, request_id=message)
    failure = await failure_of(respx_mock, httpx.Response(500, content=json.dumps(body).encode()))
    assert str(failure) == "stats: HTTP 500: […]: line one line two […] […]"
    assert failure.request_id is None


@given(st.text() | st.text(min_size=words.MAX_QUOTE - 2))
def test_any_untrusted_text_stays_one_bounded_printable_line(text: str) -> None:
    for quoted in (words.quote(text), words.prose(text), words.error_type(text), words.media_type(text)):
        assert len(quoted) <= words.MAX_QUOTE == 200
        assert quoted.isprintable()
        assert len(quoted.splitlines()) <= 1


@pytest.mark.parametrize(("length", "quoted"), [(199, "x" * 199), (200, "x" * 200), (201, "x" * 199 + "…")])
def test_a_text_is_cut_only_where_it_is_too_long(length: int, quoted: str) -> None:
    assert words.quote("x" * length) == quoted


@pytest.mark.parametrize(
    "character", [chr(c) for c in (*range(32), *range(127, 160))] + list("\u2028\u2029\u202e\u2066")
)
def test_no_control_or_separator_or_bidirectional_character_passes(character: str) -> None:
    assert words.quote(f"a{character}b") in ("a b", "a�b")


@pytest.mark.parametrize("text", ["x " * 50_000_000, "x" * 100_000_000], ids=["words", "one"])
def test_a_text_of_megabytes_is_cut_before_it_is_split(text: str) -> None:
    began = time.process_time()
    words.quote(text)
    words.prose(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "message",
    [
        "Environment is not self_hosted.",
        "Invalid API key or token.",
        'Unknown field "limit": not a positive integer, got 0.',
        f"Environment {ENVIRONMENT} not found",
        "环境不存在。",
    ],
)
def test_plain_language_is_repeated(message: str) -> None:
    assert words.prose(message) == message


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "pt-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJ+/=~.x_-",
        "c2VjcmV0LW1hcmtlcg==",
        "SECRETMARKER",
        "s3cr3t",
        "aB",
        "0" * 7,
        "secret:value-1",
        "SECRET_MARKER_1",
        "x" * 60,
    ],
)
@pytest.mark.parametrize("around", ["{}", "Bearer {} is not known", "({}),", 'key="{}"', "a,{},b", "\n{}\r"])
def test_what_may_be_a_secret_is_masked(secret: str, around: str) -> None:
    shown = words.prose(around.format(secret))
    assert secret not in shown
    assert "[…]" in shown


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_refusal_that_repeats_the_token_does_not_spread_it(respx_mock: respx.MockRouter, status: int) -> None:
    message = f"Bearer {TOKEN} is not known; {'x' * 170} {TOKEN}"
    body = envelope(message, message, request_id=TOKEN)
    failure = await failure_of(respx_mock, httpx.Response(status, json=body, headers={"x-request-id": f"a{TOKEN}"}))
    assert str(failure) == f"stats: HTTP {status}: […]: Bearer […] is not known; […] […]"
    assert failure.request_id is None


async def test_a_content_type_that_repeats_the_token_does_not_spread_it(respx_mock: respx.MockRouter) -> None:
    headers = {"Content-Type": f"text/{TOKEN}"}
    text = str(await failure_of(respx_mock, httpx.Response(200, content=TOKEN.encode(), headers=headers)))
    assert "(an odd content type)" in text
    assert "pt-" not in text


def test_every_reason_has_a_colour() -> None:
    coloured = {reason for reasons in palette.REASONS for reason in reasons.split("|")}
    assert coloured == {*errors.REASONS, "internal"}


def test_every_class_says_its_reason_and_whether_it_is_retried() -> None:
    for error in errors.APIError.__subclasses__():
        assert {"reason", "transient"} <= vars(error).keys(), error
        assert (error.reason in errors.RETRIED) is error.transient
    assert errors.REFUSALS == ("permission", "not_found", "not_self_hosted")
    assert errors.RETRIED == ("rate_limited", "timeout", "network", "server")


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
    assert str(failure) == f"stats: cannot connect: Connection refused ({httpx.URL(base_url).netloc.decode()})"


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
