"""Measuring the exporter and the peer on one simulated account."""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.layout import PAGE, Layout, fewest_windows
from benchmarks.peer import Peer
from benchmarks.program import Exporter, Scrape, configuration
from benchmarks.results import Comparison, Cost, FirstTraversal, Pager, Restart, Start
from benchmarks.service import DEFAULT_TOKEN, Environment, Service
from benchmarks.usage import cpu_seconds, memory

FOREVER = 3600.0
"""The scrape timeout of scrapes that are to see their refresh end."""

USUAL_TIMEOUT = 10.0
"""Prometheus' default scrape timeout."""


class WrongAnswerError(Exception):
    """A program did not say what is true, so that its cost means nothing."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        scrapes: Scrapes of each exporter at each latency.
        latencies: Seconds by which the API's answers are held back.
        pause: Seconds between two rounds of scrapes; above 1 no scrape is paced because of the one before.
        peer_whole: Items up to which the peer reads the whole list; None for no peer at all.
        peer_pages: Pages of longer lists that it reads.
    """

    scrapes: int
    latencies: tuple[float, ...]
    pause: float
    peer_whole: int | None
    peer_pages: int


@dataclass(frozen=True, slots=True)
class _Subject:
    """One exporter, and what it watches."""

    exporter: Exporter
    service: Service
    environments: Sequence[Environment]

    def scrape(self) -> float:
        """Scrape with a refresh of every environment, and return the seconds that took."""
        begun = time.time()
        scrape = self.exporter.scrape(FOREVER)
        read_at = [scrape.value("qoder_work_snapshot_timestamp_seconds", each) for each in self.environments]
        if not shows_truth(scrape, self.environments) or any(at is None or at < begun for at in read_at):
            raise WrongAnswerError("a scrape was answered without a whole refresh of every environment")
        return scrape.seconds


def compare(populations: Sequence[Sequence[Layout]], effort: Effort) -> list[Comparison]:
    """Measure an exporter, and the peer, on each of these sets of environments.

    The scrapes of all of them take turns, so that whatever else the machine does meets all of them alike.

    Args:
        populations: Environments that one exporter watches, alike in everything but their names.
        effort: How much to measure.
    """
    layouts = [layout for population in populations for layout in population]
    with ExitStack() as stack:
        service = stack.enter_context(Service(*layouts))
        unclaimed = iter(service.environments)
        watched = [[next(unclaimed) for _ in population] for population in populations]
        firsts, restarts, subjects = [], [], []
        for environments in watched:
            here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            firsts.append(traverse(service, environments, here))
            exporter = stack.enter_context(restarted(service, environments, here))
            restarts.append(_restart(exporter, service, environments))
            subjects.append(_Subject(exporter, service, environments))
        costs = _take_turns(subjects, effort)
        used = [memory(subject.exporter.pid) for subject in subjects]
        pagers = [_page(service, environments[0], effort) for environments in watched]
    return [
        Comparison(
            environments=len(environments),
            items=population[0].items,
            live=population[0].live,
            far=population[0].far,
            fewest=max(fewest_windows(each.positions, each.items) for each in environments),
            first=first,
            restart=restart,
            costs=cost,
            memory=memory_used,
            peer=pager,
        )
        for population, environments, first, restart, cost, memory_used, pager in zip(
            populations, watched, firsts, restarts, costs, used, pagers, strict=True
        )
    ]


def start(layout: Layout, latency: float) -> Start:
    """Let the exporter read a list for the first time at the default pace."""
    with Service(layout) as service, tempfile.TemporaryDirectory() as directory:
        first = traverse(service, service.environments, Path(directory), unpaced=False, latency=latency)
    return Start(layout.items, latency, layout.any_cursor, first)


