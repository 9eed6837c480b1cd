"""What the exporter has to keep to, and whether it did."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.results import Backlog, Comparison, Cost, Exposition, Results, Together

MIB = 1024 * 1024

CPU = 0.050
"""Seconds of CPU time that a scrape may take, with some tens of live items."""

ROUND_TRIPS = 4
"""Round trips to the API that such a scrape may last."""

GROWTH = 0.10
"""How much more CPU time a list ten times as long may cost."""

RESIDENT = 120 * MIB
"""Memory with a list of a million items."""

BACKLOG_RESIDENT = 250 * MIB
"""Memory with a hundred thousand live items."""

SCRAPE_TIMEOUT = 10.0
"""Seconds after which Prometheus gives up by default."""

MAX_STALENESS = 60.0
"""The default of ``scrape.max_staleness`` in seconds."""


GO_RATIO = 0.70
"""CPU time to write the metrics, compared with an exporter on client_golang."""

LOOP = 0.020
"""Seconds for which the event loop may do one thing."""

EXPOSITION_PEAK = {500: 150 * MIB, 2000: 400 * MIB}
"""Memory by number of environments."""

SLACK = 1.2
"""How much worse a ratio may be in a quick run, whose few scrapes share the machine with whatever else there is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit.

    Attributes:
        what: What is limited, and where.
        limit: The limit, in words.
        measured: What was measured, in words.
        holds: Whether it was kept.
        timed: Whether it is a time, which depends on the machine, instead of a count, a size or a ratio.
    """

    what: str
    limit: str
    measured: str
    holds: bool
    timed: bool = False


def verdicts(results: Results, *, quick: bool = False) -> list[Verdict]:
    """Judge whatever was measured.

    Args:
        results: What was measured.
        quick: Whether in a hurry, and so perhaps on a busy machine: only counts, sizes and ratios are judged.
    """
    slack = SLACK if quick else 1.0
    found: list[Verdict] = []
    for comparison in results.histories:
        found += _scrape(comparison)
    if len(results.histories) > 1:
        found += _growth(results.histories[-2], results.histories[-1], slack)
        found += _length(results.histories[-1])
    for exposition in results.exposition:
        found += _exposition(exposition, slack)
    found += map(_together, results.together)
    if results.idle is not None:
        found.append(_idle(results.idle))
    if results.environments is not None:
        found += _environments(results.environments)
    if results.backlog is not None:
        found += _backlog(results.backlog)
    return [verdict for verdict in found if not (quick and verdict.timed)]


def _exposition(exposition: Exposition, slack: float) -> Iterator[Verdict]:
    where = f"writing the metrics of {exposition.environments:,} environments"
    for written in exposition.written:
        if written.peer_cpu is not None and exposition.environments > 1:  # for one, the web server's own cost decides
            ratio, limit = written.cpu / written.peer_cpu, GO_RATIO * slack
            what = f"{where}, {written.coding}: CPU of client_golang's"
            yield Verdict(what, f"≤ {limit:.0%}", f"{ratio:.0%}", ratio <= limit)
    longest = f"{exposition.longest * 1000:.0f} ms"
    yield Verdict(f"{where}: the loop at one thing", f"≤ {LOOP * 1000:g} ms", longest, exposition.longest <= LOOP, True)
    if most := EXPOSITION_PEAK.get(exposition.environments):
        peak = exposition.peak
        yield Verdict(f"{where}: memory, at its peak", f"≤ {most / MIB:g} MiB", f"{peak / MIB:.0f} MiB", peak <= most)


def _together(together: Together) -> Verdict:
    what = f"{together.scrapers} scrapers at once, {together.environments:,} environments: the metrics are written"
    return Verdict(what, "once", f"{together.encodings} times", together.encodings == 1)


def _scrape(comparison: Comparison) -> Iterator[Verdict]:
    where = f"{comparison.items:,} items, {comparison.live:,} live"
    yield Verdict(
        f"{where}: requests per scrape",
        f"≤ {comparison.fewest} windows + 2",
        f"{_most(comparison.costs, _requests):g}",
        _most(comparison.costs, _requests) <= comparison.fewest + 2,
    )
    cpu = _most(comparison.costs, lambda cost: cost.cpu)
    yield Verdict(f"{where}: CPU per scrape", f"≤ {CPU * 1000:g} ms", f"{cpu * 1000:.0f} ms", cpu <= CPU, True)
    for cost in comparison.costs:
        if cost.latency:
            trips = cost.wall / cost.latency
            what = f"{where}: wall time at {cost.latency * 1000:g} ms per request"
            yield Verdict(what, f"≤ {ROUND_TRIPS} round trips", f"{trips:.1f}", trips <= ROUND_TRIPS, True)


def _growth(shorter: Comparison, longer: Comparison, slack: float) -> Iterator[Verdict]:
    where = f"{longer.items:,} items against {shorter.items:,}"
    requests = [_most(comparison.costs, _requests) for comparison in (shorter, longer)]
    measured = " and ".join(f"{each:g}" for each in requests)
    yield Verdict(f"{where}: requests per scrape", "the same", measured, requests[0] == requests[1])
    ratio = sum(cost.cpu for cost in longer.costs) / sum(cost.cpu for cost in shorter.costs)
    limit = (1 + GROWTH) * slack
    yield Verdict(f"{where}: CPU per scrape", f"≤ {limit:.0%}", f"{ratio:.0%}", ratio <= limit)


def _length(longest: Comparison) -> Iterator[Verdict]:
    peak = max(longest.first.memory.peak, longest.memory.peak)
    yield Verdict(
        f"{longest.items:,} items: memory, at its peak",
        f"≤ {RESIDENT / MIB:g} MiB",
        f"{peak / MIB:.0f} MiB",
        peak <= RESIDENT,
    )
    whole = "whole" if longest.restart.whole else "not whole"
    what = f"{longest.items:,} items: the first scrape after a restart with a checkpoint"
    yield Verdict(what, "whole", whole, longest.restart.whole)


def _idle(idle: Comparison) -> Verdict:
    requests = _most(idle.costs, _requests)
    return Verdict("an idle environment: requests per scrape", "2", f"{requests:g}", requests == 2)


def _environments(comparison: Comparison) -> Iterator[Verdict]:
    where = f"{comparison.environments} environments of {comparison.items:,} items, {comparison.live} live each"
    each = _most(comparison.costs, _requests) / comparison.environments
    yield Verdict(f"{where}: requests per environment", "≤ 3", f"{each:g}", each <= 3)
    wall = _most(comparison.costs, lambda cost: cost.wall)
    limit = f"≤ {SCRAPE_TIMEOUT:g} s"
    yield Verdict(f"{where}: a scrape at the default pace", limit, f"{wall:.1f} s", wall <= SCRAPE_TIMEOUT, True)


def _backlog(backlog: Backlog) -> Iterator[Verdict]:
    where = f"{backlog.live:,} live at once"
    whole = f"{backlog.whole} of {backlog.scrapes}"
    yield Verdict(f"{where}: scrapes with complete counts", "all", whole, backlog.whole == backlog.scrapes)
    yield Verdict(
        f"{where}: age of the data shown",
        f"≤ {MAX_STALENESS:g} s",
        f"≤ {backlog.oldest:.0f} s",
        backlog.oldest <= MAX_STALENESS,
        True,
    )
    slowest = backlog.slowest_scrape
    limit = f"≤ {SCRAPE_TIMEOUT:g} s"
    yield Verdict(f"{where}: slowest scrape", limit, f"{slowest:.1f} s", slowest <= SCRAPE_TIMEOUT, True)
    peak = max(backlog.memory.peak, backlog.first.memory.peak)
    limit = f"< {BACKLOG_RESIDENT / MIB:g} MiB"
    yield Verdict(f"{where}: memory, at its peak", limit, f"{peak / MIB:.0f} MiB", peak < BACKLOG_RESIDENT)


def _requests(cost: Cost) -> float:
    return cost.requests


def _most(costs: Sequence[Cost], value: Callable[[Cost], float]) -> float:
    return max(value(cost) for cost in costs)
