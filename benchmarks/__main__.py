"""The command line."""

import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import msgspec

from benchmarks.backlog import measure_backlog
from benchmarks.exposition import measure_exposition, measure_together
from benchmarks.layout import Layout
from benchmarks.limits import verdicts
from benchmarks.measure import Effort, compare, start
from benchmarks.report import insert, report
from benchmarks.results import Results


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the cases are, and how thoroughly each is measured.

    Attributes:
        histories: Lengths of the lists with 60 live items.
        live: Numbers of live items, in lists of ``live_items``.
        live_items: That length.
        live_effort: How much to measure there, where some refreshes take long.
        environments: How many environments there are where there are many.
        start: Length of the list that is read for the first time at the default pace.
        backlog: Items that are live at once.
        interval: Seconds between two scrapes of the backlog.
        backlog_scrapes: How many.
        effort: How much to measure elsewhere.
        exposed: Numbers of environments whose metrics are written.
        scrapers: Numbers of scrapers that come at once, with ``environments`` of them.
    """

    histories: tuple[int, ...]
    live: tuple[int, ...]
    live_items: int
    live_effort: Effort
    environments: int
    start: int
    backlog: int
    interval: float
    backlog_scrapes: int
    effort: Effort
    exposed: tuple[int, ...]
    scrapers: tuple[int, ...]


EXPOSITION_SCRAPES = 7
"""Scrapes of each exporter in each encoding; they take milliseconds."""

LATENCY = 0.040
"""Seconds that a request takes where the API is not on the same machine."""

# Above one second of pause no scrape is paced because of the one before.
_EFFORT = Effort(scrapes=20, latencies=(0.0, LATENCY), pause=1.05, peer_whole=100_000, peer_pages=500)
_QUICK = Effort(scrapes=3, latencies=(0.0, LATENCY), pause=0.1, peer_whole=500, peer_pages=5)

FULL = Scale(
    histories=(1_000, 10_000, 100_000, 1_000_000),
    live=(10, 100, 1_000, 10_000),
    live_items=100_000,
    live_effort=replace(_EFFORT, scrapes=5, peer_whole=10_000, peer_pages=100),
    environments=100,
    start=100_000,
    backlog=100_000,
    interval=15.0,
    backlog_scrapes=8,
    effort=_EFFORT,
    exposed=(1, 100, 500, 2_000),
    scrapers=(1, 2, 10, 50),
)

QUICK = Scale(
    histories=(5_000, 50_000),
    live=(10, 100),
    live_items=10_000,
    live_effort=_QUICK,
    environments=10,
    start=2_000,
    backlog=2_000,
    interval=0.5,
    backlog_scrapes=4,
    effort=_QUICK,
    exposed=(1, 100, 500),
    scrapers=(1, 50),
)


def _measure_histories(scale: Scale, results: Results) -> None:
    results.histories = compare([[Layout("history", items, 60, 6)] for items in scale.histories], scale.effort)


def _measure_live(scale: Scale, results: Results) -> None:
    layouts = [[Layout("live", scale.live_items, live, live // 10)] for live in scale.live]
    results.live = compare(layouts, scale.live_effort)


def _measure_idle(scale: Scale, results: Results) -> None:
    [results.idle] = compare([[Layout("idle", 10_000, 0, 0)]], replace(scale.effort, peer_whole=None))


def _measure_environments(scale: Scale, results: Results) -> None:
    layouts = [Layout(f"environment-{number}", 1_000, 5, 1) for number in range(scale.environments)]
    effort = replace(scale.live_effort, peer_whole=None)
    [results.environments] = compare([layouts], effort)


def _measure_starts(scale: Scale, results: Results) -> None:
    layouts = [Layout("start", scale.start, 60, 6, any_cursor=any_cursor) for any_cursor in (True, False)]
    results.starts = [start(layout, LATENCY) for layout in layouts]


def _measure_backlog(scale: Scale, results: Results) -> None:
    results.backlog = measure_backlog(
        scale.backlog, latency=LATENCY, interval=scale.interval, scrapes=scale.backlog_scrapes
    )


def _measure_exposition(scale: Scale, results: Results) -> None:
    results.exposition = measure_exposition(scale.exposed, EXPOSITION_SCRAPES)


def _measure_scrapers(scale: Scale, results: Results) -> None:
    results.together = measure_together(scale.environments, scale.scrapers)


CASES: dict[str, Callable[[Scale, Results], None]] = {
    "histories": _measure_histories,
    "live": _measure_live,
    "idle": _measure_idle,
    "environments": _measure_environments,
    "starts": _measure_starts,
    "backlog": _measure_backlog,
    "exposition": _measure_exposition,
    "scrapers": _measure_scrapers,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--cases",
    "names",
    type=click.Choice(list(CASES)),
    multiple=True,
    default=list(CASES),
    help="What to measure; may be repeated. Everything by default. A restart is measured with every case.",
)
@click.option("--quick", is_flag=True, help="Shorter lists and fewer scrapes; times are not judged.")
@click.option("--scrapes", type=click.IntRange(1), help="Scrapes of each exporter at each latency; 20 by default.")
@click.option(
    "--peer-pages", type=click.IntRange(1), help="Pages that the SDK pager reads of lists too long to be read whole."
)
@click.option(
    "--write",
    "document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Also write the tables into this Markdown file, between its marks.",
)
@click.option("--json", "data", type=click.Path(path_type=Path), help="Also write the figures into this JSON file.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if a limit does not hold.")
def main(
    *,
    names: tuple[str, ...],
    quick: bool,
    scrapes: int | None,
    peer_pages: int | None,
    document: Path | None,
    data: Path | None,
    strict: bool,
) -> None:
    """Measure what a scrape costs: the exporter, and a pager on the official client, on a simulated API."""
    scale = QUICK if quick else FULL
    scale = replace(
        scale,
        effort=_adjusted(scale.effort, scrapes, peer_pages),
        live_effort=_adjusted(scale.live_effort, scrapes, peer_pages),
    )
    results, begun = Results(), time.monotonic()
    for name, measure in CASES.items():
        if name in names:
            click.echo(f"{time.monotonic() - begun:6.0f} s  {name} …", err=True)
            measure(scale, results)
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    text = report(results, command, time.monotonic() - begun, quick=quick)
    click.echo(text)
    if data is not None:
        data.write_bytes(msgspec.json.encode(results))
    if document is not None:
        document.write_text(insert(document.read_text(), text))
    if strict and not all(verdict.holds for verdict in verdicts(results, quick=quick)):
        raise SystemExit(1)


def _adjusted(effort: Effort, scrapes: int | None, peer_pages: int | None) -> Effort:
    return replace(
        effort,
        scrapes=effort.scrapes if scrapes is None else scrapes,
        peer_pages=effort.peer_pages if peer_pages is None else peer_pages,
    )


if __name__ == "__main__":
    main()
