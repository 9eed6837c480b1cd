"""A stand-in for docker, which needs a service: buildah builds and podman runs, with docker's own arguments."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path


def kept_in(store: Path) -> list[str]:
    """The options of buildah and podman that say where images are."""
    return ["--root", str(store / "root"), "--runroot", str(store / "run"), "--storage-driver", "vfs"]


def engine(store: Path, *, build: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> str:
    """Write a program called docker, and return its folder as the beginning of PATH.

    Args:
        store: Where images are.
        build: What a build is given besides: the base comes from no registry.
        variables: What a container is given besides. It shares this machine's network.
    """
    folder = store / "docker"
    folder.mkdir(exist_ok=True)
    given = json.dumps([f"{name}={value}" for name, value in (variables or {}).items()])
    limits = '["nofile=1024:1024", "nproc=1024:1024"]'  # the default ones are higher than some machines allow
    settings = f'[containers]\ncgroups = "disabled"\nnetns = "host"\ndefault_ulimits = {limits}\nenv = {given}\n'
    (folder / "containers.conf").write_text(settings)
    program = folder / "docker"
    program.write_text(
        f"""#!/bin/sh
command=$1
shift
export CONTAINERS_CONF={shlex.quote(str(folder / "containers.conf"))}
case $command in
build) exec buildah {shlex.join(kept_in(store))} build {shlex.join(build)} "$@" ;;
run) exec unshare --mount sh -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' sh \\
       podman {shlex.join(kept_in(store))} --runtime crun run "$@" ;;
*) exit 2 ;;
esac
"""
    )
    program.chmod(0o755)
    return f"{folder}{os.pathsep}"
