"""Each fault over real sockets: its name, the neighbour, the recovery, and nothing left behind."""

import asyncio
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.api import errors
from exporter.api.client import WorkAPI
from tests.api.harness import ENVIRONMENT, TOKEN, at_once, client
from tests.api.raw import Raw, answer
from tests.api.test_hanging import settled, sockets
from tests.faults.api import NEIGHBOUR, Faulty
from tests.faults.matrix import FAULTS, OK, REASONS, Fault
from tests.faults.page import documented
from tests.faults.places import authority, resolving, set_name

TIMEOUT = 1.0


@pytest.fixture(autouse=True)
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the names that are known, and the private CA, which is trusted."""
    monkeypatch.setattr("exporter.api.transport.socket.getaddrinfo", resolving(tmp_path))
    authority().cert_pem.write_to_path(tmp_path / "authorities.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))
    return tmp_path


async def outcome(api: WorkAPI, environment: str = ENVIRONMENT) -> str:
    """What becomes of a call."""
    (found,) = await asyncio.gather(api.list(environment, deadline=at_once()), return_exceptions=True)
    if not isinstance(found, BaseException):
        return OK
    assert isinstance(found, errors.APIError), found
    assert TOKEN not in str(found)
    assert str(found).isprintable()
    return found.reason


def listed() -> list[Fault]:
    """The faults that one answer can have."""
    return [fault for fault in FAULTS if fault.group != "list"]


@pytest.mark.parametrize("fault", listed(), ids=lambda fault: fault.id)
async def test_fault(fault: Fault, names: Path) -> None:
    before = sockets()
    tasks = len(asyncio.all_tasks())
    with capture_logs() as logs:
        async with Faulty(fault) as server:
            timeout = TIMEOUT if fault.hangs else 30.0
            async with asyncio.timeout(60), client(server.address, request_timeout=timeout) as api:
                await turn(server, names, broken=True)
                faulty = asyncio.create_task(outcome(api))
                if not fault.account_wide:
                    await settled(lambda: server.asked() == 1)
                    assert await outcome(api, NEIGHBOUR) == OK
                assert await faulty == fault.reason
                await turn(server, names, broken=False)
                asked = server.asked()
                if fault.held:
                    assert [await outcome(api), await outcome(api, NEIGHBOUR)] == [fault.reason] * 2
                    assert server.asked() == asked, "nothing is sent while the API has asked to wait"
                else:
                    assert await outcome(api) == OK
                    assert server.asked() == asked + 1, "the next request arrives, and is the only one"
                    assert await outcome(api, NEIGHBOUR) == OK
                assert api.restarts == 0
    await settled(lambda: sockets() <= before)
    await settled(lambda: len(asyncio.all_tasks()) <= tasks)
    assert len(logs) <= 1


async def turn(server: Faulty, names: Path, *, broken: bool) -> None:
    """Begin with the fault, or end it, also where it is the resolver's."""
    await server.turn(broken=broken)
    if server.unresolved is not None:
        set_name(names, server.host, server.unresolved if broken else "found")


async def test_every_status_from_300_to_529_has_its_reason() -> None:
    found: dict[int, str] = {}
    async with Raw(b"").listening() as server, client(server.base_url, requests_per_second=100_000) as api:
        for status in range(300, 530):
            server.then(answer(b"", status=f"{status} x"))
            found[status] = await outcome(api)
    wanted = {status: "server" if status >= 500 else "invalid_response" for status in found} | REASONS
    assert found == wanted


def test_the_page_is_current() -> None:
    assert Path("docs/faults.md").read_text(encoding="utf-8") == documented(), "run: make docs"


def test_a_name_is_unknown_unless_it_is_said_to_be_known(names: Path) -> None:
    """So that the other tests here can fail."""
    with pytest.raises(socket.gaierror):
        resolving(names)("known.test", 80)
    (names / "known.test").touch()
    assert resolving(names)("known.test", 80)[0][4] == ("127.0.0.1", 80)
