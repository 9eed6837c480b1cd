"""Plays a scenario of the simulator in fast motion, scrapes the exporter as Prometheus would, and asks the rules."""

import math
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import httpx
import yaml
from prometheus_client.samples import Sample

from exporter.metrics.families import families
from exporter.mixin.rules.catalogue import groups
from exporter.simulator import BASE_PATH, DEFAULT_TOKEN, ManualClock, create_app
from exporter.simulator.actors import acting
from exporter.simulator.scenario import set_up
from exporter.thresholds import Thresholds
from exporter.tracking.fleet import Fleet
from tests.dashboards.promql_names import names_in
from tests.rules.places import RULES
from tests.support.settings import account_settings, client_settings, tracking_settings

SCRAPE_INTERVAL = 15
TARGET = {"job": "qoder", "instance": "exporter:10190"}

Series = dict[str, list[float | None]]
"""A value a scrape, or None, by the series in PromQL's notation."""


class _KnownToken:
    """The simulator's token."""

    def read(self) -> str:
        return DEFAULT_TOKEN


async def play(scenario_name: str, minutes: int) -> Series:
    """Scrape the exporter every 15 simulated seconds while a scenario goes on."""
    clock = ManualClock()
    scenario = set_up(scenario_name, clock=clock, seed=1)
    start = clock.now()
    base_url = f"http://simulator{BASE_PATH}"
    transport = httpx.ASGITransport(create_app(scenario.simulation))
    client = client_settings(base_url, _KnownToken(), requests_per_second=1_000_000)
    fleet = Fleet(
        [account_settings("default", client, page_interval=0)],
        tracking_settings(min_interval=0),
        now=clock.now,
        transport=transport,
    )
    series: Series = {}
    async with acting(scenario.actors, clock, base_url, transport=transport):
        await fleet.start()
        await fleet.complete()
        for scrape in range(minutes * 60 // SCRAPE_INTERVAL):
            view = await fleet.collect(time.monotonic() + 60)
            samples = (sample for family in families(view) for sample in family.samples)
            _append(series, samples, scrape, start)
            await clock.run(SCRAPE_INTERVAL)
    await fleet.close()
    return series


def _append(series: Series, samples: Iterable[Sample], scrape: int, start: float) -> None:
    for sample in (*samples, Sample("up", {}, 1.0)):
        if sample.name in READ_BY_RULES:
            # promtool's time begins at 0.
            value = sample.value - start if sample.name.endswith("_timestamp_seconds") else sample.value
            values = series.setdefault(_written(sample.name, sample.labels | TARGET), [])
            values += [None] * (scrape - len(values))
            values.append(value)


def _written(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels.items())) + "}"


READ_BY_RULES = {
    selector.name
    for group in groups(Thresholds())
    for rule in group.rules
    for selector in names_in(rule.expr).selectors
}


def notation(values: Sequence[float | None], length: int) -> str:
    """Values as promtool reads them; a sample that is missing ends its series, as a scrape without it does."""
    parts = []
    padded = (*values, *(None for _ in range(length - len(values))))
    for value, run in groupby(padded):
        count = len(list(run))
        if value is None:
            parts += ["stale"] + ([f"_x{count - 1}"] if count > 1 else [])
        else:
            number = "+Inf" if math.isinf(value) else repr(float(value))
            parts.append(f"{number}x{count - 1}" if count > 1 else number)
    return " ".join(parts)


def query(series: Series, expected: Mapping[str, set[tuple[tuple[str, str], ...]]], folder: Path) -> str:
    """Let promtool evaluate the rules over all scrapes, and compare the results of queries at the end.

    Args:
        series: What was scraped.
        expected: The labels each query must give, each with the value 1.
        folder: Where to put promtool's file.

    Returns:
        Nothing, or what promtool found different.
    """
    length = max(len(values) for values in series.values())
    end = f"{(length - 1) * SCRAPE_INTERVAL}s"
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{SCRAPE_INTERVAL}s",
        "group_eval_order": [group.name for group in groups(Thresholds())],
        "tests": [
            {
                "interval": f"{SCRAPE_INTERVAL}s",
                "input_series": [
                    {"series": name, "values": notation(values, length)} for name, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": expr,
                        "eval_time": end,
                        "exp_samples": [{"labels": _written("", dict(labels)), "value": 1} for labels in result],
                    }
                    for expr, result in expected.items()
                ],
            }
        ],
    }
    file = folder / "played.test.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    outcome = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    return "" if outcome.returncode == 0 else outcome.stdout + outcome.stderr
