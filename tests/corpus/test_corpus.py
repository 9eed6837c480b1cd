"""Nothing but named errors comes out, whatever goes in: the kept inputs as they are, and changed at random."""

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api.errors import InvalidResponse
from exporter.api.types import EnvironmentPage, QueueStats, WorkItem, WorkPage
from exporter.cli import main
from exporter.config import Config, ConfigError, load
from exporter.config.web import load_web
from exporter.tracking.checkpoint import Checkpoint, _decode
from exporter.tracking.record import restore_ledger
from exporter.web.security import Security
from tests.api.harness import TOKEN, read
from tests.corpus.kept import FOLDER, SURFACES, changed, every, kept
from tests.support.randomness import FACTOR
from tests.support.waiting import PATIENCE
from tests.web.test_auth import USERS
from tests.web.test_fuzz import send, server_thread

SHAPES: tuple[type[Any], ...] = (WorkItem, WorkPage, QueueStats, EnvironmentPage)


def loaded(file: Path, content: bytes) -> None:
    """Load a configuration, or learn on one line each what is wrong with it."""
    file.write_bytes(content)
    found: Config | ConfigError
    try:
        found = load(file, {"QODER_PAT": TOKEN})
    except ConfigError as error:
        found = error
    if isinstance(found, ConfigError):
        assert found.problems
        for problem in map(str, found.problems):
            assert problem.startswith(str(file))
            assert len(problem.splitlines()) == 1
            assert TOKEN not in problem


@every("configuration")
def test_a_kept_configuration_is_loaded_or_refused_by_name(content: bytes, tmp_path: Path) -> None:
    loaded(tmp_path / "config.yaml", content)


@settings(max_examples=200 * FACTOR)
@given(changed("configuration"))
def test_a_changed_configuration_is_loaded_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    loaded(tmp_path_factory.getbasetemp() / "changed.yaml", content)


@every("configuration")
def test_a_kept_web_configuration_is_loaded_or_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_bytes(content)
    problems: list[str] = []
    try:
        load_web(tmp_path / "web.yml")
    except ConfigError as error:
        problems += map(str, error.problems)
    assert all(line.startswith(str(tmp_path / "web.yml")) and len(line.splitlines()) == 1 for line in problems)


@pytest.mark.parametrize("option", ["--thresholds", "--environment-thresholds"])
@every("configuration")
def test_kept_thresholds_are_taken_or_refused_on_one_line(content: bytes, option: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    output = str(tmp_path / "mixin")
    done = CliRunner().invoke(main, ["mixin", "--output", output, option, str(tmp_path / "file")])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    if done.exit_code:
        assert done.stderr.startswith(str(tmp_path / "file"))
        assert len(done.stderr.splitlines()) == 1


def decoded(content: bytes, shape: type[Any]) -> None:
    """Decode an answer, or learn on one short line what is wrong with it."""
    found: object
    try:
        found = read(content, shape)
    except InvalidResponse as error:
        found = error
    if isinstance(found, InvalidResponse):
        assert str(found).isprintable()
        assert len(str(found)) < 500
    else:
        assert isinstance(found, shape)


@pytest.mark.parametrize("shape", SHAPES)
@every("answers")
def test_a_kept_answer_is_decoded_or_refused_by_name(content: bytes, shape: type[Any]) -> None:
    decoded(content, shape)


@settings(max_examples=300 * FACTOR)
@given(changed("answers"), st.sampled_from(SHAPES))
def test_a_changed_answer_is_decoded_or_refused_by_name(content: bytes, shape: type[Any]) -> None:
    decoded(content, shape)


def restored(content: bytes) -> None:
    """Restore what a checkpoint holds, or learn why that cannot be."""
    refused = ""
    try:
        for record in _decode(content):
            restore_ledger(record)
    except ValueError as error:
        refused = str(error)
    assert not refused or refused.startswith("it")


@every("checkpoint")
def test_a_kept_checkpoint_is_restored_or_refused_by_name(content: bytes, tmp_path: Path) -> None:
    restored(content)
    (tmp_path / "checkpoint").write_bytes(content)
    file = Checkpoint(tmp_path / "checkpoint")
    file.load()
    assert file.usable, "it was read, or set aside"
    file.save([])
    file.close()


@settings(max_examples=300 * FACTOR)
@given(changed("checkpoint"))
def test_a_changed_checkpoint_is_restored_or_refused_by_name(content: bytes) -> None:
    restored(content)


@pytest.mark.parametrize("users", [False, True], ids=["open", "password"])
def test_no_kept_request_makes_an_error_or_stops_the_server(users: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with server_thread(Security(users=USERS if users else {})) as (address, server):
        for name, content in kept("requests").items():
            for half_close in (True, False):
                send(address, [content], half_close=half_close)
                assert [record.getMessage() for record in caplog.records] == [], name
        assert httpx.get(f"{address}/-/healthy", timeout=PATIENCE).text == "Healthy.\n"
    assert server.server_state.connections == set()


def test_no_changed_request_makes_an_error_or_stops_the_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with server_thread(Security()) as (address, server):

        @settings(max_examples=150 * FACTOR)
        @given(st.lists(changed("requests"), min_size=1, max_size=2), st.booleans())
        def fuzz(pieces: list[bytes], half_close: bool) -> None:
            send(address, pieces, half_close=half_close)

        fuzz()
        assert httpx.get(f"{address}/-/healthy", timeout=PATIENCE).text == "Healthy.\n"
    assert [record.getMessage() for record in caplog.get_records("call")] == []
    assert server.server_state.connections == set()


def test_every_folder_is_replayed_and_small() -> None:
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} - {"__pycache__"} == set(SURFACES)
    assert all(len(content) < 110_000 for surface in SURFACES for content in kept(surface).values())
