"""Which samples a view has, and which it lacks because nothing is known.

This is the one place that says so. What the samples become is up to the sink: the families of prometheus_client
(:mod:`exporter.metrics.families`), or text that is kept from scrape to scrape (:mod:`exporter.metrics.blocks`).
"""

import sys
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter import __version__
from exporter.api.errors import RETRIED
from exporter.histogram import Histogram
from exporter.metrics import table
from exporter.metrics.labels import label_name, label_value
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


@dataclass(frozen=True, slots=True)
class Shape:
    """What the configuration says about the form of the metrics.

    Attributes:
        metadata_keys: The metadata keys whose values are labels of ``qoder_work_items``, in their order.
        histograms: The upper bounds of the buckets to expose, by the name of the metric; None leaves the histogram out.
            Histograms that are not named are exposed whole.
    """

    metadata_keys: tuple[str, ...] = ()
    histograms: Mapping[str, tuple[float, ...] | None] = field(default_factory=dict)

    @property
    def key(self) -> Hashable:
        """What tells it from other shapes."""
        return self.metadata_keys, tuple(sorted(self.histograms.items()))

    def labels(self, spec: MetricSpec) -> tuple[str, ...]:
        """Return the label names of a family, without ``le``."""
        return spec.labels + (tuple(map(label_name, self.metadata_keys)) if spec is table.ITEMS else ())

    def exposes(self, spec: MetricSpec) -> bool:
        """Return whether a family is exposed at all."""
        return self.histograms.get(spec.name, ()) is not None

    def bounds(self, spec: MetricSpec) -> tuple[float, ...] | None:
        """Return the bounds of a histogram's buckets; None for all of them."""
        return self.histograms.get(spec.name)


class Sink(Protocol):
    """What samples are added to. Label values come in the order of :meth:`Shape.labels`, as they were read."""

    def add(self, spec: MetricSpec, labels: tuple[str, ...], value: float | None) -> None:
        """Add a sample; None is no sample."""

    def add_histogram(self, spec: MetricSpec, labels: tuple[str, ...], histogram: Histogram) -> None:
        """Add the buckets of a histogram that are exposed, its count and its sum."""


def add_environment(sink: Sink, view: EnvironmentView) -> None:
    """Add what is known of one environment."""
    labels = (view.environment.id, view.environment.name)
    sink.add(table.UP, labels, view.up)
    sink.add(table.HISTORY_COMPLETE, labels, view.history_complete)
    sink.add(table.ENVIRONMENT_INFO, (*labels, view.environment.account), 1)
    sink.add(table.REFRESH_DURATION, labels, view.refresh_duration)
    sink.add(table.REFRESH_REQUESTS, labels, view.refresh_requests)
    sink.add(table.CORRECTIONS, labels, view.corrections)
    sink.add(table.COUNTS_DISPUTED, labels, view.disputed)
    for reason, count in view.failures.items():
        sink.add(table.REFRESH_FAILURES, (*labels, reason), count)
    if view.lifecycle is not None:
        _add_lifecycle(sink, labels, view.lifecycle)
    if view.snapshot is None:
        return
    if view.snapshot.queue is not None or view.snapshot.stats is not None:
        sink.add(table.SNAPSHOT_TIMESTAMP, labels, view.snapshot.read_at)
    if view.snapshot.stats is not None:
        _add_stats(sink, labels, view.snapshot.stats)
    if view.snapshot.queue is not None:
        _add_queue(sink, labels, view.snapshot.queue)
        sink.add(table.UNREADABLE_ITEMS, labels, view.unreadable)
    elif view.snapshot.stats is not None:
        sink.add(table.OLDEST_AGE, (*labels, QUEUED), view.snapshot.stats.oldest_queued_age)
        sink.add(table.OLDEST_QUEUED_TIMESTAMP, labels, view.snapshot.stats.oldest_queued_at)


