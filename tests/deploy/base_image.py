"""A stand-in for the Dockerfile's base image, made of this machine's own Python, for where no registry is reached.

It has what the Dockerfile's commands use: a shell, Python with its standard library, pip, and the libraries they load.
It differs from the published base in its Python's version, and in having no Debian around that Python.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

SHELL = Path("/bin/sh")
LEFT_OUT = ("site-packages", "dist-packages", "__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip")
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\n"
GROUPS = "root:x:0:\n"
NETWORK = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pip.conf",
)
"""What pip needs to reach an index from inside; a build by an engine with a network of its own brings most of it."""


WHEELS_NEED = (
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
)
"""The libraries outside wheels that compiled ones may load."""


def make_base(root: Path) -> None:
    """Write the base image's root file system into an empty directory."""
    for name in ("bin", "etc", "tmp", "usr/local/bin", "usr/local/lib", "proc", "dev", "root"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc" / "passwd").write_text(ACCOUNTS)
    (root / "etc" / "group").write_text(GROUPS)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = root / "usr" / "local" / "bin" / version
    shutil.copy2(Path(sys.executable).resolve(), python)
    for alias in ("python", "python3"):
        python.with_name(alias).symlink_to(version)
    library = root / "usr" / "local" / "lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*LEFT_OUT))
    _copy_pip(library / "site-packages")
    shutil.copy2(SHELL.resolve(), root / "bin" / "sh")
    _copy_libraries(root, [SHELL.resolve(), Path(sys.executable).resolve(), *library.rglob("*.so")])
    cached = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name in WHEELS_NEED:
        _copy(Path(re.findall(rf"\s{re.escape(name)} \(libc6,x86-64.*\) => (\S+)", cached)[0]), root)
    for file in NETWORK:
        if Path(file).exists():
            _copy(Path(file), root)


def _copy_pip(target: Path) -> None:
    installed = distribution("pip")
    for file in installed.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(installed.locate_file(file)), target / file)


def _copy_libraries(root: Path, binaries: Iterable[Path]) -> None:
    for binary in binaries:
        listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
        for found in re.findall(r"(?:=> )?(/\S+) \(0x", listed):
            _copy(Path(found), root)


def _copy(file: Path, root: Path) -> None:
    target = root / file.relative_to("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file.resolve(), target)
