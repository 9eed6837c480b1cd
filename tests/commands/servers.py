"""Servers that the documentation's commands ask, each with nothing in it yet."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.waiting import free_port, until


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes nothing, and give its address."""
    config = folder / "prometheus.yml"
    config.write_text("{}")
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--enable-feature=exemplar-storage"]
    with _running(["prometheus", *options], folder) as address:
        yield address


@contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[str]:
    """Run an Alertmanager, and give its address."""
    options = [f"--config.file={config}", f"--storage.path={folder}", "--cluster.listen-address="]
    with _running(["prometheus-alertmanager", *options], folder) as address:
        yield address


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=output, cwd=folder) as process,
    ):

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(f"http://{address}/-/ready").status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(ready, f"{command[0]} is ready")
            yield f"http://{address}"
        finally:
            process.terminate()
