"""The documentation's pages: one entry leads to all, and what they tell a user to run or mount is there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
INSTALL = sorted((DOCS / "install").glob("*.md"))
FILE = re.compile(r"(?:deploy|grafana|prometheus|docs)/[\w./-]*\w|(?:requirements|config)[\w.-]*\.(?:txt|yaml)")
MADE_BY_THE_USER = {"config.yaml"}


def links(page: Path) -> set[Path]:
    found = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in found if "://" not in link}


def test_the_entry_leads_to_every_page() -> None:
    reached: set[Path] = set()
    waiting = {DOCS / "index.md"}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting |= {link for link in links(page) if link.is_relative_to(DOCS)} - reached
    assert set(PAGES) - reached == set()


def nav(entries: object) -> set[str]:
    if isinstance(entries, str):
        return {entries}
    if isinstance(entries, dict):
        return set().union(*map(nav, entries.values()))
    assert isinstance(entries, list)
    return set().union(*map(nav, entries))


def test_the_sites_navigation_has_every_page_but_runbooks_and_decisions() -> None:
    listed = nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    pages = {str(page.relative_to(DOCS)) for page in PAGES}
    assert listed <= pages
    assert {page for page in pages - listed if not page.startswith(("runbooks/", "decisions/"))} == set()


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]


@pytest.mark.parametrize("page", INSTALL, ids=[page.stem for page in INSTALL])
def test_files_that_the_commands_use_are_in_the_repository(page: Path) -> None:
    given = commands(page)
    assert given
    below = ROOT
    for command in given:
        words = shlex.split(command)
        if words[0] == "cd":
            below = ROOT / words[1]
            assert below.is_dir()
            continue
        for word in words:
            if word.startswith("-f"):
                continue
            for name in FILE.findall(word if not word.startswith("/") else ""):
                assert (below / name).exists() or name in MADE_BY_THE_USER, command


def test_the_ways_of_installing_are_all_reached_from_one_page() -> None:
    assert links(DOCS / "install" / "index.md") >= set(INSTALL) - {DOCS / "install" / "index.md"}
