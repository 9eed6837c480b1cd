"""Programs that the documentation's commands call and that cannot do their work here.

Each stand-in lets the real program, where it is installed, judge what it was called with.
"""

import re
import shlex
import shutil
from pathlib import Path

from tests.commands.blocks import ROOT

REASONS = {
    "journalctl": "no journal has the exporter's or the kernel's log here; it prints what they can say",
    "timedatectl": "it asks systemd over D-Bus, which is not there",
    "chronyc": "it asks a time service that is not there",
}
"""Why each does not do its work here."""

KERNEL = "Out of memory: Killed process 4711 (worker)"
"""What the kernel says about a worker that took too much memory."""


def messages() -> list[str]:
    """Everything that the exporter can log."""
    sources = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "exporter").rglob("*.py")))
    return sorted(set(re.findall(r'\blog\.\w+\(\s*"([^"]+)"', sources)))


def place(folder: Path) -> Path:
    """Write the stand-ins into a folder, to be the first of PATH."""
    log = folder / "log.txt"
    log.write_text("\n".join([*messages(), KERNEL]) + "\n", encoding="utf-8")
    scripts = {
        # Without a journal the real one prints nothing, and refuses options that it does not know.
        "journalctl": [*_real("journalctl", '"$@" --no-pager >&2'), f"cat {shlex.quote(str(log))}"],
        "timedatectl": _real("timedatectl", '--help | grep -qw -- "$1"'),
        "chronyc": ['[ "$*" = tracking ]'],
    }
    bin_ = folder / "bin"
    bin_.mkdir()
    for name, lines in scripts.items():
        program = bin_ / name
        program.write_text("\n".join(["#!/bin/sh", "set -eu", *lines]) + "\n")
        program.chmod(0o755)
    return bin_


def _real(name: str, arguments: str) -> list[str]:
    found = shutil.which(name)
    return [] if found is None else [f"{shlex.quote(found)} {arguments}"]
