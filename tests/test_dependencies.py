"""What is installed beside our own code: pinned, hashed, as the lock says, and under licences that may be passed on.

An audit against a database of vulnerabilities needs a network; this one needs none.
"""

import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")

PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU",
     "PSF-2.0", "Zlib"}
)  # fmt: skip
ALLOWED = PERMISSIVE | {"MPL-2.0"}
"""The Mozilla licence binds its own files alone, which are passed on unchanged."""

NOT_IN_THE_METADATA = {
    "axe-playwright-python": "MIT",  # its LICENSE file
    "httpx-aiohttp": "BSD-3-Clause",  # its LICENSE file
}
"""Licences that a package states in words only."""

WORDS = {
    "Apache 2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Other words for licences, in older metadata."""


class Pin(NamedTuple):
    """One package of a lock file."""

    name: str
    version: str
    marker: str
    hashes: int


@cache
def pins(lock: str) -> list[Pin]:
    """Every package of a lock file; a line that is no pin fails."""
    found = []
    for entry in re.sub(r"\\\n", " ", (ROOT / lock).read_text()).splitlines():
        line = entry.partition("#")[0].strip()
        if not line:
            continue
        match = re.fullmatch(r"([a-z0-9._-]+)(?:\[[a-z0-9,._-]+\])?==(\S+)(?: ; (.*?))?((?: +--hash=\S+)*)", line)
        assert match is not None, f"{lock}: not a pin: {line[:100]}"
        found.append(Pin(match[1], match[2], match[3] or "", len(match[4].split())))
    return found


def here(pin: Pin) -> bool:
    """Whether a package is for this machine and this Python."""
    return not pin.marker or Marker(pin.marker).evaluate()


def licences(name: str) -> set[str]:
    """What a package's metadata say, as SPDX identifiers where the words are known."""
    if name in NOT_IN_THE_METADATA:
        return {NOT_IN_THE_METADATA[name]}
    found = metadata.metadata(name)
    stated = (found.get_all("License-Expression") or found.get_all("License") or [""])[0]
    texts = re.split(r" AND | OR |[()]", stated) if stated and len(stated) < 80 else []
    if not texts:
        classifiers = found.get_all("Classifier") or []
        texts = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")]
    return {WORDS.get(text.strip(), text.strip()) for text in texts if text.strip()}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_once_and_hashed_with_sha256(lock: str) -> None:
    assert len(pins(lock)) > 20
    assert [pin for pin in pins(lock) if pin.hashes == 0] == []
    algorithms = set(re.findall(r"--hash=(\w+):", (ROOT / lock).read_text()))
    assert algorithms == {"sha256"}
    assert not re.findall(r"^\s*(?:-e|-r|--(?!hash)|git\+|https?:|.* @ )", (ROOT / lock).read_text(), re.MULTILINE)
    names = [pin.name for pin in pins(lock) if here(pin)]
    assert len(names) == len(set(names))


def test_both_locks_pin_the_same_versions() -> None:
    tested = {pin.name: pin.version for pin in pins("requirements-dev.txt") if here(pin)}
    assert {pin.name: pin.version for pin in pins("requirements.txt") if here(pin)}.items() <= tested.items()


def test_what_is_installed_is_what_the_lock_says() -> None:
    wanted = {pin.name: Version(pin.version) for pin in pins("requirements-dev.txt") if here(pin)}
    assert {name: Version(metadata.version(name)) for name in wanted} == wanted


@pytest.mark.parametrize(
    "name", sorted({pin.name for lock in LOCKS for pin in pins(lock) if here(pin)}), ids=lambda name: name
)
def test_its_licence_is_allowed(name: str) -> None:
    found = licences(name)
    assert found, f"{name} states no licence: look it up, and add it to NOT_IN_THE_METADATA"
    assert found <= ALLOWED, f"{name}: {found}"


def test_the_program_needs_nothing_that_the_lock_does_not_have() -> None:
    needed = {re.split(r"[ <>=!;\[]", line)[0] for line in metadata.requires("qoder-work-exporter") or []}
    assert needed <= {pin.name for pin in pins("requirements.txt")}
