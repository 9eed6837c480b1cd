"""The contributor's pages name what exists: files, make targets, and every package of the product."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/testing.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`((?:exporter|tests|docs|tools|prometheus|grafana|benchmarks|\.ci)/[\w./-]*)", text))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"(?:^|`)(?:\w+=\w+ )*make ([a-z][^#`\n]*)", (ROOT / page).read_text(), re.MULTILINE):
        for target in (word for word in command.split() if "=" not in word and not word.startswith("…")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), command


def test_the_architecture_describes_every_package() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    packages = {folder.parent.name for folder in (ROOT / "exporter").glob("*/__init__.py")}
    assert packages
    assert packages == set(re.findall(r"^\| `exporter/(\w+)/` \|", text, re.MULTILINE))


def test_the_glossary_has_each_word_once() -> None:
    glossary = (ROOT / "docs/architecture.md").read_text().partition("## Glossary")[2]
    words = re.findall(r"^\| ([a-z ]+) \|", glossary, re.MULTILINE)
    assert len(words) > 10
    assert len(words) == len(set(words))


def hooks() -> list[str]:
    """The commands that pre-commit runs, without the file names that it adds."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    return [hook["entry"] for hook in repository["hooks"]]


def test_every_hook_is_a_command_of_make_lint_or_says_that_what_is_generated_is_current() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    checks = [hook for hook in hooks() if hook.endswith("--check")]
    linting = {hook.partition(" --")[0] for hook in hooks()} - {check.partition(" --")[0] for check in checks}
    assert (len(linting), len(checks)) == (4, 3)
    assert {command for command in linting if command not in makefile} == set()
    for check in checks:
        program, *arguments = shlex.split(check)
        command = [str(Path(sys.executable).parent / Path(program).name), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{check}: {done.stderr}"
