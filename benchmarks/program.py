"""The exporter as users run it: its own process, a configuration file, and scrapes over HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from benchmarks.service import DEFAULT_TOKEN, Environment

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
"""As Prometheus asks."""

PATIENCE = 30.0
"""Seconds after which a process that does not come up, or does not end, is given up."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer of ``/metrics``.

    Attributes:
        seconds: How long it took.
        at: Unix time at its end.
        samples: Values by metric, environment ID and state; empty where there is no such label.
    """

    seconds: float
    at: float
    samples: Mapping[tuple[str, str, str], float]

    def counts(self, environment: Environment) -> dict[str, int] | None:
        """The items by state, or None if they are not shown."""
        shown = {
            state: int(value)
            for (name, environment_id, state), value in self.samples.items()
            if (name, environment_id) == ("qoder_work_items", environment.id)
        }
        return shown or None

    def value(self, name: str, environment: Environment) -> float | None:
        """A metric of an environment that has no further label."""
        return self.samples.get((name, environment.id, ""))


def configuration(
    base_url: str, environments: Sequence[Environment], checkpoint: Path | None, *, unpaced: bool
) -> dict[str, Any]:
    """The content of a configuration file.

    Args:
        base_url: The API.
        environments: What to watch.
        checkpoint: Where progress is kept.
        unpaced: Whether to read without pacing, so that a first traversal is soon over; the default pace otherwise.
    """
    account: dict[str, Any] = {
        "base_url": base_url,
        "token_env": "QODER_PAT",
        "environments": [{"id": environment.id, "name": environment.name} for environment in environments],
    }
    if unpaced:
        account |= {"page_interval": "0s", "requests_per_second": 1000}
    history = {} if checkpoint is None else {"checkpoint": str(checkpoint)}
    return {"accounts": [account], "scrape": {"min_interval": "0s"}, "history": history}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the exporter.

    Attributes:
        python: The interpreter that has its dependencies.
        checkout: The directory that holds its package; None for the current directory.
    """

    python: str
    checkout: Path | None = None


class Exporter:
    """``qoder-work-exporter``, serving while a ``with`` block lasts.

    Args:
        config: The content of its configuration file.
        directory: Where that file and the log may be written.
        version: Which version to run; this one by default.
    """

    def __init__(self, config: Mapping[str, Any], directory: Path, version: "Version | None" = None) -> None:
        self._version = version or Version(sys.executable)
        self._config = directory / "config.yaml"
        self._config.write_text(yaml.safe_dump(dict(config)))
        self._log = directory / "exporter.log"

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it, and wait until it knows what to watch."""
        arguments = ["-m", "exporter", f"--config.file={self._config}", "--web.listen-address=127.0.0.1:0"]
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._version.python, *arguments],
                stderr=log,
                env=os.environ | {"QODER_PAT": DEFAULT_TOKEN},
                cwd=self._version.checkout,
            )
        try:
            self._http = httpx.Client(base_url=f"http://{self._address()}", timeout=None)
            while self._http.get("/-/ready").status_code != httpx.codes.OK:
                self._pause()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()

    def scrape(self, timeout: float) -> Scrape:
        """Scrape it as Prometheus does with this ``scrape_timeout``."""
        start = time.monotonic()
        answer = self.fetch(timeout)
        seconds = time.monotonic() - start
        samples = {
            (sample.name, sample.labels.get("environment_id", ""), sample.labels.get("state", "")): sample.value
            for family in text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
            if family.name.startswith("qoder_work_") and family.type == "gauge"
            for sample in family.samples
        }
        return Scrape(seconds, time.time(), samples)

    def fetch(self, timeout: float) -> httpx.Response:
        """Do the same without parsing the response."""
        headers = {"Accept": ACCEPT, "X-Prometheus-Scrape-Timeout-Seconds": f"{timeout:g}"}
        return self._http.get("/metrics", headers=headers).raise_for_status()

    def health_seconds(self) -> float:
        """How long a request takes that needs nothing but the server's attention."""
        start = time.monotonic()
        self._http.get("/-/healthy").raise_for_status()
        return time.monotonic() - start

    def _address(self) -> str:
        while (found := re.search(r"address=(127\.0\.0\.1:\d+)", self._log.read_text())) is None:
            self._pause()
        return found[1]

    def _pause(self) -> None:
        if self._process.poll() is not None or time.monotonic() - self.started > PATIENCE:
            raise RuntimeError(f"the exporter did not come up:\n{self._log.read_text()}")
        time.sleep(0.01)
