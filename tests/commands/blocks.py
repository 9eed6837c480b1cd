"""The shell commands that the documentation gives, and running them as they stand."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.inherited import inherited

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^( *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = {"sh", "bash", "shell", "console"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of commands.

    Attributes:
        page: The page, below the repository.
        number: Which of the page's blocks of commands it is.
        text: The commands.
    """

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def blocks(page: str) -> list[Block]:
    """Every block of commands on a page."""
    found = [
        match["text"]
        for match in FENCED.finditer((ROOT / page).read_text(encoding="utf-8"))
        if match["language"] in SHELL
    ]
    return [Block(page, number, text) for number, text in enumerate(found)]


def block(page: str, start: str) -> Block:
    """The block of commands of a page that begins like this."""
    (found,) = (each for each in blocks(page) if each.text.startswith(start))
    return found


def everything() -> list[Block]:
    """Every block of commands of the README and the documentation."""
    return [block for page in PAGES for block in blocks(str(page.relative_to(ROOT)))]


def run(
    script: str,
    *,
    cwd: Path,
    variables: Mapping[str, str],
    places: Mapping[str, str] | None = None,
    path: str = "",
    typed: str = "",
) -> str:
    """Run commands by bash, as a user who pastes them, and return what they print.

    Args:
        script: The commands.
        cwd: Where.
        variables: What the page leaves to the user; the script's own assignments of these are left out.
        places: What stands in the script, and what stands for it here: addresses and files of another machine.
        path: Folders before this environment's own programs, each with a colon behind it.
        typed: What the user types in.
    """
    for place, here in (places or {}).items():
        script = script.replace(place, here)
    given = "|".join(map(re.escape, variables))
    kept = [line for line in script.splitlines() if not re.fullmatch(rf"({given})=\S*\s*(#.*)?", line)]
    lines = ["set -euo pipefail", "sleep() { :; }", *kept]
    path += f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=cwd,
        env={**inherited("QODER_", "PIP_", "UV_"), "PATH": path, **variables},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout
