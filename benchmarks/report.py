"""The results as Markdown."""

import os
import platform
from collections.abc import Iterable, Sequence

from benchmarks.limits import MIB, verdicts
from benchmarks.results import Backlog, Comparison, Cost, Exposition, Results, Start, Together
from benchmarks.usage import Memory
from tools.markdown import fill, table


def report(results: Results, command: str, seconds: float, *, quick: bool = False) -> str:
    """All tables.

    Args:
        results: What to show.
        command: What made them.
        seconds: How long that took.
        quick: Whether times are not judged.
    """
    parts = [_machine(command, seconds)]
    if results.histories:
        live = results.histories[0].live
        parts += [f"### A longer history, {live} live items", _comparisons(results.histories, "items")]
        parts += ["### The first traversal, and memory", _sizes(results.histories)]
    if results.starts:
        parts += ["### A first start at the default pace", _starts(results.starts)]
    if results.live:
        parts += [f"### More live items, {results.live[0].items:,} items", _comparisons(results.live, "live")]
    others = [each for each in (results.idle, results.environments) if each is not None]
    if others:
        parts += ["### Other cases", _others(others)]
    if results.backlog is not None:
        parts += [f"### {results.backlog.live:,} live items at once", _backlog(results.backlog)]
    if results.exposition:
        parts += ["### Writing the metrics", _exposition(results.exposition)]
    if results.together:
        environments = results.together[0].environments
        parts += [f"### Many scrapers at once, {environments:,} environments", _together(results.together)]
    found = verdicts(results, quick=quick)
    if found:
        rows = [[each.what, each.limit, each.measured, "yes" if each.holds else "**no**"] for each in found]
        parts += ["### Limits", table(["what", "limit", "measured", "holds"], rows)]
    return "\n\n".join(parts) + "\n"


def insert(document: str, text: str) -> str:
    """Put the report into its place in a document.

    Raises:
        ValueError: The document does not have that place.
    """
    return fill(document, "figures", text.rstrip("\n"))


def _machine(command: str, seconds: float) -> str:
    return (
        f"Made in {_seconds(seconds)} by `{command}` with {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()}, {platform.machine()}, {os.cpu_count()} cores."
    )


def _comparisons(comparisons: Sequence[Comparison], varied: str) -> str:
    latencies = [cost.latency for cost in comparisons[0].costs]
    header = [varied, "fewest pages", "", "requests", "received", "CPU"]
    header += [f"wall at {latency * 1000:g} ms" for latency in latencies] + ["peak memory"]
    rows = []
    for comparison in comparisons:
        start = [f"{getattr(comparison, varied):,}", f"{comparison.fewest:,}"]
        rows.append([*start, "exporter", *_costs(comparison.costs, comparison.memory)])
        if comparison.peer is not None:
            rows.append(["", "", "SDK pager", *_costs(comparison.peer.costs, comparison.peer.memory)])
            rows.append(["", "", "ratio", *_ratios(comparison.costs, comparison.peer.costs), ""])
    partly = sorted({comparison.items for comparison in comparisons if _partly(comparison)})
    return table(header, rows) + "".join(_footnote(comparisons, items) for items in partly)


def _partly(comparison: Comparison) -> bool:
    return comparison.peer is not None and comparison.peer.costs[0].share < 1


def _footnote(comparisons: Iterable[Comparison], items: int) -> str:
    shares = {each.peer.costs[0].share for each in comparisons if each.peer is not None and each.items == items}
    pages = round(shares.pop() * items / 100)
    return (
        f"\n\n≈: extrapolated. Of {items:,} items the pager read the first {pages:,} pages; requests, bytes and "
        f"seconds are {items / (pages * 100):g} times what that took."
    )


def _costs(costs: Sequence[Cost], memory: Memory) -> list[str]:
    first = costs[0]
    about = "≈ " if first.share < 1 else ""
    cpu = max(cost.cpu for cost in costs)
    cells = [f"{about}{first.requests:,.0f}", f"{about}{_bytes(first.received)}", f"{about}{_seconds(cpu)}"]
    return cells + [f"{about}{_seconds(cost.wall)}" for cost in costs] + [_bytes(memory.peak)]


def _ratios(costs: Sequence[Cost], peer: Sequence[Cost]) -> list[str]:
    cpu = max(cost.cpu for cost in peer) / max(cost.cpu for cost in costs)
    ratios = [peer[0].requests / costs[0].requests, peer[0].received / costs[0].received, cpu]
    ratios += [theirs.wall / ours.wall for theirs, ours in zip(peer, costs, strict=True)]
    return [f"{ratio:,.{0 if ratio >= 10 else 1}f} times" for ratio in ratios]


def _sizes(comparisons: Iterable[Comparison]) -> str:
    header = ["items", "pages", "read at full speed in", "CPU", "peak memory", "checkpoint", "ready after a restart in"]
    header += ["peak memory after it", "first scrape"]
    rows = [
        [
            f"{each.items:,}",
            f"{each.items / 100:,.0f}",
            _seconds(each.first.seconds),
            _seconds(each.first.cpu),
            _bytes(each.first.memory.peak),
            _bytes(each.first.checkpoint),
            _seconds(each.restart.ready),
            _bytes(each.memory.peak),
            ("whole" if each.restart.whole else "not whole") + f", {_seconds(each.restart.first_scrape)}",
        ]
        for each in comparisons
    ]
    return table(header, rows)


def _starts(starts: Iterable[Start]) -> str:
    rows = [
        [
            f"{each.items:,}",
            f"{each.latency * 1000:g} ms",
            "reads on from it" if each.any_cursor else "refuses it",
            f"{each.first.requests:,}",
            _seconds(each.first.seconds),
            f"{each.first.requests / each.first.seconds:.1f}",
        ]
        for each in starts
    ]
    header = ["items", "a request takes", "an ID that no item has: the API", "requests", "complete after"]
    return table([*header, "requests per second"], rows)


def _others(comparisons: Iterable[Comparison]) -> str:
    rows = []
    for each in comparisons:
        what = f"{each.environments} of {each.items:,} items, {each.live} live" + (
            f" ({each.far} far back)" * (each.far > 0)
        )
        rows.append([what, *_costs(each.costs, each.memory)])
        latencies = [cost.latency for cost in each.costs]
    walls = [f"wall at {latency * 1000:g} ms" for latency in latencies]
    return table(["environments", "requests", "received", "CPU", *walls, "peak memory"], rows)


def _backlog(backlog: Backlog) -> str:
    rows = [
        [
            "scrapes",
            f"{backlog.scrapes}, one every {backlog.interval:g} s, at {backlog.latency * 1000:g} ms per request",
        ],
        ["scrapes with complete counts", f"{backlog.whole}"],
        ["slowest scrape", _seconds(backlog.slowest_scrape)],
        ["oldest data shown", _seconds(backlog.oldest)],
        ["one refresh", f"{backlog.refresh_requests:,} requests, {_seconds(backlog.refresh_seconds)}"],
        ["CPU per refresh", _seconds(backlog.cpu)],
        ["slowest health check meanwhile", _seconds(backlog.slowest_health)],
        ["memory", f"{_bytes(backlog.memory.resident)}, at its peak {_bytes(backlog.memory.peak)}"],
        ["peak memory of the first traversal", _bytes(backlog.first.memory.peak)],
        ["checkpoint", _bytes(backlog.first.checkpoint)],
    ]
    return table(["", ""], rows)


def _exposition(expositions: Sequence[Exposition]) -> str:
    header = ["environments", "series", "encoding", "size", "CPU", "client_golang", "ratio", "loop at one thing"]
    header += ["peak memory", "client_golang's"]
    rows = []
    for each in expositions:
        for written in each.written:
            peer = _peer(written.cpu, written.peer_cpu)
            first = written is each.written[0]
            peer_peak = "" if each.peer_peak is None else _bytes(each.peer_peak)
            of_all = [_milliseconds(each.longest), _bytes(each.peak), peer_peak]
            start = [f"{each.environments:,}", f"{each.series:,}"]
            costs = [written.coding, _bytes(written.size), _milliseconds(written.cpu), *peer]
            rows.append([*(start if first else ["", ""]), *costs, *(of_all if first else [""] * len(of_all))])
    return table(header, rows)


def _together(togethers: Iterable[Together]) -> str:
    rows = [
        [f"{each.scrapers}", f"{each.encodings}", _milliseconds(each.cpu), *_peer(each.cpu, each.peer_cpu)]
        for each in togethers
    ]
    return table(["scrapers", "encodings", "CPU", "client_golang", "ratio"], rows)


def _peer(cpu: float, peer_cpu: float | None) -> list[str]:
    """What the peer took, and the ratio."""
    return ["not built", ""] if peer_cpu is None else [_milliseconds(peer_cpu), f"{cpu / peer_cpu:.2f}"]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.{1 if seconds < 0.01 else 0}f} ms"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 600:
        return f"{seconds:.{1 if seconds < 100 else 0}f} s"
    return f"{seconds / 60:.0f} min"


def _bytes(count: float) -> str:
    for size, unit in ((MIB * 1024, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if count >= size:
            return f"{count / size:.{1 if count < 10 * size else 0}f} {unit}"
    return f"{count:.0f} B"
