"""The page on pip, pipx and uv: each block installs, from this repository and the package index, a program that runs.

They ask the package index, so they run where nothing may be left out (REQUIRE_PROGRAMS): in continuous integration.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter import __version__
from tests.commands.blocks import ROOT, Block, block, run
from tests.conftest import MANDATORY

PAGE = "docs/install/index.md"
PIP = block(PAGE, "pip install .\n")
LOCKED = block(PAGE, "pip install --require-hashes")
PROGRAM = block(PAGE, "pipx install")
TOOLS = ("pipx", "uv")

pytestmark = [
    pytest.mark.program("bash", "git"),
    pytest.mark.skipif(not MANDATORY, reason="asks the package index: only where REQUIRE_PROGRAMS is set"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository, with what is not committed yet."""
    clone = tmp_path_factory.mktemp("clone") / "repository"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    return clone


def environment(folder: Path, *packages: str) -> str:
    """A new virtual environment with these packages, as the beginning of PATH."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if packages:
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(folder / "bin" / "pip"), "install", *quiet, *packages], check=True)
    return f"{folder / 'bin'}{os.pathsep}"


def version(program: Path) -> str:
    return subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("given", [PIP, LOCKED], ids=str)
def test_pip_installs_a_program_that_runs(given: Block, clone: Path, tmp_path: Path) -> None:
    run(given.text, cwd=clone, variables={}, path=environment(tmp_path / "venv"))
    assert __version__ in version(tmp_path / "venv" / "bin" / "qoder-work-exporter")


@pytest.mark.parametrize("line", PROGRAM.text.splitlines())
def test_pipx_and_uv_install_a_program_that_runs(line: str, clone: Path, tmp_path: Path) -> None:
    tool = line.split(maxsplit=1)[0]
    assert tool in TOOLS
    variables = {
        "HOME": str(tmp_path),
        **{name: str(tmp_path / "bin") for name in ("PIPX_BIN_DIR", "UV_TOOL_BIN_DIR")},
        **{name: str(tmp_path / "tools") for name in ("PIPX_HOME", "UV_TOOL_DIR")},
    }
    run(line, cwd=clone, variables=variables, path=environment(tmp_path / "venv", tool))
    assert __version__ in version(tmp_path / "bin" / "qoder-work-exporter")