def add_rest(sink: Sink, view: FleetView, reload: Reload | None = None, loop_lag: float | None = None) -> None:
    """Add what is known beside the environments: the accounts and the exporter itself.

    Args:
        sink: What to add it to.
        view: What to show.
        reload: How the configuration was last loaded.
        loop_lag: Longest time the event loop was held up lately, in seconds; None where nothing measures it.
    """
    for account in view.accounts:
        _add_account(sink, account)
    sink.add(table.BUILD_INFO, (__version__, revision(), ".".join(map(str, sys.version_info[:3]))), 1)
    sink.add(table.LOOP_LAG, (), loop_lag)
    if view.checkpoint is not None:
        sink.add(table.CHECKPOINT_TIMESTAMP, (), view.checkpoint.last_success)
        sink.add(table.CHECKPOINT_FAILURES, (), view.checkpoint.failures)
    if reload is not None:
        sink.add(table.RELOAD_SUCCESSFUL, (), reload.successful)
        sink.add(table.RELOAD_TIMESTAMP, (), reload.succeeded_at)


def _add_queue(sink: Sink, labels: tuple[str, str], queue: Queue) -> None:
    counts: Counter[tuple[str, ...]] = Counter()  # different states and metadata can become the same label values
    for (state, metadata), count in queue.counts.items():
        counts[label_value(state), *map(label_value, metadata)] += count
    for further, count in counts.items():
        sink.add(table.ITEMS, (*labels, *further), count)
    for state, age in queue.oldest_age.items():
        sink.add(table.OLDEST_AGE, (*labels, state), age)
    sink.add(table.OLDEST_QUEUED_TIMESTAMP, labels, queue.oldest_queued_at)
    sink.add_histogram(table.QUEUE_AGE, labels, queue.queue_age)
    sink.add(table.MAX_HEARTBEAT_LAG, labels, queue.max_heartbeat_lag)
    sink.add(table.OLDEST_HEARTBEAT_TIMESTAMP, labels, queue.oldest_heartbeat_at)
    sink.add_histogram(table.HEARTBEAT_LAG, labels, queue.heartbeat_lag)


def _add_stats(sink: Sink, labels: tuple[str, str], stats: Stats) -> None:
    sink.add(table.QUEUE_DEPTH, labels, stats.depth)
    sink.add(table.QUEUE_PENDING, labels, stats.pending)
    sink.add(table.WORKERS_POLLING, labels, stats.workers_polling)


def _add_lifecycle(sink: Sink, labels: tuple[str, str], lifecycle: Lifecycle) -> None:
    sink.add(table.CREATED, labels, lifecycle.created)
    sink.add(table.STOPPED, labels, lifecycle.stopped)
    sink.add(table.REQUEUED, labels, lifecycle.requeued)
    sink.add(table.VANISHED, labels, lifecycle.vanished)
    sink.add_histogram(table.QUEUE_WAIT, labels, lifecycle.wait)
    sink.add_histogram(table.STARTUP, labels, lifecycle.startup)
    sink.add_histogram(table.RUN, labels, lifecycle.run)
    sink.add_histogram(table.DRAIN, labels, lifecycle.drain)


def _add_account(sink: Sink, view: AccountView) -> None:
    requests = view.requests
    for (endpoint, code), count in sorted(requests.requests.items()):
        sink.add(table.API_REQUESTS, (view.name, endpoint, code), count)
    for endpoint, histogram in sorted(requests.durations.items()):
        sink.add_histogram(table.API_REQUEST_DURATION, (view.name, endpoint), histogram)
    for reason in RETRIED:
        sink.add(table.API_RETRIES, (view.name, reason), requests.retries[reason])
    sink.add(table.API_PACED, (view.name,), requests.paced_seconds)
    sink.add(table.API_CLIENT_RESTARTS, (view.name,), view.client_restarts)
    sink.add(table.API_CLOCK_SKEW, (view.name,), view.clock_skew)
    sink.add(table.ENVIRONMENTS, (view.name,), view.environments)
    sink.add(table.DISCOVERY_UP, (view.name,), view.discovery_up)
    sink.add(table.ENVIRONMENTS_GONE, (view.name,), len(view.gone))
    sink.add(table.ENVIRONMENT_CONFLICTS, (view.name,), len(view.conflicts))
    if view.discovery_up is not None:
        sink.add(table.DISCOVERY_UNMATCHED, (view.name,), len(view.unmatched))
