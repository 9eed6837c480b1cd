"""Every series an environment must have, computed from the simulator's own state."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from exporter.api.errors import REASONS
from exporter.simulator import Truth
from exporter.tracking.results import INTERNAL
from tests.tracking.reference import BOUNDS, Expected, expected

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A series of one environment: its name and its labels, without those that name the environment."""

SLACK = 2.0
"""Seconds by which an age may be ahead: a ``Date`` header tells the time to the second, and a simulated clock that
stands still falls behind the time that the exporter keeps between two answers."""

COST = ("qoder_work_refresh_duration_seconds", "qoder_work_refresh_requests", "qoder_work_snapshot_timestamp_seconds")
"""What depends on this machine and not on the simulator's state."""


def series_of(text: str, environment_id: str) -> dict[Key, float]:
    """The series of one environment in a text, without the cost of reading it."""
    found: dict[Key, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("environment_id", None) == environment_id and sample.name not in COST:
                del labels["environment"]
                key = _key(sample.name.removeprefix("qoder_work_"), labels)
                assert key not in found, f"{key} stands twice in the text"
                found[key] = sample.value
    return found


def differences(found: Mapping[Key, float], truth: Truth, *, unknown_stats: Iterable[str] = ()) -> dict[str, str]:
    """Where a healthy environment's series are not what they must be, each with what it is and should be.

    Args:
        found: Its series, read for the first time in the exporter's life.
        truth: What is true.
        unknown_stats: Fields of the statistics that the API does not give.
    """
    now = _series(truth, unknown_stats)
    later = _series(replace(truth, now=truth.now + SLACK), unknown_stats)
    wrong = {}
    for key in sorted({*now, *found}):
        if key not in now or key not in found:
            wrong[str(key)] = f"found {found.get(key)}, expected {now.get(key)}"
        elif not min(now[key], later[key]) <= found[key] <= max(now[key], later[key]):
            wrong[str(key)] = f"found {found[key]}, expected from {now[key]} to {later[key]}"
    return wrong


def _key(name: str, labels: Mapping[str, str]) -> Key:
    return f"qoder_work_{name}", tuple(sorted(labels.items()))


def _series(truth: Truth, unknown_stats: Iterable[str]) -> dict[Key, float]:
    """All series, if it is ``truth.now``."""
    numbers = expected(truth)
    series = _of_queue(numbers, truth) | _of_stats(truth, unknown_stats) | _of_the_watch()
    series |= {_key("up", {}): 1, _key("history_complete", {}): 1, _key("environment_info", {"account": "default"}): 1}
    series |= {_key(name, {}): 0 for name in ("corrections_total", "unreadable_items", "counts_disputed")}
    series |= {_key("refresh_failures_total", {"reason": reason}): 0 for reason in (*REASONS, INTERNAL)}
    return series


def _of_queue(numbers: Expected, truth: Truth) -> dict[Key, float]:
    # A label's value is printable: of the characters here, a line feed is not.
    series: dict[Key, float] = {
        _key("items", {"state": state.replace("\n", "\N{REPLACEMENT CHARACTER}")}): count
        for state, count in numbers.counts.items()
    }
    series |= {_key("oldest_age_seconds", {"state": state}): age for state, age in numbers.oldest_age.items()}
    series[_key("max_heartbeat_lag_seconds", {})] = numbers.max_heartbeat_lag
    queued = [item.created_at for item in truth.in_state("queued")]
    beats = [
        next(time for time in (item.latest_heartbeat_at, item.started_at, item.acknowledged_at) if time is not None)
        for item in truth.in_state("active", "stopping")
    ]
    if queued:
        series[_key("oldest_queued_timestamp_seconds", {})] = min(queued)
    if beats:
        series[_key("oldest_heartbeat_timestamp_seconds", {})] = min(beats)
    for name, buckets, times in (
        ("queue_age_seconds", numbers.queue_age, queued),
        ("heartbeat_lag_seconds", numbers.heartbeat_lag, beats),
    ):
        series |= _buckets(name, buckets)
        series[_key(f"{name}_gcount", {})] = len(times)
        series[_key(f"{name}_gsum", {})] = sum(max(0.0, truth.now - time) for time in times)
    return series


def _of_stats(truth: Truth, unknown: Iterable[str]) -> dict[Key, float]:
    series: dict[Key, float] = {
        _key("queue_depth", {}): truth.depth,
        _key("queue_pending", {}): truth.pending,
        _key("workers_polling", {}): truth.workers_polling,
    }
    return {key: value for key, value in series.items() if key[0].removeprefix("qoder_work_") not in set(unknown)}


def _of_the_watch() -> dict[Key, float]:
    """Nothing has happened since the watch began."""
    series: dict[Key, float] = {_key(f"{name}_total", {}): 0 for name in ("created", "stopped", "requeued", "vanished")}
    for name in ("queue_wait_seconds", "startup_seconds", "run_seconds", "drain_seconds"):
        series |= _buckets(name, [0] * len(BOUNDS))
        series |= {_key(f"{name}_count", {}): 0, _key(f"{name}_sum", {}): 0}
    return series


def _buckets(name: str, counts: Iterable[int]) -> dict[Key, float]:
    bounds = ["+Inf" if bound == float("inf") else f"{float(bound)}" for bound in BOUNDS]
    return {_key(f"{name}_bucket", {"le": bound}): count for bound, count in zip(bounds, counts, strict=True)}
