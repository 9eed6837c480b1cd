"""The image as it is built: its program runs as its user, on a read-only root, as PID 1, and ends on SIGTERM.

The Dockerfile is built and run by the commands of the container page; buildah and podman stand in for docker. Only its
base is a stand-in under the same name, see `base_image`.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.commands.blocks import block, run
from tests.deploy.base_image import make_base
from tests.deploy.engine import engine, kept_in
from tests.deploy.running import PATIENCE, free_port, until

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim"
BUILD, RUN, SHOW = block("docs/install/container.md", "docker build").text.splitlines()

pytestmark = [
    pytest.mark.program("bash", "buildah", "curl", "git", "unshare"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter the image's root file system"),
]


@dataclass(frozen=True)
class Image:
    """A built image: its configuration, its root file system mounted, and where it is kept."""

    config: dict[str, Any]
    health: list[str]
    root: Path
    store: Path


def buildah(store: Path, *arguments: str) -> str:
    options = kept_in(store)
    done = subprocess.run(
        ["buildah", *options, *arguments], capture_output=True, text=True, check=False, timeout=600, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image of this Dockerfile, built by the page's command."""
    store = Path(tempfile.mkdtemp(prefix="images"))  # podman takes no longer path than 50 characters
    base = store / "base"
    base.mkdir()
    make_base(base)
    (store / "Dockerfile").write_text("FROM scratch\nCOPY base /\n")
    buildah(store, "build", "--isolation", "chroot", "--tag", BASE, str(store))
    shutil.rmtree(base)
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--build-arg", f"BASE={BASE}"]
    run(BUILD, cwd=ROOT, variables={}, path=engine(store, build=options))
    described = json.loads(buildah(store, "inspect", "--type", "image", "localhost/qoder-work-exporter"))
    container = buildah(store, "from", "--pull-never", "localhost/qoder-work-exporter")
    docker = described["Docker"]["config"]
    yield Image(docker, docker["Healthcheck"]["Test"], Path(buildah(store, "mount", container)), store)
    buildah(store, "umount", container)
    shutil.rmtree(store)


