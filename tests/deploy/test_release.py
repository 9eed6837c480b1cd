"""A release: built twice it is the same, it knows its commit, it installs, and one tag is all it takes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from tests.conftest import MANDATORY

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
REVISION = "0123456789abcdef0123456789abcdef01234567"
RECORD = "exporter/revision.txt"
NOT_COPIED = (".git", ".venv", ".cache", ".*_cache", ".hypothesis", "build", "dist", "__pycache__", ".coverage*")


def build(checkout: Path, output: Path, *arguments: str) -> None:
    environ = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "REVISION": REVISION}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(output), *arguments]
    subprocess.run(command, cwd=checkout, env=environ, check=True, capture_output=True)


def copy(target: Path) -> Path:
    """A copy of this checkout, with files of another time and another umask."""
    shutil.copytree(ROOT, target, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for path in target.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1, 1))
    return target


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and the source archive."""
    output = tmp_path_factory.mktemp("dist")
    build(copy(tmp_path_factory.mktemp("first") / "checkout"), output)
    return output


def test_two_builds_are_the_same_byte_for_byte(dist: Path, tmp_path: Path) -> None:
    build(copy(tmp_path / "elsewhere"), tmp_path / "again")
    assert digests(tmp_path / "again") == digests(dist)
    assert len(digests(dist)) == 2


def test_a_build_leaves_the_checkout_as_it_is() -> None:
    assert not (ROOT / RECORD).exists()


def test_both_record_the_commit(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    assert zipfile.ZipFile(wheel).read(RECORD).decode() == f"{REVISION}\n"
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        record = files.extractfile(f"qoder_work_exporter-{__version__}/{RECORD}")
        assert record
        assert record.read().decode() == f"{REVISION}\n"


def test_the_wheel_holds_the_program_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"exporter", f"qoder_work_exporter-{__version__}.dist-info"}


def test_the_wheel_holds_every_runbook(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    held = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("exporter/web/runbooks/")}
    assert held == {file.name for file in (ROOT / "docs" / "runbooks").glob("*.md")}


def test_a_wheel_of_the_source_archive_is_the_same(dist: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    # Python's own way differs: Debian 12's 3.11.2 has no filter yet, and later ones warn without it.
    subprocess.run(["tar", "-xf", str(archive), "-C", str(tmp_path)], check=True)
    build(tmp_path / f"qoder_work_exporter-{__version__}", tmp_path / "again", "-t", "wheel")
    (wheel,) = dist.glob("*.whl")
    assert digests(tmp_path / "again") == {wheel.name: digests(dist)[wheel.name]}


def test_it_installs_in_a_clean_environment_and_says_its_commit(dist: Path, tmp_path: Path) -> None:
    """Without an index: what it depends on is that of this environment."""
    (wheel,) = dist.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "of-the-tests.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    command = [str(tmp_path / "venv" / "bin" / "qoder-work-exporter"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"qoder-work-exporter {__version__} (revision {REVISION})\n"


def check_tag(checkout: Path, tag: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([checkout / ".ci" / "release-check", tag], capture_output=True, text=True, check=False)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A repository whose changelog has a section for this version."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in (
        ".ci/release-check",
        "exporter/__init__.py",
        "Dockerfile",
        "CHANGELOG.md",
        "deploy/helm/qoder-work-exporter/Chart.yaml",
        "deploy/kubernetes/exporter/kustomization.yaml",
        f"tests/deploy/checkpoints/{__version__}.checkpoint",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]", f"## [{__version__}]"))
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "release"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    return checkout


def test_a_tag_that_names_the_version_is_a_release(released: Path) -> None:
    done = check_tag(released, f"v{__version__}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"version={__version__}\ncreated=20")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Dockerfile", "ARG VERSION"),
        ("CHANGELOG.md", "has no section"),
        ("deploy/helm/qoder-work-exporter/Chart.yaml", "version"),
        ("deploy/kubernetes/exporter/kustomization.yaml", "newTag"),
    ],
)
def test_a_file_that_lags_behind_stops_a_release(released: Path, name: str, complaint: str) -> None:
    path = released / name
    path.write_text(path.read_text().replace(__version__, "0.0.0"))
    done = check_tag(released, f"v{__version__}")
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_release_keeps_a_checkpoint_of_its_version(released: Path) -> None:
    (released / f"tests/deploy/checkpoints/{__version__}.checkpoint").unlink()
    done = check_tag(released, f"v{__version__}")
    assert done.returncode == 1
    assert "has no checkpoint" in done.stderr


def test_another_tag_is_none(released: Path) -> None:
    done = check_tag(released, "v9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"it must be v{__version__}" in done.stderr


@pytest.mark.skipif(not MANDATORY, reason="asks the package index: only where REQUIRE_PROGRAMS is set")
def test_a_release_says_what_it_is_made_of(dist: Path) -> None:
    said = subprocess.run([ROOT / ".ci" / "sbom", str(dist)], capture_output=True, text=True, check=True).stdout
    bom = json.loads(said)
    locked = re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    made_of = {(_normal(component["name"]), component["version"]) for component in bom["components"]}
    assert made_of == {(_normal(name), version) for name, version in locked}
    assert (bom["metadata"]["component"]["name"], str(dist) in said) == ("qoder-work-exporter", False)


def _normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.linter("actionlint")
def test_the_workflows_are_sound() -> None:
    done = subprocess.run(["actionlint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflows_test_every_python_that_the_package_names() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "test.yml").read_text())
    versions = workflow["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    named = [
        line.split(" :: ")[-1].rstrip('",')
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if "Python :: 3." in line
    ]
    assert versions == named


def test_nothing_in_the_workflows_may_do_more_than_it_needs() -> None:
    for path in WORKFLOWS.glob("*.yml"):
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}, path.name


def test_every_go_module_is_watched_for_updates() -> None:
    command = ["git", "ls-files", "go.mod", "**/go.mod"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules = {f"/{Path(line).parent}" for line in done.stdout.splitlines()}
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    gomod = [update for update in updates if update["package-ecosystem"] == "gomod"]
    watched = [folder for update in gomod for folder in update["directories"]]
    assert modules
    assert sorted(watched) == sorted(modules)
