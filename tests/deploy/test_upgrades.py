"""The checkpoints of all released versions are read: nothing known is forgotten by an upgrade.

A release needs the file of its version, see .ci/release-check. As long as a version is not released, its file is made
again where the format changes: ``python -m tests.deploy.checkpoints.make``.
"""

import shutil
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from exporter import __version__
from exporter.tracking.checkpoint import Checkpoint
from exporter.tracking.record import EnvironmentRecord
from tests.deploy.checkpoints.make import STATES

FILES = sorted((Path(__file__).parent / "checkpoints").glob("*.checkpoint"))


def environments(file: Path) -> list[tuple[str, str]]:
    """Which environments a file has, read without the program."""
    _, _, body = file.read_bytes().partition(b"\n")
    return [(each["base_url"], each["environment_id"]) for each in msgspec.json.decode(body)]


def test_there_is_one_of_this_version() -> None:
    assert f"{__version__}.checkpoint" in [file.name for file in FILES]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_it_is_read_whole(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "checkpoint")
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    with capture_logs() as logs:
        checkpoint.load()
    checkpoint.close()
    assert [entry["event"] for entry in logs] == ["checkpoint read"]
    assert checkpoint.usable
    (known,) = environments(file)
    record = checkpoint.known(*known)
    assert isinstance(record, EnvironmentRecord)
    assert record.lifecycle.created == 2
    assert record.metadata_keys == ("job",)
    assert set(record.label_values["job"]) >= {"job-0", "job-1", "job-2"}
    assert len(record.live) == len([state for state in STATES if state != "stopped"]) + 1
