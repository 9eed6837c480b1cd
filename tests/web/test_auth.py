"""Basic authentication: who gets in, what that costs, and what is remembered."""

import asyncio
import base64
import gc
import threading

import bcrypt
import httpx
import pytest

from exporter.web import auth
from exporter.web.auth import Busy, Passwords

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
LONG = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
USERS = {"alice": HASH, "bob": LONG, "zoë": HASH}


def basic(user: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that are compared, in order."""
    compared: list[bytes] = []
    checkpw = bcrypt.checkpw

    def check(password: bytes, hashed_password: bytes) -> bool:
        compared.append(hashed_password)
        return checkpw(password, hashed_password)

    monkeypatch.setattr(auth.bcrypt, "checkpw", check)  # type: ignore[attr-defined]
    return compared


@pytest.mark.parametrize(
    "header",
    [basic("alice", b"right"), basic("alice", b"right").replace("Basic", "bAsIc  "), basic("zoë", b"right"),
     basic("bob", b"x" * 72), basic("bob", b"x" * 100)],
    ids=["alice", "scheme in another case", "not ASCII", "72 bytes", "more than bcrypt reads"],
)  # fmt: skip
async def test_the_right_password_lets_in(header: str) -> None:
    assert await Passwords().check(header, USERS)


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic !", "Basic " + base64.b64encode(b"alice").decode(), "Bearer x", basic("alice", b""),
     basic("alice", b"wrong"), basic("alice", b"right\0"), basic("alice", b"\xff\xfe"), basic("nobody", b"right"),
     basic("", b"right"), basic("ALICE", b"right"), basic("alice", b"right:"), basic("bob", b"x" * 71)],
    ids=repr,
)  # fmt: skip
async def test_nothing_else_does(header: str | None) -> None:
    assert not await Passwords().check(header, USERS)


async def test_an_unknown_user_costs_what_a_known_one_does(hashed: list[bytes]) -> None:
    dear = bcrypt.hashpw(b"right", bcrypt.gensalt(5)).decode()
    assert not await Passwords().check(basic("nobody", b"right"), {"alice": HASH, "dear": dear})
    assert hashed == [dear.encode()]


async def test_a_result_is_remembered_until_the_hash_changes(hashed: list[bytes]) -> None:
    passwords = Passwords()
    for _ in range(3):
        assert await passwords.check(basic("alice", b"right"), USERS)
        assert not await passwords.check(basic("alice", b"wrong"), USERS)
        assert not await passwords.check(basic("nobody", b"right"), USERS)
    assert len(hashed) == 3
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    assert not await passwords.check(basic("alice", b"right"), {"alice": other})
    assert not await passwords.check(basic("alice", b"right"), {"bob": HASH})


async def test_wrong_passwords_do_not_push_out_the_right_one(
    hashed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHED", 5)
    passwords = Passwords()
    assert await passwords.check(basic("alice", b"right"), USERS)
    for number in range(20):
        assert not await passwords.check(basic("alice", b"%d" % number), USERS)
    assert len(hashed) == 21
    assert await passwords.check(basic("alice", b"right"), USERS)
    assert len(hashed) == 21
    assert sum(len(digests) for digests in passwords._results.values()) <= 6


async def test_no_password_is_kept() -> None:
    passwords = Passwords()
    secret = b"a password of some length"
    await passwords.check(basic("alice", secret), USERS)
    kept = [entry for digests in passwords._results.values() for entry in digests]
    assert len(kept) == 1
    assert secret not in kept[0]
    gc.collect()
    assert not [value for value in gc.get_referents(passwords) if value == secret]


async def test_the_loop_goes_on_while_a_password_is_checked_and_one_is_checked_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, under_way, most = threading.Event(), [0], [0]

    def slow(_password: bytes, _hashed: bytes) -> bool:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        release.wait(60)
        under_way[0] -= 1
        return True

    monkeypatch.setattr(auth.bcrypt, "checkpw", slow)  # type: ignore[attr-defined]
    passwords = Passwords()
    checks = [asyncio.create_task(passwords.check(basic("alice", b"%d" % n), USERS)) for n in range(auth.WAITING)]
    await asyncio.sleep(0)  # the loop goes on, or this would never end
    with pytest.raises(Busy):
        await passwords.check(basic("alice", b"one too many"), USERS)
    release.set()
    assert await asyncio.gather(*checks) == [True] * auth.WAITING
    assert most == [1]


def test_httpx_and_this_test_write_the_same_header() -> None:
    request = httpx.Request("GET", "http://x", headers={})
    flow = httpx.BasicAuth("alice", "right").auth_flow(request)
    assert next(flow).headers["Authorization"] == basic("alice", b"right")
