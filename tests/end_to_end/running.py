"""The exporter and Prometheus as programs of their own, with what they answer and write."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.dashboards import running
from tests.support.waiting import PATIENCE, free_port, until

T = TypeVar("T")
Json = dict[str, Any]

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
LONG = str(PATIENCE)
"""The patience of a scraper that wants everything."""


def without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables, and of this process's own only those that are not about the exporter."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QODER_")} | dict(variables)


def once(config: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One collection, as a command that ends."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", "once", "--config.file", str(config)],
        env=without_settings(variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Exporter:
    """A running exporter.

    Attributes:
        address: Host and port.
        output: Everything it has written so far.
        process: The process.
    """

    address: str
    output: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str = "/metrics", *, patience: str | None = LONG, accept: str = "text/plain") -> httpx.Response:
        """Ask it something, as a scraper that waits this many seconds."""
        headers = {"Accept": accept} | ({} if patience is None else {TIMEOUT_HEADER: patience})
        return httpx.get(f"http://{self.address}{path}", headers=headers, timeout=PATIENCE)

    def scrape(self, **details: Any) -> str:
        """A scrape that must succeed."""
        answer = self.get(**details)
        assert answer.status_code == 200, answer.text
        return answer.text

    def stop(self) -> int:
        """Stop it, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    @property
    def written(self) -> str:
        """Everything it has written so far."""
        return self.output.read_text()


@contextlib.contextmanager
def exporter(folder: Path, config: Json, variables: Mapping[str, str]) -> Iterator[Exporter]:
    """Run the exporter until the end of the block.

    Args:
        folder: For its files.
        config: Its configuration.
        variables: Its environment variables.
    """
    file = written(folder, config)
    address = f"127.0.0.1:{free_port()}"
    output = folder / "exporter.log"
    command = [sys.executable, "-m", "exporter", "--config.file", str(file), "--web.listen-address", address]
    with (
        output.open("wb") as log,
        subprocess.Popen(
            [*command, "--log.level", "debug"], stdout=log, stderr=log, env=without_settings(variables)
        ) as process,
    ):
        try:

            def healthy() -> bool:
                assert process.poll() is None, output.read_text()
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(f"http://{address}/-/healthy").status_code == 200
                return False

            until(healthy, "the exporter to listen")
            yield Exporter(address, output, process)
        finally:
            process.kill()


def written(folder: Path, config: Json) -> Path:
    """The configuration as a file in a folder."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus that scrapes every second.

    Attributes:
        http: A client of its API.
        targets: The folder in which it looks for targets.
    """

    http: httpx.Client
    targets: Path

    @contextlib.contextmanager
    def scraping(self, job: str, address: str) -> Iterator[None]:
        """Let it scrape an address, until the end of the block."""
        file = self.targets / f"{job}.json"
        # It reads a file as soon as it appears, so that it must appear whole.
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps([{"targets": [address], "labels": {"job": job}}]))
        draft.rename(file)
        try:
            yield
        finally:
            file.unlink()

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and value of each series of an expression, now."""
        result = self._get("query", query=expression)["result"]
        return [(row["metric"], float(row["value"][1])) for row in result]

    def value(self, expression: str) -> float | None:
        """The value of the only series of an expression, or None if there is none."""
        values = [value for _, value in self.ask(expression)]
        assert len(values) <= 1, values
        return values[0] if values else None

    def by(self, label: str, expression: str) -> dict[str, float]:
        """The values of an expression by one label."""
        return {labels.get(label, ""): value for labels, value in self.ask(expression)}

    def exemplars(self, expression: str) -> list[Json]:
        """All exemplars of the series that an expression names."""
        found = self._get("query_exemplars", query=expression, start="0", end=str(time.time() + 3600))
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def _get(self, path: str, **parameters: str) -> Any:
        body = self.http.get(f"/api/v1/{path}", params=parameters).json()
        assert body["status"] == "success", body
        return body["data"]


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus, with exemplars, until the end of the block; its files are in this empty folder."""
    targets = folder / "targets"
    targets.mkdir()
    job = {
        "job_name": "exporters",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "file_sd_configs": [{"files": [f"{targets}/*.json"]}],
    }
    config = yaml.safe_dump({"scrape_configs": [job]})
    with running.prometheus(folder, config, flags=["--enable-feature=exemplar-storage"]) as started:
        yield Prometheus(started.client, targets)
