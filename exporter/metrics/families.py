"""A view of the fleet as metric families: a pure function, so nothing stale can survive in it.

For one environment with a single queued item, and nothing else, the text is::

    # HELP qoder_work_items Work items now in this state. The five known states are always present, at 0 too.
    # TYPE qoder_work_items gauge
    qoder_work_items{environment_id="env_019e",environment="gpu-workers",state="queued"} 1.0
    qoder_work_items{environment_id="env_019e",environment="gpu-workers",state="starting"} 0.0
    …
    # TYPE qoder_work_oldest_age_seconds gauge
    qoder_work_oldest_age_seconds{environment_id="env_019e",environment="gpu-workers",state="queued"} 12.0
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exporter import __version__
from exporter.api.errors import RETRIED
from exporter.histogram import Example, Histogram
from exporter.metrics import table
from exporter.metrics.labels import label_name
from exporter.metrics.table import MetricSpec
from exporter.revision import revision
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.observation import QUEUED
from exporter.tracking.snapshot import Queue, Stats
from exporter.tracking.view import AccountView, EnvironmentView, FleetView


@dataclass(frozen=True, slots=True)
class Reload:
    """How the configuration was last loaded.

    Attributes:
        successful: Whether that went well.
        succeeded_at: Unix time of the last time it did.
        problems: Why it did not, one line per problem.
    """

    successful: bool
    succeeded_at: float
    problems: tuple[str, ...] = ()


class Families:
    """Collects samples into families, in the order of the table.

    Args:
        metadata_labels: The label names of the configured metadata keys, in their order.
    """

    def __init__(self, metadata_labels: Sequence[str] = ()) -> None:
        self._metadata_labels = tuple(metadata_labels)
        self._families: dict[str, Metric] = {}

    def __iter__(self) -> Iterator[Metric]:
        return (self._families[spec.name] for spec in table.METRICS if spec.name in self._families)

    def add(self, spec: MetricSpec, labels: Iterable[str], value: float | None) -> None:
        """Add a sample; None is no sample."""
        if value is not None:
            family = self._family(spec)
            family.add_metric([*labels], value)  # type: ignore[attr-defined]

    def add_histogram(self, spec: MetricSpec, labels: Iterable[str], histogram: Histogram) -> None:
        """Add all buckets of a histogram, with their examples where the type has room for them."""
        family = self._family(spec)
        rows = [(_le(bound), count, example) for bound, count, example in histogram.cumulative()]
        if isinstance(family, GaugeHistogramMetricFamily):
            family.add_metric([*labels], [(bound, count) for bound, count, _ in rows], histogram.sum)
        elif isinstance(family, HistogramMetricFamily):
            buckets = [
                (bound, count) if example is None else (bound, count, _exemplar(example))
                for bound, count, example in rows
            ]
            family.add_metric([*labels], buckets, histogram.sum)

    def _family(self, spec: MetricSpec) -> Metric:
        family = self._families.get(spec.name)
        if family is None:
            kind = {
                "gauge": GaugeMetricFamily,
                "counter": CounterMetricFamily,
                "histogram": HistogramMetricFamily,
                "gaugehistogram": GaugeHistogramMetricFamily,
            }[spec.type]
            labels = spec.labels + (self._metadata_labels if spec is table.ITEMS else ())
            family = self._families[spec.name] = kind(spec.name, spec.help, labels=labels)
        return family


def _le(bound: float) -> str:
    """A bucket's upper bound as every client library writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _exemplar(example: Example) -> Exemplar:
    return Exemplar(example.labels, example.value, example.timestamp)


def families(view: FleetView, reload: Reload | None = None, loop_lag: float | None = None) -> Families:
    """All families of a view.

    Args:
        view: What to show.
        reload: How the configuration was last loaded.
        loop_lag: Longest time the event loop was held up lately, in seconds; None where nothing measures it.
    """
    out = Families([label_name(key) for key in view.metadata_keys])
    for environment in view.environments:
        _environment(out, environment)
    for account in view.accounts:
        _account(out, account)
    out.add(table.BUILD_INFO, (__version__, revision(), ".".join(map(str, sys.version_info[:3]))), 1)
    out.add(table.LOOP_LAG, (), loop_lag)
    if view.checkpoint is not None:
        out.add(table.CHECKPOINT_TIMESTAMP, (), view.checkpoint.last_success)
        out.add(table.CHECKPOINT_FAILURES, (), view.checkpoint.failures)
    if reload is not None:
        out.add(table.RELOAD_SUCCESSFUL, (), reload.successful)
        out.add(table.RELOAD_TIMESTAMP, (), reload.succeeded_at)
    return out


def environment_families(view: EnvironmentView, metadata_keys: Sequence[str]) -> Families:
    """The families of one environment alone, without its account's and the exporter's own."""
    out = Families([label_name(key) for key in metadata_keys])
    _environment(out, view)
    return out


