"""What travels: answers within bounds, on connections that said nothing but their answer."""

import asyncio
import gc
import gzip
import resource
import ssl
import tracemalloc
import zlib

import pytest
import trustme

from exporter.api import errors
from exporter.api.client import WorkAPI
from exporter.api.transport import MAX_BODY
from tests.api.harness import ENVIRONMENT, TOKEN, at_once, client
from tests.api.raw import BODY, Raw, Talk, answer
from tests.api.test_hanging import settled

GZIP = "Content-Encoding: gzip"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SECOND = answer(b'{"depth":666}')


async def depth(api: WorkAPI) -> int | None:
    return (await api.stats(ENVIRONMENT, deadline=at_once())).value.depth


async def failure(api: WorkAPI) -> errors.APIError:
    with pytest.raises(errors.APIError) as found:
        await depth(api)
    return found.value


def megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def endless_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED.encode())
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X: " + b"x" * 1000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def endless_gzip(writer: asyncio.StreamWriter) -> None:
    compressor = zlib.compressobj(wbits=31)
    writer.write(f"HTTP/1.1 200 OK\r\n{GZIP}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    while not writer.is_closing():
        chunk = compressor.compress(b" " * 1_000_000) + compressor.flush(zlib.Z_SYNC_FLUSH)
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await writer.drain()
        await asyncio.sleep(0)  # draining does not wait while there is room


BOMB = gzip.compress(b" " * 200_000_000)

REFUSED: dict[str, tuple[Talk, str, str]] = {
    "a large body": (answer(b"[" + b" " * MAX_BODY), "invalid_response", "it is larger than 8192 KiB"),
    "endless chunks": (endless_chunks, "invalid_response", "it is larger than 8192 KiB"),
    "a gzip bomb": (answer(BOMB, GZIP), "invalid_response", "it is larger than 8192 KiB"),
    "endless gzip": (endless_gzip, "invalid_response", "it is larger than 8192 KiB"),
    "nested gzip": (answer(gzip.compress(BOMB), "Content-Encoding: gzip, gzip"), "invalid_response", "or is nested"),
    "nested gzip in two headers": (answer(gzip.compress(BOMB), GZIP, GZIP), "invalid_response", "or is nested"),
    "an encoding not asked for": (answer(BODY, "Content-Encoding: br"), "invalid_response", "was not asked for"),
    "broken gzip": (answer(gzip.compress(BODY)[:-9] + b"x" * 9, GZIP), "network", "its compressed body"),
    "gzip cut short": (answer(gzip.compress(BODY)[:-9], GZIP), "network", "ends too early"),
    "gzip and more": (answer(gzip.compress(BODY) + BODY, GZIP), "network", "goes on after its end"),
    "endless headers": (endless_headers, "network", "its head is too large"),
    "a large header": (answer(BODY, "X: " + "x" * 100_000), "network", "its head is too large"),
    "many headers": (answer(BODY, *(f"X-{n}: x" for n in range(1000))), "network", "its head is too large"),
    "a large reason": (answer(status="200 " + "x" * 100_000), "network", "its head is too large"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_too_much_is_refused_without_being_kept(name: str) -> None:
    talk, reason, words = REFUSED[name]
    async with Raw(talk).listening() as server, client(server.base_url, request_timeout=30) as api:
        before = megabytes()
        failed = await failure(api)
        assert (failed.reason, words in str(failed)) == (reason, True), str(failed)
        assert megabytes() - before < 80
        server.then(answer())
        assert await depth(api) == 3
        assert server.connections <= 2


UNUSABLE: dict[str, Talk] = {
    "endless chunks": endless_chunks,
    "a gzip bomb": answer(BOMB, GZIP),
    "cut off": answer(b" " * (MAX_BODY - 1), length=MAX_BODY),
    "not JSON": answer(b" " * MAX_BODY),
    "of another shape": answer(b'{"depth":"' + b"x" * (MAX_BODY - 20) + b'"}'),
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_an_answer_that_cannot_be_used_is_freed_without_the_garbage_collector(name: str) -> None:
    """Frames of the error that it ends in must not hold it: they are part of a cycle, megabytes for each failure."""
    talk = UNUSABLE[name]
    async with Raw(talk).listening() as server, client(server.base_url, request_timeout=0.5) as api:
        await failure(api)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(3):
                await failure(api)
            # What comes after the error has been seen to is the connection's end.
            await settled(lambda: tracemalloc.get_traced_memory()[0] < MAX_BODY // 4)
        finally:
            tracemalloc.stop()
            gc.enable()


@pytest.mark.parametrize(
    "talk",
    [
        answer(b"x" * 20_000_000, status="500 No"),
        answer(BOMB, GZIP, status="500 No"),
        answer(gzip.compress(BOMB), "Content-Encoding: gzip, gzip", status="500 No"),
        answer(b"not gzip", GZIP, status="500 No"),
    ],
    ids=["large", "bomb", "nested", "broken"],
)
async def test_the_body_of_an_error_is_cut_and_the_status_counts(talk: bytes) -> None:
    async with Raw(talk).listening() as server, client(server.base_url, request_timeout=30) as api:
        before = megabytes()
        assert str(await failure(api)) == "stats: HTTP 500"
        assert megabytes() - before < 80
        assert api.counts.received_bytes <= 64 * 1024
        server.then(answer())
        assert await depth(api) == 3


@pytest.mark.parametrize(
    "body",
    [answer(gzip.compress(BODY), GZIP), answer(BODY, "Content-Encoding: identity")],
    ids=["gzip", "identity"],  # gzip writes the time into what it compresses, and IDs must be the same everywhere
)
async def test_a_compressed_answer_is_read(body: bytes) -> None:
    async with Raw(body).listening() as server, client(server.base_url) as api:
        assert await depth(api) == 3
        assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with Raw(answer()).listening() as server, client(server.base_url) as api:
        for _ in range(5):
            assert await depth(api) == 3
        assert server.connections == 1


async def test_a_request_says_each_thing_once() -> None:
    async with Raw(answer()).listening() as server, client(server.base_url) as api:
        await depth(api)
        line, *headers = server.heads[0].splitlines()[:-1]
        names = sorted(header.split(":")[0].lower() for header in headers)
        assert line == f"GET /api/v1/cloud/environments/{ENVIRONMENT}/work/stats HTTP/1.1"
        assert names == ["accept", "accept-encoding", "authorization", "connection", "host", "user-agent"]


async def test_a_cookie_goes_back_with_the_next_request() -> None:
    talk = answer(BODY, "Set-Cookie: affinity=node-7; Path=/")
    async with Raw(talk).listening() as server, client(server.base_url) as api:
        await depth(api)
        await depth(api)
        assert "cookie:" not in server.heads[0].lower()
        assert "cookie: affinity=node-7\r\n" in server.heads[1].lower()


async def test_a_redirect_that_leads_nowhere_is_a_status_like_any_other() -> None:
    talk = answer(b"", "Location: http://[", status="302 Found")
    async with Raw(talk).listening() as server, client(server.base_url) as api:
        assert "HTTP 302 (redirects are not followed" in str(await failure(api))


SURPLUS: dict[str, bytes] = {
    "a byte": b"x",
    "a line": b"\r\n",
    "a second answer": SECOND,
    "half of a second answer": SECOND[:20],
    "a head": b"HTTP/1.1 200 OK\r\n",
    "a longer body": b"more of the body",
}


@pytest.mark.parametrize("late", [False, True], ids=["with the answer", "after the answer"])
@pytest.mark.parametrize("name", SURPLUS)
async def test_a_connection_that_said_more_than_its_answer_is_not_used_again(name: str, late: bool) -> None:
    async def talk(writer: asyncio.StreamWriter) -> None:
        if not late:
            writer.write(answer() + SURPLUS[name])
        else:
            writer.write(answer())
            await writer.drain()
            await said.wait()
            writer.write(SURPLUS[name])
        await writer.drain()
        done.set()

    said, done = asyncio.Event(), asyncio.Event()
    async with Raw(talk, answer()).listening() as server, client(server.base_url) as api:
        if not late and name in ("a byte", "a longer body"):
            # What comes in one piece with something that is no HTTP is no HTTP.
            assert (await failure(api)).reason == "network"
        else:
            assert await depth(api) == 3
        said.set()
        await done.wait()
        for _ in range(3):
            assert await depth(api) == 3
        assert server.connections == 2
        assert len(server.heads) == 4, "no request was sent in vain"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_body_where_none_may_be_is_surplus(status: str) -> None:
    async with Raw(answer(SECOND, status=status), answer()).listening() as server, client(server.base_url) as api:
        assert str(await failure(api)) == f"stats: HTTP {status[:3]}"
        assert await depth(api) == 3


async def test_nothing_is_sent_again_behind_the_accounts_back() -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with Raw(answer(), hang_up).listening() as server, client(server.base_url) as api:
        assert await depth(api) == 3
        assert (await failure(api)).reason == "network"
        assert len(server.heads) == 2
        assert api.counts.total == 2


async def test_a_broken_head_is_not_quoted() -> None:
    async with Raw(f"HTTP/1.1 {TOKEN} {TOKEN}\r\n\r\n".encode()).listening() as server, client(server.base_url) as api:
        failed = await failure(api)
    assert str(failed) == f"stats: the answer is not valid HTTP, or its head is too large ({server.authority})"
    assert TOKEN not in repr(failed.__cause__)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestTLS:
    def context(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    async def test_a_private_authority_is_named_in_a_variable(
        self, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with authority.cert_pem.tempfile() as file:
            monkeypatch.setenv("SSL_CERT_FILE", file)
            async with Raw(answer(), tls=self.context(authority)).listening() as server, client(server.base_url) as api:
                assert await depth(api) == 3
                assert await depth(api) == 3
                assert server.connections == 1

    async def test_an_unknown_authority_is_the_networks_fault(self, authority: trustme.CA) -> None:
        async with Raw(answer(), tls=self.context(authority)).listening() as server, client(server.base_url) as api:
            failed = await failure(api)
        assert failed.reason == "network"
        assert str(failed).startswith("stats: the server's certificate is not accepted: ")
        assert server.heads == []

    async def test_a_server_without_tls_is_the_networks_fault(self) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(answer(status="400 Bad Request"))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, client(f"https://127.0.0.1:{port}/api") as api:
            failed = await failure(api)
        assert failed.reason == "network"
        assert str(failed).startswith("stats: no TLS connection")
