"""A machine that systemd has booted: a container of systemd-nspawn on a copy of this machine's root file system.

Nothing of this machine is written, and it has a network of its own.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREPARE = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
mkdir -p "$1/root/srv" "$1/root/etc/systemd/system" && cp -r "$2/." "$1/root/"
shift 2
exec "$@"
"""
"""Put an overlay over the root file system, files into it, and start something on it."""

TARGET = """
[Unit]
Description=The script alone
DefaultDependencies=no
Wants=script.service
"""
SCRIPT = """
[Unit]
Description=What the test does

[Service]
Type=oneshot
ExecStart=/bin/bash /srv/script
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS > /srv/shared/status; exec systemctl exit'
StandardInput=file:/srv/typed
StandardOutput=file:/srv/shared/output
StandardError=file:/srv/shared/errors
"""


def run(
    script: str, folder: Path, *, files: Mapping[str, str], folders: Mapping[str, Path], typed: str, timeout: float
) -> str:
    """Boot, run a script as root, shut down, and return what it printed.

    Args:
        script: What to do, in bash; ``/srv/repository`` is a copy of the repository.
        folder: A directory of the test's own.
        files: Further files of the machine: path and content.
        folders: What is to be found at these paths, read-only.
        typed: What the script reads from its standard input.
        timeout: Seconds after which it is ended.
    """
    added, shared, place = folder / "added", folder / "shared", folder / "place"
    for each in (added, shared, place):
        each.mkdir()
    units = "etc/systemd/system"
    given = {
        f"{units}/script.target": TARGET,
        f"{units}/script.service": SCRIPT,
        "srv/script": script,
        "srv/typed": typed,
    }
    for name, content in {**given, **files}.items():
        (added / name).parent.mkdir(parents=True, exist_ok=True)
        (added / name).write_text(content)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (added / "srv/repository").mkdir()
    copy = ["xargs", "-0", "cp", "-P", "--parents", "-t", str(added / "srv/repository")]
    subprocess.run(copy, cwd=ROOT, input=listed.stdout, check=True)
    shown = {str(path): path for path in (ROOT, Path(sys.prefix))} | dict(folders)
    binds = [f"--bind={shared}:/srv/shared", *(f"--bind-ro={path}:{target}" for target, path in shown.items())]
    nspawn = ["systemd-nspawn", f"--directory={place / 'root'}", "--register=no", "--keep-unit", "--private-network"]
    boot = [*nspawn, "--console=pipe", *binds, "--boot", "--", "--unit=script.target", "--log-target=console"]
    command = ["unshare", "--mount", "sh", "-eu", "-c", PREPARE, "sh", str(place), str(added), *boot]
    booted = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    status, errors = (shared / "status"), (shared / "errors")
    said = (shared / "output").read_text() if (shared / "output").exists() else ""
    problems = errors.read_text() if errors.exists() else ""
    assert status.exists(), f"{booted.stdout}{booted.stderr}"
    assert status.read_text().strip() == "0", f"{said}\n{problems}\n{booted.stdout}"
    return said