def _environment(out: Families, view: EnvironmentView) -> None:
    labels = (view.environment.id, view.environment.name)
    out.add(table.UP, labels, view.up)
    out.add(table.HISTORY_COMPLETE, labels, view.history_complete)
    out.add(table.ENVIRONMENT_INFO, (*labels, view.environment.account), 1)
    out.add(table.REFRESH_DURATION, labels, view.refresh_duration)
    out.add(table.REFRESH_REQUESTS, labels, view.refresh_requests)
    out.add(table.CORRECTIONS, labels, view.corrections)
    out.add(table.COUNTS_DISPUTED, labels, view.disputed)
    for reason, count in view.failures.items():
        out.add(table.REFRESH_FAILURES, (*labels, reason), count)
    if view.lifecycle is not None:
        _lifecycle(out, labels, view.lifecycle)
    if view.snapshot is None:
        return
    if view.snapshot.queue is not None or view.snapshot.stats is not None:
        out.add(table.SNAPSHOT_TIMESTAMP, labels, view.snapshot.read_at)
    if view.snapshot.stats is not None:
        _stats(out, labels, view.snapshot.stats)
    if view.snapshot.queue is not None:
        _queue(out, labels, view.snapshot.queue)
        out.add(table.UNREADABLE_ITEMS, labels, view.unreadable)
    elif view.snapshot.stats is not None:
        out.add(table.OLDEST_AGE, (*labels, QUEUED), view.snapshot.stats.oldest_queued_age)
        out.add(table.OLDEST_QUEUED_TIMESTAMP, labels, view.snapshot.stats.oldest_queued_at)


def _queue(out: Families, labels: tuple[str, str], queue: Queue) -> None:
    for (state, metadata), count in queue.counts.items():
        out.add(table.ITEMS, (*labels, state, *metadata), count)
    for state, age in queue.oldest_age.items():
        out.add(table.OLDEST_AGE, (*labels, state), age)
    out.add(table.OLDEST_QUEUED_TIMESTAMP, labels, queue.oldest_queued_at)
    out.add_histogram(table.QUEUE_AGE, labels, queue.queue_age)
    out.add(table.MAX_HEARTBEAT_LAG, labels, queue.max_heartbeat_lag)
    out.add(table.OLDEST_HEARTBEAT_TIMESTAMP, labels, queue.oldest_heartbeat_at)
    out.add_histogram(table.HEARTBEAT_LAG, labels, queue.heartbeat_lag)


def _stats(out: Families, labels: tuple[str, str], stats: Stats) -> None:
    out.add(table.QUEUE_DEPTH, labels, stats.depth)
    out.add(table.QUEUE_PENDING, labels, stats.pending)
    out.add(table.WORKERS_POLLING, labels, stats.workers_polling)


def _lifecycle(out: Families, labels: tuple[str, str], lifecycle: Lifecycle) -> None:
    out.add(table.CREATED, labels, lifecycle.created)
    out.add(table.STOPPED, labels, lifecycle.stopped)
    out.add(table.REQUEUED, labels, lifecycle.requeued)
    out.add(table.VANISHED, labels, lifecycle.vanished)
    out.add_histogram(table.QUEUE_WAIT, labels, lifecycle.wait)
    out.add_histogram(table.STARTUP, labels, lifecycle.startup)
    out.add_histogram(table.RUN, labels, lifecycle.run)
    out.add_histogram(table.DRAIN, labels, lifecycle.drain)


def _account(out: Families, view: AccountView) -> None:
    requests = view.requests
    for (endpoint, code), count in sorted(requests.requests.items()):
        out.add(table.API_REQUESTS, (view.name, endpoint, code), count)
    for endpoint, histogram in sorted(requests.durations.items()):
        out.add_histogram(table.API_REQUEST_DURATION, (view.name, endpoint), histogram)
    for reason in RETRIED:
        out.add(table.API_RETRIES, (view.name, reason), requests.retries[reason])
    out.add(table.API_PACED, (view.name,), requests.paced_seconds)
    out.add(table.API_CLIENT_RESTARTS, (view.name,), view.client_restarts)
    out.add(table.API_CLOCK_SKEW, (view.name,), view.clock_skew)
    out.add(table.ENVIRONMENTS, (view.name,), view.environments)
    out.add(table.DISCOVERY_UP, (view.name,), view.discovery_up)
    out.add(table.ENVIRONMENTS_GONE, (view.name,), len(view.gone))
    out.add(table.ENVIRONMENT_CONFLICTS, (view.name,), len(view.conflicts))
    if view.discovery_up is not None:
        out.add(table.DISCOVERY_UNMATCHED, (view.name,), len(view.unmatched))