def revision() -> str:
    """The commit that is checked out."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def inside(image: Image, command: list[str], variables: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a command as a container engine does: PID 1, the image's user and environment, root read-only."""
    environ = dict(variable.split("=", 1) for variable in image.config["Env"]) | variables
    assignments = [f"{name}={value}" for name, value in environ.items()]
    prepare = (
        'mount --bind "$1" "$1" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && '
        'mount -o remount,ro,bind "$1" && root=$1 user=$2 && shift 2 && '
        'exec chroot --userspec="$user" --groups= "$root" "$@"'
    )
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", prepare, "sh"]
    python = ["/opt/venv/bin/python", "-c", IN_DIRECTORY, image.config["WorkingDir"]]
    return subprocess.Popen(
        [*enter, str(image.root), image.config["User"], *python, *assignments, "--", *command],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


IN_DIRECTORY = """
import os, sys
directory, *rest = sys.argv[1:]
end = rest.index("--")
environ = dict(variable.split("=", 1) for variable in rest[:end])
os.chdir(directory)
os.environ.clear()
os.environ.update(environ)
os.execvpe(rest[end + 1], rest[end + 1:], environ)
"""


@contextmanager
def running(image: Image, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """The image's program, running."""
    process = inside(image, [*image.config["Entrypoint"], *arguments], variables)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(first_process(process), signal.SIGKILL)
        output, _ = process.communicate(timeout=PATIENCE)
        sys.stdout.write(output or "")


def output_of(image: Image, command: list[str], **variables: str) -> tuple[int, str]:
    process = inside(image, command, variables)
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


def first_process(process: "subprocess.Popen[str]") -> int:
    """The PID, as seen from here, of the process that is PID 1 in there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def scraped(port: int, condition: Callable[[str], bool]) -> bool:
    try:
        return condition(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    except httpx.TransportError:
        return False


def answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True


def test_it_serves_metrics_is_healthy_and_ends_on_sigterm(image: Image) -> None:
    simulation = Simulation()
    simulation.create_work(simulation.create_environment("gpu-workers"), state="active")
    port = free_port()
    address = {"QODER_EXPORTER_WEB_LISTEN_ADDRESS": f":{port}"}
    assert image.health[0] == "CMD"
    with SimulatorThread(simulation) as api:
        token = {"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": api.base_url}
        with running(image, **address, **token) as exporter:
            until(exporter, lambda: scraped(port, lambda text: 'state="active"} 1.0' in text), "the active item")
            assert scraped(port, lambda text: f'revision="{revision()}"' in text)
            assert httpx.get(f"http://127.0.0.1:{port}/runbooks/qoderworkqueuestalled.md").status_code == 200
            assert output_of(image, image.health[1:], **address) == (0, "")
            pid = first_process(exporter)
            status = Path(f"/proc/{pid}/status").read_text()
            assert re.search(r"^Uid:\s10001\s10001\s10001\s10001$", status, re.MULTILINE)
            assert re.search(r"^NSpid:\s\d+\s1$", status, re.MULTILINE)
            os.kill(pid, signal.SIGTERM)
            output, _ = exporter.communicate(timeout=PATIENCE)
    assert exporter.returncode == 0, output
    assert "msg=stopped" in output
    assert DEFAULT_TOKEN not in output


@pytest.mark.program("podman", "crun")
def test_the_page_runs_it(image: Image, tmp_path: Path) -> None:
    """To the letter, but for the port, which others have here; what is published is that of this machine anyway."""
    simulation = Simulation()
    simulation.create_work(simulation.create_environment("gpu-workers"), state="active")
    address = f"127.0.0.1:{free_port()}"
    with SimulatorThread(simulation) as api:
        given = {"QODER_BASE_URL": api.base_url, "QODER_EXPORTER_WEB_LISTEN_ADDRESS": address}
        said = run(
            f"{RUN} &\nuntil curl -fs http://{address}/-/ready; do kill -0 $!; command sleep 0.1; done\n"
            f"{SHOW}\nkill $!\nwait $! && echo ended",
            cwd=tmp_path,
            variables={"QODER_PAT": DEFAULT_TOKEN},
            places={"127.0.0.1:10190": address},
            path=engine(image.store, variables=given),
        )
    assert 'state="active"} 1.0' in said
    assert said.endswith("ended\n")


def test_its_health_check_fails_where_nothing_listens(image: Image) -> None:
    status, output = output_of(image, image.health[1:], QODER_EXPORTER_WEB_LISTEN_ADDRESS=f"127.0.0.1:{free_port()}")
    assert status == 1
    assert "does not answer" in output


@pytest.mark.parametrize(
    ("command", "address"), [("demo", "--web.listen-address"), ("simulate", "--simulator.listen-address")]
)
def test_a_simulation_ends_on_sigterm(image: Image, command: str, address: str) -> None:
    port = free_port()
    with running(image, command, f"{address}=127.0.0.1:{port}") as process:
        until(process, lambda: answers(port), "a server")
        os.kill(first_process(process), signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output


def test_what_has_no_end_of_its_own_ends_on_sigterm_too(image: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(image, "once", QODER_PAT=DEFAULT_TOKEN, QODER_BASE_URL=url) as process:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                os.kill(first_process(process), signal.SIGTERM)
                process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM


def test_nothing_in_it_may_be_written(image: Image) -> None:
    attempt = "import pathlib; pathlib.Path('/app/new').write_text('')"
    status, output = output_of(image, ["python", "-c", attempt])
    assert status == 1
    assert "Read-only file system" in output


def test_a_volume_for_the_checkpoint_belongs_to_its_user(image: Image) -> None:
    found = (image.root / "var/lib/qoder-work-exporter").stat()
    assert f"{found.st_uid}:{found.st_gid}" == image.config["User"]


def test_it_can_install_nothing(image: Image) -> None:
    status, output = output_of(image, ["python", "-m", "pip", "--version"])
    assert status == 1
    assert "No module named pip" in output


def test_it_says_which_commit_it_was_built_from(image: Image) -> None:
    status, output = output_of(image, [*image.config["Entrypoint"], "--version"])
    assert status == 0
    assert revision() in output
    assert image.config["Labels"]["org.opencontainers.image.revision"] == revision()


def test_what_is_added_to_the_base_is_small(image: Image) -> None:
    added = [path for top in ("opt/venv", "app") for path in (image.root / top).rglob("*")]
    size = sum(path.lstat().st_size for path in added if path.is_file() and not path.is_symlink())
    assert size < 80 * 2**20, f"{size / 2**20:.0f} MiB"
