"""A real Prometheus for a test, and what Grafana would ask it."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from grafana.interpolate import All, Chosen, Scope, Span
from grafana.query_api import Prometheus, Series

Json = dict[str, Any]
PATIENCE = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], waiting_for: str) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s in vain for {waiting_for}")
        time.sleep(0.1)


@contextlib.contextmanager
def prometheus(folder: Path, configuration: str, data: Path | None = None) -> Iterator[Prometheus]:
    """Run Prometheus until the end of the block.

    Args:
        folder: An empty folder for its files.
        configuration: Its configuration file.
        data: Where its blocks are, if there are some already.
    """
    program = shutil.which("prometheus")
    assert program
    (folder / "prometheus.yml").write_text(configuration)
    url = f"http://127.0.0.1:{free_port()}"
    with (
        (folder / "prometheus.log").open("w") as log,
        subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={data or folder / 'data'}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address={url.removeprefix('http://')}",
            ],
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:

            def ready() -> bool:
                assert process.poll() is None, (folder / "prometheus.log").read_text()
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(f"{url}/-/ready").status_code == 200
                return False

            until(ready, "Prometheus to be ready")
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                yield Prometheus(client)
        finally:
            process.terminate()


ALL: Mapping[str, All | Chosen] = {"job": All(".+"), "instance": All(".+"), "environment": All(".*")}
"""What a dashboard shows when it is opened."""


def ask(server: Prometheus, target: Json, span: Span, choices: Mapping[str, All | Chosen] = ALL) -> list[Series]:
    """The result of one query of a panel, as Grafana would ask for it."""
    expression = Scope(span, choices).fill(target["expr"])
    return server.instant(expression, span.end) if target["instant"] else server.range(expression, span)
