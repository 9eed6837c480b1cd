"""What a later run must know of one environment: how it is recorded, and how it is restored.

Making a record and restoring it stand here side by side, so that a new field of the ledger is added in one place.
"""

from collections.abc import Sequence
from operator import methodcaller

import msgspec

from exporter.histogram import Histogram
from exporter.tracking.history import History, Segment
from exporter.tracking.ledger import Ledger
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.live import LiveItem, LiveItems
from exporter.tracking.observation import Labeller
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.tail import Tail
from exporter.tracking.without_id import WithoutID

HISTOGRAMS = ("wait", "startup", "run", "drain")
"""The histograms of a lifecycle."""


_copy = methodcaller("__copy__")
"""Copies a struct, five times as fast as `copy.copy`."""

AT_ONCE = 1000
"""Live items, or segments, that are encoded in one go: less than a millisecond, during which no other thread works."""


class LifecycleRecord(msgspec.Struct, frozen=True):
    """Counters, and each histogram's counts and sum."""

    created: int
    stopped: int
    requeued: int
    vanished: int
    histograms: dict[str, tuple[list[int], float]]


class EnvironmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One environment.

    Attributes:
        base_url: The API it belongs to.
        environment_id: Its ID there.
        saved_at: Unix time at which this was true, in whole hours, so that an idle environment's record stays the same.
        metadata_keys: The metadata keys the counts are split by.
        max_label_values: The most values of each that are kept.
        label_values: The values kept of each.
        lookback: The configured ``history.lookback`` in seconds.
        traversed_at: Unix time of the last whole reading.
        lifecycle: Counters since the watch began.
        without_id: How many items without an ID follow which ID.
        counted: While the list is read anew, what had been counted of its live items before.
    """

    base_url: str
    environment_id: str
    saved_at: float
    metadata_keys: tuple[str, ...]
    max_label_values: int
    label_values: dict[str, list[str]]
    lookback: float | None
    traversed_at: float | None
    lifecycle: LifecycleRecord
    segments: list[Segment]
    live: list[LiveItem]
    recent: list[str | None]
    origin: str | None
    foothold: str | None
    since: float | None
    traversed: str | None
    doubtful: list[str]
    complete: bool
    began: float | None = None
    corrections: int = 0
    without_id: dict[str, int] = {}
    counted: dict[str, int] = {}


def record(
    ledger: Ledger,
    labeller: Labeller,
    settings: TrackingSettings,
    *,
    base_url: str,
    environment_id: str,
    saved_at: float,
    traversed_at: float | None,
) -> EnvironmentRecord:
    """Record an environment; the arguments that are not the ledger's are named as in the record.

    The record shares segments and live items with the ledger: encode it, or make it :func:`frozen`, before the ledger
    changes.
    """
    return EnvironmentRecord(
        base_url=base_url,
        environment_id=environment_id,
        saved_at=saved_at // 3600 * 3600,
        metadata_keys=settings.metadata_keys,
        max_label_values=settings.max_label_values,
        label_values=labeller.known,
        lookback=settings.lookback,
        traversed_at=traversed_at,
        lifecycle=record_lifecycle(ledger.lifecycle),
        segments=list(ledger.history.segments),
        live=ledger.live.listed(),
        recent=ledger.tail.ids,
        origin=ledger.origin,
        foothold=ledger.foothold,
        since=ledger.since,
        traversed=ledger.traversed,
        doubtful=sorted(ledger.doubtful),
        complete=ledger.complete,
        began=ledger.began,
        corrections=ledger.corrections,
        without_id=ledger.without_id.places,
        counted=ledger.counted,
    )


def restore_ledger(record: EnvironmentRecord) -> Ledger:
    """Return the ledger that was recorded.

    Raises:
        ValueError: There are other histograms, or other buckets, than this version's.
    """
    return Ledger(
        history=History(record.segments),
        live=LiveItems(record.live),
        lifecycle=restore_lifecycle(record.lifecycle),
        tail=Tail(list(record.recent)),
        origin=record.origin,
        foothold=record.foothold,
        since=record.since,
        complete=record.complete,
        traversed=record.traversed,
        doubtful=set(record.doubtful),
        began=record.began,
        corrections=record.corrections,
        without_id=WithoutID(record.without_id),
        counted=dict(record.counted),
    )


def outdated(record: EnvironmentRecord, settings: TrackingSettings) -> str | None:
    """Return why the counts of a record cannot be used with these settings, or None if they can."""
    if record.metadata_keys != settings.metadata_keys or (
        settings.metadata_keys and record.max_label_values != settings.max_label_values
    ):
        return "metadata_labels or max_label_values have changed"
    return "lookback has changed" if record.lookback != settings.lookback else None


def record_lifecycle(lifecycle: Lifecycle) -> LifecycleRecord:
    """Record a lifecycle."""
    histograms = {name: getattr(lifecycle, name) for name in HISTOGRAMS}
    return LifecycleRecord(
        *(lifecycle.created, lifecycle.stopped, lifecycle.requeued, lifecycle.vanished),
        {name: (list(histogram.counts), histogram.sum) for name, histogram in histograms.items()},
    )


def restore_lifecycle(record: LifecycleRecord) -> Lifecycle:
    """Return the lifecycle that was recorded.

    Raises:
        ValueError: There are other histograms, or other buckets, than this version's.
    """
    if set(record.histograms) != set(HISTOGRAMS):
        raise ValueError("it has other histograms")
    lifecycle = Lifecycle(record.created, record.stopped, record.requeued, record.vanished)
    for name, (counts, total) in record.histograms.items():
        setattr(lifecycle, name, Histogram(counts=counts, sum=total))
    return lifecycle


def frozen(record: EnvironmentRecord) -> EnvironmentRecord:
    """Return a record that stays as it is when the ledger changes; what never changes is shared."""
    return msgspec.structs.replace(
        record,
        label_values={key: list(values) for key, values in record.label_values.items()},
        segments=list(map(_copy, record.segments)),
        live=list(map(_copy, record.live)),
        recent=list(record.recent),
        without_id=dict(record.without_id),
        counted=dict(record.counted),
    )


def encoded(record: EnvironmentRecord) -> bytes:
    """Return a record as JSON, encoded piece by piece: in a thread, it lets others work in between."""
    segments, live = msgspec.Raw(_in_pieces(record.segments)), msgspec.Raw(_in_pieces(record.live))
    return msgspec.json.encode(msgspec.structs.replace(record, segments=segments, live=live))


def _in_pieces(values: Sequence[object]) -> bytes:
    pieces = (msgspec.json.encode(values[start : start + AT_ONCE]) for start in range(0, len(values), AT_ONCE))
    return b"[" + b",".join(piece[1:-1] for piece in pieces) + b"]"


def copied(record: EnvironmentRecord) -> EnvironmentRecord:
    """Return a record that shares nothing with the ledger it was made of."""
    return msgspec.json.decode(msgspec.json.encode(record), type=EnvironmentRecord)