def traverse(
    service: Service,
    environments: Sequence[Environment],
    directory: Path,
    *,
    unpaced: bool = True,
    latency: float = 0.0,
) -> FirstTraversal:
    """Let the exporter read everything for the first time, and leave a checkpoint.

    Args:
        service: The API.
        environments: What to read.
        directory: Where to leave the checkpoint.
        unpaced: Whether without pacing instead of at the default pace.
        latency: Seconds by which the API's answers are held back.
    """
    service.answer_after(latency)
    service.forget_requests()
    checkpoint = directory / "checkpoint"
    with Exporter(configuration(service.base_url, environments, checkpoint, unpaced=unpaced), directory) as exporter:
        while not shows_truth(exporter.scrape(FOREVER), environments):
            pass
        seconds, cpu, used = time.monotonic() - exporter.started, cpu_seconds(exporter.pid), memory(exporter.pid)
        requests = service.received().requests
    return FirstTraversal(requests, seconds, cpu, used, checkpoint.stat().st_size)


def restarted(service: Service, environments: Sequence[Environment], directory: Path) -> Exporter:
    """An exporter at the default pace that goes on from the checkpoint of :func:`traverse`."""
    service.forget_requests()
    return Exporter(configuration(service.base_url, environments, directory / "checkpoint", unpaced=False), directory)


def shows_truth(scrape: Scrape, environments: Sequence[Environment]) -> bool:
    """Whether a scrape shows the true counts of every environment; False if some are not shown.

    Raises:
        WrongAnswerError: Counts are shown that are not true.
    """
    whole = True
    for environment in environments:
        counts = scrape.counts(environment)
        if counts not in (None, environment.counts):
            raise WrongAnswerError(f"{environment.name}: the exporter shows {counts}, true are {environment.counts}")
        whole &= counts is not None
    return whole


def _restart(exporter: Exporter, service: Service, environments: Sequence[Environment]) -> Restart:
    """Look at the first scrape of an exporter that has just come up."""
    ready = time.monotonic() - exporter.started
    scrape = exporter.scrape(USUAL_TIMEOUT)
    restart = Restart(ready, scrape.seconds, shows_truth(scrape, environments), service.received().requests)
    exporter.scrape(FOREVER)  # whatever is still under way is not to be measured later
    return restart


def _take_turns(subjects: Sequence[_Subject], effort: Effort) -> list[list[Cost]]:
    """Scrape one after the other, again and again; each scrape has a refresh of its own."""
    medians: list[list[Cost]] = [[] for _ in subjects]
    for latency in effort.latencies:
        costs: list[list[Cost]] = [[] for _ in subjects]
        for _ in range(effort.scrapes):
            time.sleep(effort.pause)
            for subject, mine in zip(subjects, costs, strict=True):
                mine.append(_cost(subject.service, subject.exporter.pid, latency, subject.scrape))
        for mine, result in zip(costs, medians, strict=True):
            result.append(_median(mine))
    return medians


def _page(service: Service, environment: Environment, effort: Effort) -> Pager | None:
    """Let the peer count an environment."""
    if effort.peer_whole is None:
        return None
    pages = math.ceil(environment.items / PAGE)
    read = pages if environment.items <= effort.peer_whole else min(pages, effort.peer_pages)
    with Peer(service.base_url, DEFAULT_TOKEN) as peer:

        def count() -> float:
            start = time.monotonic()
            counts = peer.count(environment.id, None if read == pages else read)
            seconds = time.monotonic() - start
            true = {state: count for state, count in environment.counts.items() if count}
            if read == pages and counts != true:
                raise WrongAnswerError(f"{environment.name}: the peer counts {counts}, true are {true}")
            return seconds

        service.answer_after(0)
        peer.count(environment.id, 1)  # what the client does at its first request is not the list's cost
        costs = [_cost(service, peer.pid, latency, count, read / pages) for latency in effort.latencies]
        return Pager(costs, memory(peer.pid))


def _cost(service: Service, pid: int, latency: float, answer: Callable[[], float], share: float = 1.0) -> Cost:
    """What it costs a process to do something that says how many seconds it took."""
    service.answer_after(latency)
    service.forget_requests()
    before = cpu_seconds(pid)
    wall = answer()
    cpu = cpu_seconds(pid) - before
    received = service.received()
    return Cost(latency, received.requests / share, received.bytes / share, cpu / share, wall / share, 1, share)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        latency=costs[0].latency,
        requests=statistics.median(cost.requests for cost in costs),
        received=statistics.median(cost.received for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        wall=statistics.median(cost.wall for cost in costs),
        measured=len(costs),
    )
