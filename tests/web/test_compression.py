"""Compression by Accept-Encoding, by RFC 9110."""

import gzip

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from exporter.metrics.negotiation import Coding, coding
from exporter.web.compression import Compressed


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, Coding.IDENTITY),
        ("", Coding.IDENTITY),
        ("gzip", Coding.GZIP),
        ("GZip", Coding.GZIP),
        ("x-gzip", Coding.GZIP),
        ("gzip, deflate, br, zstd", Coding.GZIP),
        ("deflate, br", Coding.IDENTITY),
        ("gzippy", Coding.IDENTITY),
        ("gzip;q=0", Coding.IDENTITY),
        ("gzip;q=0.0, *", Coding.IDENTITY),
        ("gzip;q=0.1", Coding.GZIP),
        ("gzip;q=0.5, identity", Coding.IDENTITY),
        ("gzip, identity;q=0.5", Coding.GZIP),
        ("gzip;q=0.5, identity;q=0.5", Coding.GZIP),
        ("*", Coding.GZIP),
        ("*;q=0.5", Coding.GZIP),
        ("br, *;q=0", Coding.NONE),
        ("*;q=0", Coding.NONE),
        ("identity;q=0", Coding.NONE),
        ("gzip;q=0, identity;q=0", Coding.NONE),
        ("identity, *;q=0", Coding.IDENTITY),
        ("identity;q=0.1, *;q=0", Coding.IDENTITY),
        ("gzip, *;q=0", Coding.GZIP_ONLY),
        ("gzip, identity;q=0", Coding.GZIP_ONLY),
        ("identity;q=0, *", Coding.GZIP_ONLY),
        ("gzip;q=2", Coding.GZIP),
        ("gzip;level=9", Coding.GZIP),
        (";q=1,,", Coding.IDENTITY),
    ],
)
def test_the_coding_is_the_one_that_the_client_prefers(header: str | None, chosen: Coding) -> None:
    assert coding(header) is chosen


PIECES = ["gzip", "identity", "*", ";", ",", "q=", "0", "1", ".5", "/", "text", "plain"]


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_header_is_an_error(header: str) -> None:
    assert coding(header) in Coding


@pytest.mark.parametrize(("accepted", "compressed"), [("gzip", False), ("gzip, identity;q=0", True)])
async def test_a_short_response_is_compressed_only_where_it_must_be(accepted: str, compressed: bool) -> None:
    async with client_of("short") as client, client.stream("GET", "/", headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    assert (gzip.decompress(body) if compressed else body) == b"short"


@pytest.mark.parametrize("accepted", ["gzip", "gzip;q=0", "identity", "*;q=0, gzip"])
async def test_a_long_response_is_compressed_where_that_is_accepted(accepted: str) -> None:
    async with client_of("long" * 1000) as client:
        answer = await client.get("/", headers={"Accept-Encoding": accepted})
    assert answer.text == "long" * 1000
    assert ("content-encoding" in answer.headers) is ("gzip" in accepted and "gzip;q=0" not in accepted)
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_client_that_accepts_no_coding_is_told_which_there_are() -> None:
    async with client_of("long" * 1000) as client:
        answer = await client.get("/", headers={"Accept-Encoding": "br, *;q=0"})
    assert (answer.status_code, answer.text) == (406, "Only gzip and identity are available.\n")


def client_of(text: str) -> httpx.AsyncClient:
    async def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    app = Starlette(routes=[Route("/", answer)], middleware=[Middleware(Compressed)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter")
