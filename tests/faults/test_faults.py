"""Each fault over real sockets: its name, the neighbour, the recovery, and nothing left behind."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from exporter.api import errors
from exporter.api.client import WorkAPI
from tests.api.harness import ENVIRONMENT, TOKEN, at_once, client
from tests.api.raw import Raw, Talk
from tests.api.test_hanging import settled, sockets
from tests.faults.matrix import FAULTS, GOOD, OK, Fault, body, documented

TIMEOUT = 1.0
NEIGHBOUR = "env_neighbour"


class Faulty(Raw):
    """A server with a fault in one environment, until it is told to be well."""

    def choose(self, head: str) -> Talk:
        return body({"data": []}) if NEIGHBOUR in head else super().choose(head)

    def asked(self) -> int:
        """Requests for the environment with the fault that have arrived."""
        return sum(ENVIRONMENT in head for head in self.heads)


async def outcome(api: WorkAPI) -> str:
    """What becomes of a call."""
    (found,) = await asyncio.gather(api.list(ENVIRONMENT, deadline=at_once()), return_exceptions=True)
    if not isinstance(found, BaseException):
        return OK
    assert isinstance(found, errors.APIError), found
    assert TOKEN not in str(found)
    assert str(found).isprintable()
    return found.reason


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.group}: {fault.name}")
async def test_fault(fault: Fault) -> None:
    before = sockets()
    tasks = len(asyncio.all_tasks())
    with capture_logs() as logs:
        async with Faulty(fault.talk).listening() as server:
            timeout = TIMEOUT if fault.hangs else 30.0
            async with asyncio.timeout(60), client(server.base_url, request_timeout=timeout) as api:
                faulty = asyncio.create_task(outcome(api))
                await settled(lambda: server.asked() == 1)
                assert (await api.list(NEIGHBOUR, deadline=at_once())).value.data == []
                assert await faulty == fault.reason
                server.then(GOOD)
                asked = server.asked()
                assert await outcome(api) == OK
                assert server.asked() == asked + 1, "the next request arrives, and is the only one"
                assert (await api.list(NEIGHBOUR, deadline=at_once())).value.data == []
                assert api.restarts == 0
    await settled(lambda: sockets() <= before)
    await settled(lambda: len(asyncio.all_tasks()) <= tasks)
    assert len(logs) <= 1


@pytest.mark.parametrize("name", ["a refused connection", "a name that is not resolved"])
async def test_an_api_that_cannot_be_reached(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    answers: list[object] = [unknown] if "name" in name else [found]

    def resolve(*_: object, **__: object) -> object:
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr("exporter.api.transport.socket.getaddrinfo", resolve)
    async with client(f"http://api.test:{port}/api") as api:
        assert await outcome(api) == "network"
        answers[0] = found
        async with Raw(GOOD, port=port).listening() as server:
            assert await outcome(api) == OK
            assert len(server.heads) == 1


async def test_a_tls_handshake_that_hangs() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client(f"https://127.0.0.1:{port}/api", request_timeout=TIMEOUT) as api:
        assert await outcome(api) == "timeout"


async def test_a_certificate_of_nobody_that_is_trusted() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with Raw(GOOD, tls=context).listening() as server, client(server.base_url) as api:
        assert await outcome(api) == "network"
        assert server.heads == []


def test_the_page_is_current() -> None:
    assert Path("docs/faults.md").read_text(encoding="utf-8") == documented(), "run: make docs"
