"""A real Prometheus for a test, and what Grafana would ask it."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.waiting import PATIENCE, free_port, until
from tools.drawing.interpolate import All, Chosen, Scope, Span
from tools.drawing.query_api import Prometheus, Series

Json = dict[str, Any]


@contextlib.contextmanager
def prometheus(
    folder: Path,
    configuration: str,
    data: Path | None = None,
    flags: Sequence[str] = (),
    program: str = "prometheus",
) -> Iterator[Prometheus]:
    """Run Prometheus until the end of the block.

    Args:
        folder: An empty folder for its files.
        configuration: Its configuration file.
        data: Where its blocks are, if there are some already.
        flags: Further flags.
        program: Which Prometheus.
    """
    found = shutil.which(program)
    assert found
    (folder / "prometheus.yml").write_text(configuration)
    url = f"http://127.0.0.1:{free_port()}"
    with (
        (folder / "prometheus.log").open("w") as log,
        subprocess.Popen(
            [
                found,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={data or folder / 'data'}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address={url.removeprefix('http://')}",
                *flags,
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


@dataclass(frozen=True, slots=True)
class Demo:
    """The running demo.

    Attributes:
        exporter: The exporter's address, as a host and a port.
        control: The address of the simulated API's own endpoints.
    """

    exporter: str
    control: str

    def break_down(self, **fault: object) -> None:
        """Switch a fault of the simulated API on."""
        httpx.post(f"{self.control}/faults", json=fault).raise_for_status()

    def mend(self) -> None:
        """Switch all faults off."""
        httpx.delete(f"{self.control}/faults").raise_for_status()


@contextlib.contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """Run the demo until the end of the block."""
    exporter = f"127.0.0.1:{free_port()}"
    output = folder / "demo.txt"
    with (
        output.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "exporter", "demo", "--web.listen-address", exporter], stdout=log, stderr=log
        ) as process,
    ):
        try:

            def listening() -> bool:
                assert process.poll() is None, output.read_text()
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(f"http://{exporter}/-/ready").status_code == 200
                return False

            until(listening, "the demo to be ready")
            (api,) = re.findall(r"simulated API\s+(http://[^/\s]+)", output.read_text())
            yield Demo(exporter, f"{api}/simulator")
        finally:
            process.terminate()
