"""Plays series for a real Prometheus to scrape and a real Alertmanager to notify of, in fast motion.

What promtool is given as a list of values is shown here at the pace of a clock: so rules are evaluated one after the
other while scrapes go on, alerts are sent again and again, and what is not sent any more ends by itself.
"""

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.dashboards.running import prometheus
from tests.rules import compressed
from tests.rules.alerting import Listener, Notification, about, alertmanager
from tests.rules.outages import Values
from tests.rules.queues import TARGET
from tests.support.waiting import until
from tools.drawing.query_api import Prometheus

INTERVAL = 30
"""Seconds, before they are divided, between scrapes and between evaluations, where nothing else is said."""


class Exporters:
    """Shows each instance's series while its ``with`` block lasts, from its first minute on.

    Args:
        shown: The series of each instance.
        minute: How many seconds a minute takes.
        first: The minute with which it begins.
    """

    def __init__(self, shown: Mapping[str, Values], minute: float, first: int = 0) -> None:
        self.minute = minute
        self._began = time.time() - first * minute
        stage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = stage._text(shown[self.path.strip("/")])
                self.send_response(200 if body else 503)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as inherited
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        address = f"127.0.0.1:{self._server.server_port}"
        self.job: dict[str, Any] = {
            "job_name": "qoder",
            "static_configs": [
                {"targets": [address], "labels": {"__metrics_path__": f"/{instance}", "instance": instance}}
                for instance in shown
            ],
        }

    def __enter__(self) -> "Exporters":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def minutes(self, at: float) -> float:
        """The minute that a moment of the real clock belongs to."""
        return (at - self._began) / self.minute

    def wait(self, minute: float) -> None:
        """Return when this minute begins."""
        time.sleep(max(0, self._began + minute * self.minute - time.time()))

    def _text(self, values: Values) -> bytes:
        """What an instance answers now; nothing while it is down."""
        now = int(self.minutes(time.time()))
        lines = []
        for series, row in values.items():
            value = row[now] if now < len(row) else None
            if series.startswith("up{"):
                if value != 1:
                    return b""
            elif value is not None:
                if "_timestamp_seconds" in series:
                    value = self._began + value / 60 * self.minute
                lines.append(f"{series.replace(TARGET + ', ', '')} {value}\n")
        return "".join(lines).encode()


@dataclass(frozen=True, slots=True)
class Page:
    """One alert that a receiver was notified of.

    Attributes:
        name: The alert.
        about: What it is about.
        status: Whether it fires or has resolved.
        minute: When the receiver was told.
        began: When it began to fire, as Alertmanager has it.
    """

    name: str
    about: str
    status: str
    minute: float
    began: str


def pages(exporters: Exporters, told: Sequence[Notification]) -> list[Page]:
    """Every alert in these notifications, in order."""
    return [
        Page(
            alert["labels"]["alertname"],
            about(alert["labels"]),
            alert["status"],
            exporters.minutes(notification["at"]),
            alert["startsAt"],
        )
        for notification in told
        for alert in notification["alerts"]
    ]


@contextlib.contextmanager
def evaluating(
    folder: Path,
    exporters: Exporters,
    manager_url: str,
    data: Path | None = None,
    interval: float = INTERVAL,
    *,
    again: bool = False,
) -> Iterator[Prometheus]:
    """Run Prometheus on these exporters until the end of the block.

    It has the rules once it scrapes: it looks for targets only after seconds, which are minutes here.

    Args:
        folder: An empty folder for its files.
        exporters: What it scrapes.
        manager_url: The Alertmanager.
        data: Where its blocks are, if there are some already.
        interval: Seconds, before they are divided, between scrapes and between evaluations.
        again: Whether it ran before and has the rules from the beginning.
    """
    factor = 60 / exporters.minute
    file = folder / "compressed.rules.yml"
    manager = re.sub("^http://", "", manager_url)
    config = compressed.prometheus_config(factor, str(file), manager, interval, exporters.job)
    file.write_text(compressed.rules(factor) if again else "groups: []")
    flags = [*compressed.prometheus_flags(factor), "--web.enable-lifecycle"]
    with prometheus(folder, config, data, flags) as server:
        if not again:
            targets = len(exporters.job["static_configs"])
            until(lambda: len(server.instant("up", time.time())) == targets, "every target to be scraped")
            file.write_text(compressed.rules(factor))
            server.client.post("/-/reload").raise_for_status()
        yield server


def begun(server: Prometheus, exporters: Exporters, since: int) -> dict[tuple[str, str], set[float]]:
    """The minutes at which alerts began, as stored since this minute: one, if an alert went on at a stretch.

    They are rounded down to whole seconds, as Prometheus stores them.
    """
    now = time.time()
    window = round(1000 * exporters.minute * (exporters.minutes(now) - since))
    found: dict[tuple[str, str], set[float]] = {}
    for series in server.instant(f"ALERTS_FOR_STATE[{window}ms]", now):
        alert = series.labels["alertname"], about(dict(series.labels))
        found.setdefault(alert, set()).update(exporters.minutes(value) for _, value in series.points)
    return found


def first_fired(server: Prometheus, exporters: Exporters) -> dict[tuple[str, str], float]:
    """The minute at which each alert fired first, by its name and what it is about."""
    now = time.time()
    window = round(1000 * exporters.minute * exporters.minutes(now))
    return {
        (series.labels["alertname"], about(dict(series.labels))): exporters.minutes(series.points[0][0])
        for series in server.instant(f'ALERTS{{alertstate="firing"}}[{window}ms]', now)
    }


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a play.

    Attributes:
        pager: What the pager was told.
        tickets: What the tickets were told.
        begun: The minutes at which alerts began that were there after the outage's beginning, by name and what they
            are about.
        fired: The minute at which each alert fired first.
    """

    pager: list[Page]
    tickets: list[Page]
    begun: dict[tuple[str, str], set[float]]
    fired: dict[tuple[str, str], float]


def play(folder: Path, shown: Mapping[str, Values], minute: float, since: int, last: int) -> Played:
    """Show series from their beginning until a minute.

    Args:
        folder: An empty folder.
        shown: The series of each instance.
        minute: How many seconds a minute takes.
        since: The minute from which on to ask for what alerts went on.
        last: The last minute.
    """
    for name in ("prometheus", "alertmanager"):
        (folder / name).mkdir()
    factor = 60 / minute
    with (
        Listener() as listener,
        alertmanager(
            folder / "alertmanager", listener.url, lambda url: compressed.alertmanager_config(factor, url)
        ) as manager,
        Exporters(shown, minute) as exporters,
        evaluating(folder / "prometheus", exporters, manager.url) as server,
    ):
        exporters.wait(last)
        went_on, fired = begun(server, exporters, since), first_fired(server, exporters)
        told = {name: pages(exporters, listener.notifications(name)) for name in ("pager", "tickets")}
    return Played(told["pager"], told["tickets"], went_on, fired)
