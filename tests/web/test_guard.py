"""What stands before every request, over real sockets with real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from exporter.cli.web import load_security, watch_security
from exporter.web.guard import STRICT_HEADERS, _Bucket
from exporter.web.paths import OPEN_PATHS
from exporter.web.security import REPEAT_SECONDS, Rate, Security, Watched
from tests.support.waiting import until
from tests.web.certificates import certificates
from tests.web.serving import running
from tests.web.test_webconfig import CASES, placed

USERS = {"alice": bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()}
RIGHT, WRONG = httpx.BasicAuth("alice", "right"), httpx.BasicAuth("alice", "wrong")


@asynccontextmanager
async def guarded(security: Security | Callable[[], Security], changes: list[str] | None = None) -> AsyncIterator[str]:
    """An application behind a guard; gives host and port."""

    async def ok(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def change(request: Request) -> PlainTextResponse:
        (changes if changes is not None else []).append(request.headers["host"])
        return PlainTextResponse("changed")

    routes = [Route(path, ok) for path in ("/", *OPEN_PATHS)] + [Route("/-/reload", change, methods=["POST"])]
    provider = security if callable(security) else lambda: security
    async with running(Starlette(routes=routes), security=provider) as (_, address):
        yield address.removeprefix("http://")


async def get(address: str, shown: trustme.LeafCert | None = None, **changes: Any) -> str:
    """What a client that trusts the test's CA gets over TLS."""
    context = certificates().trusting(shown)
    for name, value in changes.items():
        setattr(context, name, value)
    async with httpx.AsyncClient(verify=context, timeout=60) as client:
        return (await client.get(f"https://{address}/")).text


async def test_a_password_is_asked_for_everywhere_but_for_health_and_readiness() -> None:
    async with guarded(Security(users=USERS)) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for path in ("/", "/nowhere", "/-/reload", "/-/healthy/", "//-/healthy"):
            for auth in (None, WRONG):
                answer = await client.get(path, auth=auth)
                assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
                assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert (await client.get("/", auth=RIGHT)).text == "ok"
        assert [(await client.get(path)).text for path in sorted(OPEN_PATHS)] == ["ok", "ok"]


async def test_a_rate_limit_counts_all_but_health_and_readiness() -> None:
    security = Security(rate=Rate(interval=3600.0, burst=3))
    async with guarded(security) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert [(await client.get("/")).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert [(await client.get(path)).status_code for path in sorted(OPEN_PATHS)] == [200, 200]


def test_a_bucket_fills_by_its_interval_and_not_beyond_its_size() -> None:
    now = [0.0]
    bucket = _Bucket(Rate(interval=2.0, burst=2), lambda: now[0])
    taken = []
    for moment in (0.0, 0.0, 0.0, 1.9, 2.0, 3.9, 4.0, 100.0, 100.0, 100.0):
        now[0] = moment
        taken.append(bucket.take())
    assert taken == [True, True, False, False, True, False, True, True, True, False]


def test_a_bucket_without_size_gives_nothing() -> None:
    now = [0.0]
    bucket = _Bucket(Rate(interval=1.0, burst=0), lambda: now[0])
    now[0] = 1000.0
    assert not bucket.take()


async def test_every_response_has_strict_headers_unless_others_are_chosen() -> None:
    chosen = {"X-Frame-Options": "sameorigin", "Strict-Transport-Security": "max-age=1"}
    for security in (Security(), Security(headers=chosen), Security(headers=chosen, users=USERS)):
        async with guarded(security) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
            for answer in [await client.get("/"), await client.get("/nowhere"), await client.post("/")]:
                assert {**STRICT_HEADERS, **security.headers}.items() <= {
                    name: answer.headers.get(name) for name in (*STRICT_HEADERS, *security.headers)
                }.items()


@pytest.mark.parametrize(
    ("headers", "authenticated", "status"),
    [
        ({}, False, 200),  # curl, and reloaders beside Prometheus
        ({"Origin": "http://evil.example"}, False, 403),
        ({"Origin": "null"}, False, 403),
        ({"Origin": "http://["}, False, 403),
        ({"Sec-Fetch-Site": "cross-site"}, False, 403),
        ({"Sec-Fetch-Site": "same-site"}, False, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, False, 403),
        ({"Sec-Fetch-Site": "same-origin"}, False, 200),
        ({"Sec-Fetch-Site": "none"}, False, 200),
        ({"Origin": "http://{host}"}, False, 200),
        ({"Origin": "http://127.0.0.1:1"}, False, 403),
        ({"Host": "rebound.example", "Origin": "http://rebound.example", "Sec-Fetch-Site": "same-origin"}, False, 403),
        ({"Host": "127.0.0.1.evil.example", "Origin": "http://127.0.0.1.evil.example"}, False, 403),
        ({"Host": "[::1]:80", "Origin": "http://[::1]:80"}, False, 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, False, 200),
        ({"Host": "exporter.example", "Sec-Fetch-Site": "same-origin"}, True, 200),
        ({"Sec-Fetch-Site": "cross-site"}, True, 403),  # a browser sends what it has stored
    ],
    ids=str,
)
async def test_pages_of_other_sites_change_nothing(headers: dict[str, str], authenticated: bool, status: int) -> None:
    changes: list[str] = []
    security = Security(users=USERS if authenticated else {})
    auth = RIGHT if authenticated else None
    async with (
        guarded(security, changes) as address,
        httpx.AsyncClient(base_url=f"http://{address}", auth=auth) as client,
    ):
        sent = {name: value.replace("{host}", address) for name, value in headers.items()}
        answer = await client.post("/-/reload", headers=sent)
        reading = await client.get("/", headers=sent)
    assert (answer.status_code, len(changes)) == (status, 1 if status == 200 else 0)
    assert reading.status_code == 200


async def test_tls_is_spoken_and_plain_http_is_not(tmp_path: Path) -> None:
    security = load_security(placed(CASES / "no-auth.good.yml", tmp_path))
    async with guarded(security) as address:
        assert await get(address) == "ok"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"http://{address}/")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with httpx.AsyncClient() as client:
                await client.get(f"https://{address}/")
        assert await get(address) == "ok"


