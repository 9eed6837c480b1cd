"""The command `inspect`: what it takes, what it shows, and how it ends."""

import asyncio
import contextlib
import sys
from asyncio import sleep
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from rich.console import Console, RenderableType

from exporter import logs
from exporter.cli.failure import Failure
from exporter.cli.flags import LOG, Flags, flag, takes
from exporter.cli.inspect import render
from exporter.cli.inspect.bar import Bar
from exporter.cli.inspect.direct import API
from exporter.cli.inspect.running import RunningExporter
from exporter.cli.inspect.source import InspectError, Source
from exporter.config import ConfigError, load
from exporter.web.selection import MAX_ITEMS, SEVERITIES, SORTS, ItemSelection, Selection

WARNING_STATUS, CRITICAL_STATUS = 3, 4
_STATUSES = {"critical": CRITICAL_STATUS, "warning": WARNING_STATUS, "unknown": WARNING_STATUS, "ok": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        environment: The environment, or None for all.
        work_id: The item, or None for all live ones.
        state: Only items in this state.
        limit: How many items at most.
        severity: Only environments with this severity or worse.
        sort: The order of the environments.
        as_json: Whether the answer is JSON.
    """

    environment: str | None
    work_id: str | None
    state: str | None
    limit: int
    severity: str | None
    sort: str
    as_json: bool


@click.command()
@click.argument("environment", required=False, metavar="[ENV")
@click.argument("work_id", required=False, metavar="[WORK_ID]]")
@flag(
    "url", help="Address of a running exporter, with user:password@ if it requires them; without it the API is asked."
)
@flag(
    "ca-file", type=click.Path(path_type=Path), help="CA certificates to trust in addition to the system's, with --url."
)
@click.option("--state", help="Only items in this state.")
@click.option(
    "--limit", type=click.IntRange(0, MAX_ITEMS), default=50, show_default=True, help="Maximum number of items."
)
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only environments with this severity or worse.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="severity", show_default=True, help="Sort environments by this."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--watch", is_flag=True, help="Refresh the output until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(1),
    default=5.0,
    show_default=True,
    help="Seconds between refreshes, with --watch.",
)
@click.option("--exit-code", is_flag=True, help="Exit 3 for warning or unknown, 4 for critical.")
@takes("config_file", *LOG)
def inspect(
    flags: Flags,
    *,
    url: str | None,
    ca_file: Path | None,
    watch: bool,
    interval: float,
    exit_code: bool,
    **asked: object,
) -> None:
    """Show what is stuck: environments, one's live items worst first, or one item.

    ENV is an environment's ID or name. With --url a running exporter is asked, in milliseconds; without it the API
    itself, with the token of the configuration or of QODER_PAT, which reads the whole list of work first. One item
    without --url is asked of the API alone, live or not, and shown with every field.

    \b
    Examples:
      qoder-work-exporter inspect --url http://localhost:10190
      qoder-work-exporter inspect gpu-workers --url http://localhost:10190 --state starting
      qoder-work-exporter inspect gpu-workers work_019f3be4fd2475d9a784bf2c739e1194

    \b
    Exit status: 0, or 1 if nothing could be shown, for instance because nothing has that name.
    With --exit-code also 3 if the worst of what is shown is a warning or unknown, 4 if it is critical.
    """  # noqa: D301 - click knows a paragraph to keep as it is by this very character
    logs.configure(flags.log_level if "log_level" in flags.chosen else "error", flags.log_format)
    question = msgspec.convert(asked, type=Question)
    if question.work_id is not None and question.state is not None:
        raise click.UsageError("--state chooses among items, and WORK_ID names one: leave out one of the two")
    try:
        severity = asyncio.run(_inspect(question, flags, url, ca_file, interval if watch else None))
    except (InspectError, ConfigError) as error:
        hint = ["or ask a running exporter with --url"] if isinstance(error, ConfigError) else []
        raise Failure([*str(error).splitlines(), *hint]) from None
    except KeyboardInterrupt:
        severity = "ok"
        if not watch:
            raise
    if exit_code and (status := _STATUSES[severity]):
        sys.exit(status)


async def _inspect(
    question: Question, flags: Flags, url: str | None, ca_file: Path | None, interval: float | None
) -> str:
    """Ask once, or again and again; returns the worst severity shown."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    with contextlib.ExitStack() as stack:
        bar = Bar(errors)
        stack.callback(bar.stop)
        if errors.is_terminal and interval is None:
            bar.start()
        source: Source = RunningExporter(url, ca_file) if url else API(load(flags.config_file), bar.tell)
        async with source:
            while True:
                severity, content = await _answer(question, source)
                bar.stop()
                if interval is not None and console.is_terminal:
                    console.clear()
                if isinstance(content, str):
                    click.echo(content)
                else:
                    render.print_to(console, content)
                if interval is None:
                    return severity
                await sleep(interval)


async def _answer(question: Question, source: Source) -> tuple[str, RenderableType]:
    """The worst severity of what is asked for, and what to print; a plain string is printed as it is."""
    if question.environment is None:
        fleet = await source.fleet(Selection(sort=question.sort, severity=question.severity))
        return fleet.severity, render.as_json(fleet) if question.as_json else render.fleet(fleet)
    if question.work_id is None:
        selection = ItemSelection(limit=question.limit, state=question.state)
        items = await source.environment(question.environment, selection)
        shown = render.as_json(items) if question.as_json else render.environment(items, question.state)
        return items.environment.severity, shown
    found = await source.item(question.environment, question.work_id)
    return found.severity, render.as_json(found) if question.as_json else render.item(found)
