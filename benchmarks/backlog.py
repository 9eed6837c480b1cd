"""A backlog so large that a refresh takes longer than a scrape: what is shown meanwhile."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.layout import Layout
from benchmarks.measure import USUAL_TIMEOUT, WrongAnswerError, restarted, shows_truth, traverse
from benchmarks.program import Exporter, Scrape
from benchmarks.results import Backlog
from benchmarks.service import Environment, Service
from benchmarks.usage import cpu_seconds, memory

HEALTH_INTERVAL = 0.05
"""Seconds between two health checks."""


def measure_backlog(live: int, *, latency: float, interval: float, scrapes: int) -> Backlog:
    """Scrape an environment of which every item is live, as Prometheus does, at the default pace.

    Args:
        live: Items.
        latency: Seconds by which the API's answers are held back.
        interval: Seconds between the beginnings of two scrapes.
        scrapes: How many, after the first one that shows everything.
    """
    with Service(Layout("backlog", live, live, 0)) as service, tempfile.TemporaryDirectory() as directory:
        [environment] = service.environments
        first = traverse(service, service.environments, Path(directory))
        service.answer_after(latency)
        with restarted(service, service.environments, Path(directory)) as exporter:
            while not shows_truth(exporter.scrape(USUAL_TIMEOUT), service.environments):
                pass
            service.forget_requests()
            cpu = cpu_seconds(exporter.pid)
            with _health_checks(exporter) as waits:
                seen = [_scrape_in_turn(exporter, interval) for _ in range(scrapes)]
            cpu = cpu_seconds(exporter.pid) - cpu
            requests = service.received().requests
            newest = seen[-1]
            refresh_requests = _shown(newest, "qoder_work_refresh_requests", environment)
            return Backlog(
                live=live,
                latency=latency,
                interval=interval,
                scrapes=scrapes,
                whole=sum(shows_truth(scrape, service.environments) for scrape in seen),
                slowest_scrape=max(scrape.seconds for scrape in seen),
                oldest=max(_age(scrape, environment) for scrape in seen),
                refresh_seconds=_shown(newest, "qoder_work_refresh_duration_seconds", environment),
                refresh_requests=int(refresh_requests),
                cpu=cpu * refresh_requests / requests,
                slowest_health=max(waits),
                memory=memory(exporter.pid),
                first=first,
            )


def _scrape_in_turn(exporter: Exporter, interval: float) -> Scrape:
    """Scrape, and wait until it is time for the next scrape."""
    start = time.monotonic()
    scrape = exporter.scrape(USUAL_TIMEOUT)
    time.sleep(max(0.0, start + interval - time.monotonic()))
    return scrape


def _age(scrape: Scrape, environment: Environment) -> float:
    """Seconds since the data shown were read; infinite if none are."""
    read_at = scrape.value("qoder_work_snapshot_timestamp_seconds", environment)
    return float("inf") if read_at is None else scrape.at - read_at


def _shown(scrape: Scrape, name: str, environment: Environment) -> float:
    value = scrape.value(name, environment)
    if value is None:
        raise WrongAnswerError(f"{name} is not shown")
    return value


@contextmanager
def _health_checks(exporter: Exporter) -> Iterator[list[float]]:
    """Ask for the exporter's health again and again inside this block; gives the seconds of each answer."""
    waits: list[float] = []
    ending = threading.Event()

    def check() -> None:
        while not ending.wait(HEALTH_INTERVAL):
            waits.append(exporter.health_seconds())

    thread = threading.Thread(target=check, name="health checks")
    thread.start()
    try:
        yield waits
    finally:
        ending.set()
        thread.join()