@pytest.mark.parametrize(
    ("case", "shown", "let_in"),
    [
        ("no-auth", None, True),
        ("request", None, True),
        ("request", "stranger", True),
        ("require-and-verify", "client", True),
        ("require-and-verify", None, False),
        ("require-and-verify", "stranger", False),
        ("require-and-verify-without-ca", "client", False),
        ("client-san", "client", True),
        ("client-san", None, False),
    ],
)
async def test_clients_are_let_in_by_their_certificates(
    case: str, shown: str | None, let_in: bool, tmp_path: Path
) -> None:
    security = load_security(placed(CASES / f"{case}.good.yml", tmp_path))
    certificate = getattr(certificates(), shown) if shown else None
    async with guarded(security) as address:
        if let_in:
            assert await get(address, certificate) == "ok"
        else:
            with pytest.raises(httpx.TransportError):
                await get(address, certificate)


@pytest.mark.parametrize("shown", ["client", "stranger", None])
async def test_a_certificate_that_is_optional_is_verified_if_given(shown: str | None, tmp_path: Path) -> None:
    file = placed(CASES / "no-auth.good.yml", tmp_path)
    file.write_text(file.read_text() + "  client_ca_file: ca.pem\n")
    async with guarded(load_security(file)) as address:
        if shown == "stranger":
            with pytest.raises(httpx.TransportError):
                await get(address, certificates().stranger)
        else:
            assert await get(address, getattr(certificates(), shown) if shown else None) == "ok"


@pytest.mark.parametrize(
    ("names", "let_in"),
    [
        ('["test3"]', True),
        ('["10.0.0.7"]', True),
        ('["fd00::1"]', True),
        ('["someone@example.org"]', True),
        ('["other"]', False),
        ('["test"]', False),
        ("[]", False),
    ],
)
async def test_only_clients_of_an_allowed_name_are_let_in(names: str, let_in: bool, tmp_path: Path) -> None:
    file = placed(CASES / "require-and-verify.good.yml", tmp_path)
    file.write_text(file.read_text() + f"  client_allowed_sans: {names}\n")
    async with guarded(load_security(file)) as address:
        if let_in:
            assert await get(address, certificates().client) == "ok"
        else:
            with pytest.raises(httpx.TransportError):
                await get(address, certificates().client)


