"""The token: read when it is sent, from where it is now, and never shown."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.token import MAX_SIZE, READ_AGAIN, EnvironmentToken, FileToken, TokenError, TokenSource
from tests.api.harness import BASE_URL, ENVIRONMENT, TOKEN, at_once, client

VARIABLE = "EXPORTER_TEST_TOKEN"
Put = Callable[[str], TokenSource]


@pytest.fixture(params=["variable", "file"])
def put(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a text where a token is looked for, and gives what reads it there."""

    def into_variable(text: str) -> TokenSource:
        monkeypatch.setenv(VARIABLE, text)
        return EnvironmentToken(VARIABLE)

    def into_file(text: str) -> TokenSource:
        (tmp_path / "token").write_bytes(text.encode("utf-8", "surrogateescape"))
        return FileToken(tmp_path / "token")

    return into_variable if request.param == "variable" else into_file


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("pt-abc", "pt-abc"),
        ("pt-abc\n", "pt-abc"),
        ("\n  pt-abc \r\n", "pt-abc"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJ+/=~.x_-", "eyJhbGciOiJIUzI1NiJ9.eyJ+/=~.x_-"),
    ],
)
def test_a_token_is_read_without_the_space_around_it(put: Put, text: str, token: str) -> None:
    assert put(text).read() == token


@pytest.mark.parametrize("text", ["", " ", "\n\r\n"])
def test_a_place_without_a_token_is_named(put: Put, text: str) -> None:
    with pytest.raises(TokenError, match=r"(variable EXPORTER_TEST_TOKEN|file /.*/token) holds no token$"):
        put(text).read()


UNSENDABLE = [
    f"{TOKEN}\nX-Admin: 1",
    f"{TOKEN} {TOKEN}",
    f"{TOKEN}\x07",
    f"{TOKEN}\x7f",
    f"{TOKEN}ü",
    f"pt\u2028{TOKEN}",
]


