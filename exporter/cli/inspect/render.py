"""Reports as text for a terminal of 80 columns. Untrusted text cannot steer it."""

import json
from collections.abc import Iterable
from datetime import datetime

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from exporter.cli.inspect.source import InspectedItem
from exporter.web import schema
from exporter.web.report import LIVE_STATES
from exporter.web.severity import spoken
from exporter.web.text import printable

_STYLES = {"critical": "bold red", "warning": "yellow", "unknown": "magenta", "ok": "green"}
_UNKNOWN = "-"
_BAR_WIDTH = 30


def clean(text: str) -> str:
    """A text on one line without anything that a terminal would obey or that could reorder it."""
    return printable(text).replace("\n", " ")


def as_json(value: msgspec.Struct) -> str:
    """A report as JSON in ASCII: escapes reach the terminal as text."""
    return json.dumps(msgspec.to_builtins(value), indent=2).replace("\x7f", "\\u007f")


def fleet(report: schema.Fleet) -> RenderableType:
    """The environments, one line each, and what is wrong with them."""
    parts: list[RenderableType] = [*_accounts(report.accounts), *_configuration(report.configuration)]
    table = _table("ENVIRONMENT", "SEVERITY", numbers=("QUEUED", "START", "ACTIVE", "STOP", "WAITED", "LAG", "AGE"))
    for each in report.environments:
        counts = [_UNKNOWN if each.items is None else str(each.items.get(state, 0)) for state in LIVE_STATES]
        spans = (each.oldest_queued_seconds, each.max_heartbeat_lag_seconds, each.age_seconds)
        table.add_row(_plain(each.name), _severity(each.severity), *counts, *map(_short, spans))
    parts.append(table)
    for each in report.environments:
        if each.findings:
            parts += ["", Text.assemble(clean(each.name), (f"  {clean(each.id)}", "dim"))]
            parts += _findings(each.findings)
    counted = ", ".join(f"{count} {severity}" for severity, count in report.by_severity.items() if count)
    shown = f"{len(report.environments)} of {report.total} environments shown; {counted or 'none watched'}"
    return Group(*parts, "", Text(shown, "dim"))


def environment(report: schema.EnvironmentItems, state: str | None) -> RenderableType:
    """One environment and its live items, worst first."""
    each = report.environment
    title = Text.assemble((clean(each.name), "bold"), f"  {clean(each.id)}  ", _severity(each.severity))
    parts: list[RenderableType] = [title, _freshness(each), *_findings(each.findings), "", _numbers(each), ""]
    table = _table("SEVERITY", "STATE", numbers=("IN STATE", "LAG"), last="WORK ID, SESSION ID")
    for item in report.live_items:
        ids = Text("\n").join(_item_lines(item))
        table.add_row(
            _severity(item.severity),
            _plain(item.state),
            _short(item.state_seconds),
            _short(item.heartbeat_lag_seconds),
            ids,
        )
    which = f" {clean(state)}" if state else ""
    if report.live_items:
        parts += [
            table,
            *_next_steps(report.live_items),
            "",
            Text(f"{len(report.live_items)} of {report.matching}{which} live items shown", "dim"),
        ]
    else:
        parts.append(
            Text(f"{report.matching}{which} live items; none shown" if report.matching else f"no{which} live item")
        )
    failure = each.last_failure
    if failure is not None and not each.up:
        parts += ["", Text(_failure(failure), "yellow")]
    return Group(*parts)


def item(found: InspectedItem) -> RenderableType:
    """One item in full."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    rows = [
        ("state", Text.assemble(clean(found.state), "  ", _severity(found.severity))),
        ("meaning", Text(found.meaning)),
        ("in state", Text(_short(found.state_seconds))),
        (
            "environment",
            _plain(
                f"{found.environment} {found.environment_id}"
                if found.environment != found.environment_id
                else found.environment
            ),
        ),
        ("account", _plain(found.account)),
        ("session", _plain(found.session_id or _UNKNOWN)),
    ]
    if found.data_type not in (None, "session"):
        rows.append(("is for", _plain(found.data_type or "")))
    rows += [(name, _when(moment, found.read_at)) for name, moment in _times(found)]
    rows.append(("heartbeat lag", Text(_short(found.heartbeat_lag_seconds))))
    rows += [
        ("metadata" if n == 0 else "", _plain(f"{key}: {value}"))
        for n, (key, value) in enumerate(found.metadata.items())
    ]
    rows.append(("read", _when(found.read_at, None)))
    for name, value in rows:
        facts.add_row(name, value)
    parts: list[RenderableType] = [Text(clean(found.work_id), "bold"), facts]
    if found.session_url:  # one piece, so that it can be clicked and copied
        parts.append(Text(clean(found.session_url), no_wrap=True, overflow="ignore"))
    if found.reason:
        alert = f" ({found.alert})" if found.alert else ""
        parts += ["", Text(f"It {found.reason}{alert}.", _STYLES[found.severity]), Text(found.next_step)]
    return Group(*parts)


def print_to(console: Console, content: RenderableType) -> None:
    """Print without reading anything into the text."""
    console.print(content, markup=False, highlight=False, emoji=False)


def _item_lines(item: schema.Item) -> Iterable[Text]:
    yield _plain(item.work_id)
    yield Text(clean(item.session_id or "no session"), "dim")
    if item.metadata:
        yield Text(clean(" ".join(f"{key}={value}" for key, value in item.metadata.items())), "dim")
    if item.reason:
        yield Text(clean(item.reason), _STYLES[item.severity])


def _next_steps(items: Iterable[schema.Item]) -> Iterable[RenderableType]:
    """What usually to do, once per state."""
    steps = {item.state: item.next_step for item in items if item.next_step}
    if steps:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, min_width=8, style="dim")
        grid.add_column(overflow="fold")
        for state, step in steps.items():
            grid.add_row(clean(state), step)
        yield from ("", Text("What usually to do next", "dim"), Padding(grid, (0, 0, 0, 2)))


def _freshness(each: schema.Environment) -> Text:
    if each.age_seconds is None:
        return Text(f"not read yet{f'; {each.history_progress}' if each.history_progress else ''}", "magenta")
    text = f"read {spoken(each.age_seconds)} ago with account {clean(each.account)}"
    if each.stale:
        return Text(f"{text}: counts are withheld, items are as they were then", "magenta")
    return Text(text, "dim")


def _numbers(each: schema.Environment) -> RenderableType:
    """The counts as bars, and the workers."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(width=_BAR_WIDTH)
    grid.add_column(no_wrap=True)
    counts = each.items or {}
    largest = max((counts.get(state, 0) for state in LIVE_STATES), default=0)
    spans = (each.oldest_queued_seconds, each.longest_starting_seconds, None, each.longest_stopping_seconds)
    for state, span in zip(LIVE_STATES, spans, strict=True):
        count = counts.get(state, 0)
        bar = ProgressBar(total=max(1, largest), completed=count, width=_BAR_WIDTH, style="black")
        longest = f"longest {spoken(span)}" if span else ""
        known = each.items is not None
        grid.add_row(state, str(count) if known else _UNKNOWN, bar if count else "", Text(longest, "dim"))
    grid.add_row("workers", str(each.workers_polling) if each.workers_polling is not None else _UNKNOWN, "polling", "")
    return grid