@pytest.mark.parametrize(
    ("case", "newest", "oldest", "let_in"),
    [
        ("no-auth", "TLSv1_3", "TLSv1_3", True),
        ("no-auth", "TLSv1_2", "TLSv1_2", True),
        ("some-ciphers", "TLSv1_3", "TLSv1_3", False),
        ("some-ciphers", "TLSv1_3", "TLSv1_2", True),
        ("some-curves", "TLSv1_2", "TLSv1_2", False),
        ("some-curves", "TLSv1_3", "TLSv1_3", True),
    ],
)
async def test_only_the_versions_that_are_set_are_spoken(
    case: str, newest: str, oldest: str, let_in: bool, tmp_path: Path
) -> None:
    security = load_security(placed(CASES / f"{case}.good.yml", tmp_path))
    versions: dict[str, Any] = {"maximum_version": ssl.TLSVersion[newest], "minimum_version": ssl.TLSVersion[oldest]}
    async with guarded(security) as address:
        if let_in:
            assert await get(address, **versions) == "ok"
        else:
            with pytest.raises(httpx.TransportError):
                await get(address, **versions)


def test_ciphers_curves_and_their_order_reach_openssl(tmp_path: Path) -> None:
    def contexts(case: str) -> ssl.SSLContext:
        context = load_security(placed(CASES / f"{case}.good.yml", tmp_path)).tls
        assert context is not None
        return context

    def tls12(context: ssl.SSLContext) -> list[str]:
        return [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]

    some = contexts("some-ciphers")
    assert tls12(some) == ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
    assert some.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert not contexts("some-ciphers-no-order").options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert len(tls12(contexts("all-ciphers"))) == 10


async def test_a_changed_file_counts_for_the_next_request_and_the_next_connection(tmp_path: Path) -> None:
    file = placed(CASES / "no-auth.good.yml", tmp_path)
    watched = watch_security(file)
    assert watched is not None
    plain_text = file.read_text()
    async with guarded(watched.current) as address:
        assert await get(address) == "ok"
        file.write_text(plain_text + f"basic_auth_users: {{alice: {USERS['alice']}}}\n")
        watched.look()
        assert await get(address) == "Unauthorized\n"
        before = await asyncio.to_thread(server_certificate, address)
        certificates().write_server(tmp_path, certificates().second_server)
        watched.look()
        assert await asyncio.to_thread(server_certificate, address) != before


def server_certificate(address: str) -> str:
    host, port = address.split(":")
    return ssl.get_server_certificate((host, int(port)), timeout=60)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("", "taking away protection needs a restart"),
        ("tls_server_config: [", "not valid YAML"),
        ("basic_auth_users: {alice: plain}", "not a bcrypt hash"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_logged_once(
    change: str | None, reason: str, tmp_path: Path
) -> None:
    file = placed(CASES / "no-auth.good.yml", tmp_path)
    good = file.read_text() + f"basic_auth_users: {{alice: {USERS['alice']}}}\n"
    file.write_text(good)
    watched = watch_security(file)
    assert watched is not None
    before = watched.current()
    with capture_logs() as logged:
        if change is None:
            file.unlink()
        else:
            file.write_text(change)
        for _ in range(3):
            watched.look()
        assert watched.current() is before
        file.write_text(good + "rate_limit: {interval: 1s, burst: 9}\n")
        watched.look()
        assert watched.current().rate == Rate(1.0, 9)
    assert [line["log_level"] for line in logged] == ["error", "info"]
    assert reason in logged[0]["problems"][0]
    assert REPEAT_SECONDS >= 60


def test_a_key_that_does_not_fit_yet_is_waited_for(tmp_path: Path) -> None:
    watched = watch_security(placed(CASES / "no-auth.good.yml", tmp_path))
    assert watched is not None
    before, fresh = watched.current(), certificates().second_server
    (tmp_path / "server.crt").write_bytes(fresh.cert_chain_pems[0].bytes())
    watched.look()
    assert watched.current() is before
    fresh.private_key_pem.write_to_path(tmp_path / "server.key")
    watched.look()
    assert watched.current() is not before


def test_the_files_are_watched_in_a_thread_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.security.CHECK_SECONDS", 0.01)
    file = placed(CASES / "empty.good.yml", tmp_path)
    watched = watch_security(file)
    assert isinstance(watched, Watched)
    watched.start()
    file.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    until(lambda: bool(watched.current().headers), "the changed file")
    watched.stop()
    watched._thread.join(60)
    assert not watched._thread.is_alive()
