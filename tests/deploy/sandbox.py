"""A place of its own for programs: their files where a container would have them, and a network of their own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = (
    "passwd",
    "group",
    "ssl",
    "nsswitch.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "mime.types",
)
"""What programs need of this machine's /etc."""
REPLACED = ("etc", "proc", "dev", "tmp", "run", "var", "sys")


def _machine() -> Iterator[str]:
    """The arguments that show this machine's programs, and none of its state."""
    for entry in sorted(Path("/").iterdir()):
        if entry.name in REPLACED:
            continue
        if entry.is_symlink():
            yield from ("--symlink", os.readlink(entry), str(entry))
        else:
            yield from ("--ro-bind", str(entry), str(entry))
    for name in KEPT:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var")
    yield from ("--ro-bind", str(ROOT), str(ROOT))  # wherever it is, in /tmp too


def run(
    command: Sequence[str],
    *,
    files: Mapping[str, Path],
    directories: Sequence[str] = (),
    hosts: Sequence[str] | Mapping[str, str] = (),
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command in the repository, and return how it ended.

    Args:
        command: The program and its arguments.
        files: What is to be found at these paths, read-only.
        directories: Empty directories to have at these paths.
        hosts: Names of this place itself, with their loopback addresses where they have one each.
        timeout: Seconds after which it is ended.
        variables: Its environment, beside PATH.
    """
    read, write = os.pipe()
    addresses = hosts if isinstance(hosts, Mapping) else dict.fromkeys(hosts, "127.0.0.1")
    lines = [f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **addresses}.items()]
    os.write(write, "".join(lines).encode())
    os.close(write)
    arguments = [*_machine(), "--ro-bind-data", str(read), "/etc/hosts"]
    for target, source in sorted(files.items()):
        arguments += ["--ro-bind", str(source), target]
    for directory in directories:
        arguments += ["--tmpfs", directory]
    options = [
        "--unshare-net",
        "--unshare-pid",
        "--unshare-ipc",
        "--die-with-parent",
        "--chdir",
        str(ROOT),
        "--clearenv",
    ]
    for name, value in ({"PATH": os.environ["PATH"]} | dict(variables or {})).items():
        options += ["--setenv", name, value]
    try:
        return subprocess.run(
            ["bwrap", *arguments, *options, *command],
            pass_fds=[read],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    finally:
        os.close(read)
