"""What writing the metrics costs, beside an exporter on client_golang that makes the same series."""

import http.client
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.child import Child
from benchmarks.program import ACCEPT
from benchmarks.results import Exposition, Together, Written
from benchmarks.synthetic import busy
from benchmarks.usage import cpu_seconds, memory
from exporter.histogram import Histogram
from exporter.metrics.families import environment_families
from exporter.metrics.samples import Shape, add_environment
from exporter.metrics.table import MetricSpec

GO = Path(__file__).parent / "go_peer"
CODINGS = ("gzip", "identity")
ROUNDS = 5
"""How many times so many scrapers come at once."""


class _Server:
    """A server under measurement, on a connection that stays open, as a scraper's does."""

    def __init__(self, pid: int, address: str) -> None:
        self.pid = pid
        self.address = address
        self._connection = http.client.HTTPConnection(address, timeout=120)

    def scrape(self, coding: str) -> int:
        """Scrape, and return the bytes of the body."""
        self._connection.request("GET", "/metrics", headers={"Accept": ACCEPT, "Accept-Encoding": coding})
        answer = self._connection.getresponse()
        size = len(answer.read())
        if answer.status != 200 or answer.headers.get("Content-Encoding", "identity") != coding:
            raise RuntimeError(f"{self.address} answered {answer.status} in {answer.headers.get('Content-Encoding')}")
        return size

    def cost(self, coding: str) -> float:
        """Scrape, and return the seconds of CPU time it took the server."""
        before = cpu_seconds(self.pid)
        self.scrape(coding)
        return cpu_seconds(self.pid) - before

    def cost_of_many(self, scrapers: int) -> float:
        """Let so many scrape at once, compressed, and return the seconds of CPU time it took the server."""
        together = [_Server(self.pid, self.address) for _ in range(scrapers)]
        before = cpu_seconds(self.pid)
        with ThreadPoolExecutor(scrapers) as pool:
            list(pool.map(lambda scraper: scraper.scrape("gzip"), together))
        return cpu_seconds(self.pid) - before


def built_peer(folder: Path) -> Path | None:
    """Build the Go exporter; None where there is no Go, or no way to the modules."""
    program = shutil.which("go")
    if program is None:
        click.echo("client_golang is left out: there is no Go here", err=True)
        return None
    built = subprocess.run(
        [program, "build", "-o", str(folder / "go_peer"), "."], cwd=GO, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        click.echo(f"client_golang is left out: {built.stderr.strip()[-500:]}", err=True)
        return None
    return folder / "go_peer"


@contextmanager
def _peer() -> Iterator[tuple[Path | None, Path]]:
    """The Go exporter, and the file with the samples it shows."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        samples = folder / "samples.json"
        samples.write_bytes(msgspec.json.encode(_samples()))
        yield built_peer(folder), samples


def measure_exposition(environments: Sequence[int], scrapes: int) -> list[Exposition]:
    """Measure both exporters with so many environments, scrape by scrape in turn."""
    with _peer() as (peer, samples):
        return [_measure(number, scrapes, peer, samples) for number in environments]


def measure_together(environments: int, scrapers: Sequence[int]) -> list[Together]:
    """Measure both exporters with so many scrapers at once, in turn."""
    with (
        _peer() as (peer, samples),
        Child("benchmarks.exposing") as child,
        _running(peer, samples, environments) as theirs,
    ):
        ours = _Server(child.pid, child.ask({"environments": environments}))
        ours.scrape("gzip")
        return [_together(environments, number, child, ours, theirs) for number in scrapers]


def _together(environments: int, scrapers: int, child: Child, ours: _Server, theirs: _Server | None) -> Together:
    costs: list[float] = []
    peer_costs: list[float] = []
    encodings = 0
    for _ in range(ROUNDS):
        child.ask({"together": scrapers})
        costs.append(ours.cost_of_many(scrapers))
        encodings = max(encodings, child.ask({"together": 0})["encodings"])
        if theirs is not None:
            peer_costs.append(theirs.cost_of_many(scrapers))
    peer_cpu = statistics.median(peer_costs) if peer_costs else None
    return Together(environments, scrapers, encodings, statistics.median(costs), peer_cpu)


def _measure(environments: int, scrapes: int, peer: Path | None, samples: Path) -> Exposition:
    with Child("benchmarks.exposing") as child:
        ours = _Server(child.pid, child.ask({"environments": environments}))
        with _running(peer, samples, environments) as theirs:
            servers = [ours] if theirs is None else [ours, theirs]
            sizes = {coding: [server.scrape(coding) for server in servers] for coding in CODINGS}  # warm up
            child.ask({"together": 0})
            costs: dict[str, list[list[float]]] = {coding: [[] for _ in servers] for coding in CODINGS}
            for _ in range(scrapes * (3 if environments <= 100 else 1)):  # the shorter, the more noise
                for coding, server in ((coding, server) for coding in CODINGS for server in range(len(servers))):
                    costs[coding][server].append(servers[server].cost(coding))
            used = [memory(server.pid).peak for server in servers]
            longest = child.ask({"together": 0})["longest"]
    written = [
        Written(
            coding=coding,
            size=sizes[coding][0],
            cpu=statistics.median(costs[coding][0]),
            peer_cpu=statistics.median(costs[coding][1]) if theirs else None,
        )
        for coding in CODINGS
    ]
    series = environments * _series()
    peak, peer_peak = used[0], used[1] if theirs else None
    return Exposition(environments, series, written, longest, peak, peer_peak)


@contextmanager
def _running(peer: Path | None, samples: Path, environments: int) -> Iterator[_Server | None]:
    if peer is None:
        yield None
        return
    process = subprocess.Popen([str(peer), str(samples), str(environments)], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise TypeError("the process has no pipe")
        yield _Server(process.pid, process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def _samples() -> list[dict[str, Any]]:
    """The samples of one environment, as the Go exporter reads them."""
    recorded = _Recorded()
    add_environment(recorded, busy(1).environments[0])
    return recorded.samples


def _series() -> int:
    """How many series an environment has."""
    families = environment_families(busy(1).environments[0], Shape())
    return sum(len(family.samples) for family in families)


class _Recorded:
    """Takes the samples of one environment."""

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []

    def add(self, spec: MetricSpec, labels: tuple[str, ...], value: float | None) -> None:
        if value is not None:
            self.samples.append(_described(spec, labels) | {"Type": spec.type, "Value": float(value)})

    def add_histogram(self, spec: MetricSpec, labels: tuple[str, ...], histogram: Histogram) -> None:
        rows = histogram.cumulative()
        exemplars = [
            {"Labels": example.labels, "Value": example.value, "Timestamp": example.timestamp}
            for _, _, example in rows
            if example is not None
        ]
        self.samples.append(
            _described(spec, labels)
            | {"Type": "histogram", "Buckets": {str(bound): count for bound, count, _ in rows}}
            | {"Count": rows[-1][1], "Sum": histogram.sum, "Exemplars": exemplars}
        )


def _described(spec: MetricSpec, labels: tuple[str, ...]) -> dict[str, Any]:
    return {"Name": spec.name, "Help": spec.help, "Labels": spec.labels[2:], "Values": labels[2:]}