def _findings(findings: Iterable[schema.Finding]) -> list[RenderableType]:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, min_width=8)
    grid.add_column(overflow="fold")
    for finding in findings:
        alert = f" ({finding.alert})" if finding.alert else ""
        grid.add_row(_severity(finding.severity), Text.assemble(clean(finding.text), (alert, "dim")))
    return [Padding(grid, (0, 0, 0, 2))] if grid.row_count else []


def _accounts(accounts: Iterable[schema.Account]) -> Iterable[RenderableType]:
    for account in accounts:
        if account.refused:
            yield Text(f"The API refuses the token of account {clean(account.name)}: replace it.", "bold red")
        elif account.discovery_failure is not None:
            words = _failure(account.discovery_failure)
            yield Text(f"Discovery of account {clean(account.name)} failed. {words}", "yellow")
        for each in account.gone:
            yield Text(f"{clean(each.name)} ({clean(each.id)}) has left account {clean(account.name)}.", "yellow")
        for conflict in account.conflicts:
            seen = f"{clean(conflict.name)} ({clean(conflict.id)}), which account {clean(conflict.read_by)} reads"
            yield Text(f"Account {clean(account.name)} sees {seen}.", "yellow")
        for skipped in account.skipped:
            yield Text(
                f"Discovery of account {clean(account.name)} cannot read environment {clean(skipped)}.", "yellow"
            )
        for pattern in account.unmatched_patterns:
            yield Text(
                f"The include pattern {clean(pattern)} of account {clean(account.name)} matches nothing.", "yellow"
            )


def _configuration(configuration: schema.Configuration | None) -> Iterable[RenderableType]:
    if configuration is not None and not configuration.loaded:
        yield Text("The configuration could not be loaded again; the one before is in force:", "yellow")
        yield from (Text(f"  {clean(line)}", "yellow") for line in configuration.problems)


def _failure(failure: schema.Refresh) -> str:
    where = f" ({failure.endpoint}: HTTP {failure.status})" if failure.status else ""
    request = f" API's request ID: {clean(failure.request_id)}." if failure.request_id else ""
    return f"{failure.at:%H:%M:%S} {failure.text}{where}{request} {failure.next_step}"


def _times(found: InspectedItem) -> Iterable[tuple[str, datetime | None]]:
    yield "created", found.created_at
    yield "acknowledged", found.acknowledged_at
    yield "started", found.started_at
    yield "last heartbeat", found.latest_heartbeat_at
    yield "stop requested", found.stop_requested_at
    yield "stopped", found.stopped_at


def _when(moment: datetime | None, now: datetime | None) -> Text:
    if moment is None:
        return Text(_UNKNOWN)
    ago = f"  {spoken((now - moment).total_seconds())} ago" if now is not None else ""
    return Text(f"{moment:%Y-%m-%d %H:%M:%S} UTC{ago}")


def _table(*words: str, numbers: tuple[str, ...], last: str | None = None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for word in words:
        table.add_column(word, overflow="fold", no_wrap=word == "SEVERITY")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    if last is not None:
        table.add_column(last, overflow="fold")
    return table


def _severity(severity: str) -> Text:
    return Text("OK" if severity == "ok" else severity, _STYLES[severity])


def _plain(text: str) -> Text:
    return Text(clean(text))


def _short(seconds: float | None) -> str:
    """A duration by its largest unit, so that it fits a column."""
    if seconds is None:
        return _UNKNOWN
    words = spoken(seconds).split(" ")
    return " ".join(words[:2])
