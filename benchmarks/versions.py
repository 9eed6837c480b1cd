"""CPU per scrape of this version beside that of another checkout, both on one simulated API in turn.

python -m benchmarks.versions ../other-checkout ../other-checkout/.venv/bin/python
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from benchmarks.layout import Layout
from benchmarks.measure import FOREVER, shows_truth
from benchmarks.program import Exporter, Version, configuration
from benchmarks.service import Environment, Service
from benchmarks.usage import cpu_seconds

CASES: dict[str, tuple[Layout, ...]] = {
    "100,000 items, 60 live": (Layout("history", 100_000, 60, 6),),
    "100 environments of 1,000 items, 5 live each": tuple(
        Layout(f"environment-{number}", 1_000, 5, 1) for number in range(100)
    ),
    "500 environments of 1,000 items, 5 live each": tuple(
        Layout(f"environment-{number}", 1_000, 5, 1) for number in range(500)
    ),
}

PAUSE = 0.3
"""Seconds between two rounds of scrapes, so that what follows a scrape is over."""


def measure(layouts: Sequence[Layout], versions: Sequence[Version], scrapes: int) -> list[tuple[int, list[float]]]:
    """Return for each version the requests per scrape, and the CPU seconds of each scrape.

    The pace is raised for all alike, and every scrape has a refresh of its own.
    """
    with ExitStack() as stack:
        service = stack.enter_context(Service(*layouts))
        exporters = [stack.enter_context(_ready(stack, service, version)) for version in versions]
        costs: list[list[float]] = [[] for _ in versions]
        requests = [0 for _ in versions]
        for _ in range(scrapes):
            time.sleep(PAUSE)
            for number, exporter in enumerate(exporters):
                service.forget_requests()
                before = cpu_seconds(exporter.pid)
                exporter.fetch(FOREVER)
                costs[number].append(cpu_seconds(exporter.pid) - before)
                requests[number] = service.received().requests
        for exporter in exporters:
            _wait_for_truth(exporter, service.environments)
    return list(zip(requests, costs, strict=True))


def _ready(stack: ExitStack, service: Service, version: Version) -> Exporter:
    """Return a version that has read everything once, when it is entered and scraped."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    config = configuration(service.base_url, service.environments, directory / "checkpoint", unpaced=True)
    with Exporter(config, directory, version) as exporter:
        _wait_for_truth(exporter, service.environments)
    return Exporter(config, directory, version)


def _wait_for_truth(exporter: Exporter, environments: Sequence[Environment]) -> None:
    while not shows_truth(exporter.scrape(FOREVER), environments):
        time.sleep(PAUSE)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("checkout", type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True))
@click.argument("python")
@click.option("--scrapes", type=click.IntRange(3), default=15, show_default=True, help="Scrapes of each version.")
@click.option("--case", "names", type=click.Choice(list(CASES)), multiple=True, default=list(CASES))
def main(*, checkout: Path, python: str, scrapes: int, names: Sequence[str]) -> None:
    """Measure the CPU per scrape of the version in CHECKOUT, run by its PYTHON, and of this one."""
    versions = (Version(python, checkout), Version(sys.executable))
    click.echo("| | requests | CPU before | CPU now | ratio, the middle half |\n| --- | --- | --- | --- | --- |")
    for name in names:
        (_, before), (requests, now) = measure(CASES[name], versions, scrapes)
        ratios = sorted(new / old for old, new in zip(before, now, strict=True))
        low, middle, high = statistics.quantiles(ratios, n=4)
        click.echo(
            f"| {name} | {requests:,} | {statistics.median(before) * 1000:.1f} ms "
            f"| {statistics.median(now) * 1000:.1f} ms | {middle:.2f} ({low:.2f} to {high:.2f}) |"
        )


if __name__ == "__main__":
    main()