@pytest.mark.parametrize("text", [*UNSENDABLE, f"\ufeff{TOKEN}", f"{TOKEN}\udcff"])
def test_what_cannot_stand_in_a_header_is_refused_unquoted(put: Put, text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        put(text).read()
    assert "holds something that is no token" in str(refusal.value)
    assert "must-never-be-shown" not in f"{refusal.value!r} {refusal.value.__cause__!r}"
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@given(st.text())
def test_any_text_is_a_token_that_a_header_can_hold_or_is_refused(text: str) -> None:
    class Held(dict[str, str]):
        """Environment variables that need not be the process's."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.api.token.os.environ", Held({VARIABLE: text}))
        try:
            token = EnvironmentToken(VARIABLE).read()
        except TokenError as refusal:
            shown = str(refusal)
        else:
            shown = ""
            assert token == text.strip()
            assert all(0x20 < ord(character) < 0x7F for character in token)
    assert (not text.strip()) <= shown.endswith("holds no token")


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(TokenError, match=r"^the environment variable EXPORTER_TEST_TOKEN is not set$"):
        EnvironmentToken(VARIABLE).read()


def test_a_variable_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    source = EnvironmentToken(VARIABLE)
    for token in ("pt-1", "pt-2"):
        monkeypatch.setenv(VARIABLE, token)
        assert source.read() == token


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenError) as refusal:
        FileToken(tmp_path / "none").read()
    assert str(refusal.value) == f"the file {tmp_path / 'none'} cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=r"cannot be read: Is a directory$"):
        FileToken(tmp_path).read()


class TestRotation:
    """A file that is rewritten while it is in use."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "token"
        file.write_text("pt-first")
        return file

    def test_in_place(self, file: Path) -> None:
        source = FileToken(file)
        assert source.read() == "pt-first"
        file.write_text("pt-the-second-one")
        assert source.read() == "pt-the-second-one"

    def test_in_place_with_the_same_size_and_time(self, file: Path) -> None:
        source = FileToken(file)
        assert source.read() == "pt-first"
        before = file.stat()
        file.write_text("pt-other")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        assert source.read() == "pt-other"

    def test_by_a_file_that_takes_its_place(self, file: Path) -> None:
        source = FileToken(file)
        assert source.read() == "pt-first"
        other = file.with_suffix(".new")
        other.write_text("pt-other")
        other.replace(file)
        assert source.read() == "pt-other"

    def test_by_a_link_that_points_elsewhere(self, file: Path) -> None:
        """As a Kubernetes secret volume is updated."""
        mounted = file.parent / "mounted"
        mounted.symlink_to(file)
        source = FileToken(mounted)
        assert source.read() == "pt-first"
        other = file.with_suffix(".2")
        other.write_text("pt-other")
        turning = file.with_suffix(".link")
        turning.symlink_to(other)
        turning.replace(mounted)
        assert source.read() == "pt-other"

    def test_through_a_moment_without_a_token(self, file: Path) -> None:
        source = FileToken(file)
        assert source.read() == "pt-first"
        file.unlink()
        with pytest.raises(TokenError, match="cannot be read"):
            source.read()
        file.write_text("")
        with pytest.raises(TokenError, match="holds no token"):
            source.read()
        file.write_text("pt-first")
        assert source.read() == "pt-first"


def test_no_source_shows_the_token(put: Put) -> None:
    source = put(TOKEN)
    assert source.read() == TOKEN
    assert "must-never-be-shown" not in f"{source!r} {source} {client(token=source).settings}"


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a token's file for each request."""
    monkeypatch.setattr("exporter.api.token.READ_AGAIN", 0.0)


@pytest.mark.usefixtures("no_cache")
async def test_a_call_sends_the_token_of_the_moment(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    route = respx_mock.get(f"{BASE_URL}/environments").mock(return_value=httpx.Response(200, json={"data": []}))
    file = tmp_path / "token"
    async with client(token=FileToken(file)) as api:
        for token in ("pt-1", "pt-2"):
            file.write_text(f"{token}\n")
            await api.environments(deadline=at_once())
    assert [call.request.headers["Authorization"] for call in route.calls] == ["Bearer pt-1", "Bearer pt-2"]


@pytest.mark.usefixtures("no_cache")
async def test_a_retry_sends_the_token_of_the_moment(respx_mock: respx.MockRouter, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("pt-1")
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        file.write_text("pt-2")
        return httpx.Response(503 if len(sent) == 1 else 200, json={"data": []})

    respx_mock.get(f"{BASE_URL}/environments").mock(side_effect=answer)
    async with client(token=FileToken(file)) as api:
        await api.environments(deadline=at_once() + 3600)
    assert sent == ["Bearer pt-1", "Bearer pt-2"]


async def test_without_a_token_nothing_is_sent_and_authentication_has_failed(
    respx_mock: respx.MockRouter, tmp_path: Path
) -> None:
    route = respx_mock.get(url__startswith=BASE_URL)
    async with client(token=FileToken(tmp_path / "none")) as api:
        with pytest.raises(errors.Unauthenticated) as failure:
            await api.stats(ENVIRONMENT, deadline=at_once() + 3600)
    assert str(failure.value) == f"stats: the file {tmp_path / 'none'} cannot be read: No such file or directory"
    assert (failure.value.reason, failure.value.status) == ("auth", None)
    assert not route.called
    assert api.counts.total == 0
    assert api.counts.retries == {}


async def test_a_file_is_read_once_a_second_and_again_when_its_token_is_refused(
    respx_mock: respx.MockRouter, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("pt-1")
    statuses = iter([200, 200, 401])
    route = respx_mock.get(f"{BASE_URL}/environments").mock(
        side_effect=lambda _: httpx.Response(next(statuses, 200), json={"data": []})
    )
    async with client(token=FileToken(file)) as api:
        await api.environments(deadline=at_once())
        file.write_text("pt-2")
        await api.environments(deadline=at_once())
        with pytest.raises(errors.Unauthenticated):
            await api.environments(deadline=at_once())
        await api.environments(deadline=at_once())
        api._token._known = ("pt-old", time.monotonic() - READ_AGAIN)
        await api.environments(deadline=at_once())
    sent = [call.request.headers["Authorization"].removeprefix("Bearer ") for call in route.calls]
    assert sent == ["pt-1", "pt-1", "pt-1", "pt-2", "pt-2"]


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(TokenError, match=r"cannot be read: it is not a regular file$"):
        FileToken(tmp_path / "token").read()


@pytest.mark.parametrize("size", [MAX_SIZE, MAX_SIZE + 1])
def test_a_huge_file_is_no_token(tmp_path: Path, size: int) -> None:
    (tmp_path / "token").write_text("x" * size)
    if size > MAX_SIZE:
        with pytest.raises(TokenError, match="it is too large"):
            FileToken(tmp_path / "token").read()
    else:
        assert len(FileToken(tmp_path / "token").read()) == size


def test_a_path_with_a_nul_character_is_refused() -> None:
    with pytest.raises(TokenError, match="NUL"):
        FileToken(Path("/run/\0token")).read()


async def test_a_file_system_that_does_not_answer_blocks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = threading.Event()
    calls: list[Path] = []

    def hang(self: FileToken) -> bytes:
        calls.append(self.path)
        answers.wait(60)
        return b"pt-1"

    monkeypatch.setattr(FileToken, "_content", hang)
    monkeypatch.setattr("exporter.api.token.READ_TIMEOUT", 0.05)
    async with client(token=FileToken(tmp_path / "token")) as api:
        for _ in range(3):
            with pytest.raises(errors.Unauthenticated, match="its file system does not answer within"):
                await api.stats(ENVIRONMENT, deadline=at_once())
        assert len(calls) == 1, "one thread hangs, not one per request"
        answers.set()
        monkeypatch.setattr("exporter.api.token.READ_TIMEOUT", 60)
        assert await api._token.get() == "pt-1"


async def test_a_lack_of_descriptors_is_not_called_a_bad_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    (tmp_path / "token").write_text("pt-1")
    async with client(token=FileToken(tmp_path / "token")) as api:
        monkeypatch.setattr("exporter.api.token.os.open", fail)
        with pytest.raises(errors.NetworkError, match="cannot be read: Too many open files"):
            await api.stats(ENVIRONMENT, deadline=at_once())
