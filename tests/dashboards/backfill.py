"""Made-up samples of every metric, the same from two exporters, put straight into a Prometheus' storage."""

import shutil
import subprocess
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK
from exporter.metrics.table import ITEMS, METRICS, SNAPSHOT_TIMESTAMP, UP, MetricSpec
from tools.drawing.interpolate import Span

SCRAPE_INTERVAL = 15
START = 1_700_000_000
SPAN = Span(START, START + 1800, SCRAPE_INTERVAL)
INSTANCES = ("first:10190", "second:10190")
ENVIRONMENTS = (("env_1", "gpu-workers"), ("env_2", "batch (nightly)"))
VALUES = {
    "state": ("queued", "starting", "active", "stopping", "stopped"),
    "reason": ("auth", "timeout"),
    "account": ("default",),
    "endpoint": ("list", "get"),
    "code": ("200", "429", "401"),
    "version": ("1.0.0",),
    "python": ("3.11.7",),
    "revision": ("abc",),
}
Labels = dict[str, str]


def _combinations(spec: MetricSpec) -> Iterator[Labels]:
    own = [label for label in spec.labels if label not in {"environment_id", "environment"}]
    for environment in ENVIRONMENTS if "environment" in spec.labels else ((),):
        identity = dict(zip(("environment_id", "environment"), environment, strict=False))
        for values in product(*(VALUES[label] for label in own)):
            labels = identity | dict(zip(own, values, strict=True))
            if spec is ITEMS:
                # As with a configured metadata label: a state's items are spread over several series.
                yield from (labels | {"team": team} for team in ("a", "b"))
            else:
                yield labels


def _seed(name: str, labels: Labels) -> int:
    return zlib.crc32(f"{name}{sorted(labels.items())}".encode()) % 50 + 1


def _value(spec: MetricSpec, labels: Labels, moment: int) -> float:
    seed = _seed(spec.name, labels)
    if spec is SNAPSHOT_TIMESTAMP:
        return moment - seed
    if spec is UP:
        return 1 if labels["environment_id"] == "env_1" else 0
    if spec.type == "counter":
        return seed * (moment - START) / 10
    return seed + moment // 60 % 7


def _samples(spec: MetricSpec, labels: Labels, moment: int) -> Iterator[tuple[str, Labels, float]]:
    if spec.type not in {"histogram", "gaugehistogram"}:
        yield spec.name, labels, _value(spec, labels, moment)
        return
    seed = _seed(spec.name, labels)
    grown = (moment - START) // 15 if spec.type == "histogram" else 1
    total = 0
    for bound in (*(REQUEST_SECONDS if "api" in spec.name else SECONDS_TO_A_WEEK), float("inf")):
        total += (seed + round(bound if bound < 1e9 else 3) % 5) * grown
        yield spec.series[0], labels | {"le": "+Inf" if bound == float("inf") else repr(bound)}, total
    yield spec.series[1], labels, total
    yield spec.series[2], labels, total * 7


def _given() -> Iterator[tuple[str, Labels]]:
    for name in (
        "up",
        "process_start_time_seconds",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ):
        yield name, {}
    yield "python_gc_collections_total", {"generation": "0"}


def _lines() -> Iterator[str]:
    series: dict[str, list[str]] = {}

    def add(name: str, labels: Labels, value: float, moment: int) -> None:
        text = ",".join(f'{label}="{content}"' for label, content in labels.items())
        series.setdefault(name, []).append(f"{name}{{{text}}} {value} {moment}")

    for moment, instance in product(range(START, START + SPAN.seconds + 1, SCRAPE_INTERVAL), INSTANCES):
        target = {"job": "qoder-work", "instance": instance}
        for spec in METRICS:
            for labels in _combinations(spec):
                for name, all_labels, value in _samples(spec, labels, moment):
                    add(name, all_labels | target, value, moment)
        for name, labels in _given():
            add(name, labels | target, _seed(name, target) + (moment - START) / 100, moment)
        if instance == INSTANCES[0]:
            identity = dict(zip(("environment_id", "environment"), ENVIRONMENTS[0], strict=True))
            for severity in ("critical", "warning"):
                alert = {"alertname": f"QoderWorkExample{severity}", "alertstate": "firing", "severity": severity}
                add("ALERTS", alert | identity, 1, moment)
    for lines in series.values():
        yield from lines
    yield "# EOF\n"


def write(folder: Path) -> Path:
    """Write the blocks and say where they are."""
    program = shutil.which("promtool")
    assert program
    text, blocks = folder / "samples.txt", folder / "blocks"
    text.write_text("\n".join(_lines()))
    subprocess.run(
        [program, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)], check=True, capture_output=True
    )
    return blocks
