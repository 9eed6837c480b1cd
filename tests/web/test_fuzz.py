"""Bytes that nobody expects, sent to the real server with all of its routes: it logs no error and goes on answering."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.web.app import Unchanging, create_app
from exporter.web.limits import Limits
from exporter.web.listen import Address, listen, url
from exporter.web.security import Security
from exporter.web.server import Server
from tests.support.randomness import FACTOR
from tests.support.waiting import PATIENCE
from tests.web.fakes import FakeFleet, environment, fleet, snapshot
from tests.web.test_app import SETTINGS
from tests.web.test_auth import USERS

LIMITS = replace(
    Limits(), header_seconds=0.2, body_seconds=0.2, answer_seconds=5.0, idle_seconds=0.2, linger_seconds=0.1
)

PATHS = st.sampled_from(
    ["/", "/metrics", "/probe?target=gpu-workers", "/probe", "/sd", "/api/v1/environments", "/-/reload", "/-/healthy",
     "/environments/x", "/metrics?name[]=a", "/?sort=x", "*", "//", "http://x/metrics", "/%00", "/%ff", "/..%2f"]
)  # fmt: skip
METHODS = st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "CONNECT", "get", "FOO"])
NAMES = st.sampled_from(
    ["Host", "Accept", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade",
     "Authorization", "Origin", "Sec-Fetch-Site", "X-Prometheus-Scrape-Timeout-Seconds", "Range", "X"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["x", "", "0", "-1", "1", "5", "99999999999999999999", "chunked", "gzip", "close", "upgrade", "websocket",
     "100-continue", "*/*;q=0", "application/openmetrics-text;version=1e9", "Basic YWxpY2U6", "Basic ====", "nan",
     "bytes=0-", "http://[", "null", "é", "\x01", "a" * 20_000]
) | st.text(max_size=20)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"\x00" * 100, b"a" * 50_000]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request, perhaps with a piece cut out or put in."""
    version = draw(st.sampled_from([" HTTP/1.1", " HTTP/1.0", "", " HTTP/2.0", " HTTP/1.1 x"]))
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    lines = [f"{draw(METHODS)} {draw(PATHS)}{version}", *(f"{name}: {value}" for name, value in headers)]
    request = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + draw(BODIES)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(request)))
        request = request[:at] + draw(st.binary(max_size=20)) + request[at + draw(st.integers(0, 20)) :]
    return request


@contextmanager
def server_thread(security: Security) -> Iterator[tuple[str, Server]]:
    """The server in a thread of its own: its address, and itself."""
    sock = listen(Address("127.0.0.1", 0))
    address = url(sock)
    shown = FakeFleet(fleet(environment(snapshot=snapshot(1_800_000_000.0, queued=3, active=2))))
    server = Server(create_app(Unchanging(shown, SETTINGS)), [sock], limits=LIMITS, security=lambda: security)
    thread = threading.Thread(target=lambda: asyncio.run(server.run_until_stopped()))
    thread.start()
    try:
        yield address, server
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def send(address: str, pieces: list[bytes], *, half_close: bool) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass
        except OSError:
            assert pieces  # the server may end the connection at any time


@pytest.mark.parametrize("users", [False, True], ids=["open", "password"])
def test_no_bytes_make_an_error_or_stop_it(users: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with server_thread(Security(users=USERS if users else {})) as (address, server):

        @settings(max_examples=150 * FACTOR)
        @given(st.lists(requests() | st.binary(max_size=200), min_size=1, max_size=3), st.booleans())
        def fuzz(pieces: list[bytes], half_close: bool) -> None:
            send(address, pieces, half_close=half_close)

        fuzz()
        assert httpx.get(f"{address}/-/healthy", timeout=PATIENCE).text == "Healthy.\n"
        auth = ("alice", "right") if users else None
        assert "qoder_work_items" in httpx.get(f"{address}/metrics", timeout=PATIENCE, auth=auth).text
    assert [record.getMessage() for record in caplog.get_records("call")] == []
    assert server.server_state.connections == set()
    assert server.server_state.tasks == set()
