"""One work item as it was read, reduced to what is measured."""

from sys import intern
from typing import Any

import msgspec
from msgspec.structs import astuple

from exporter.api.types import WorkItem, unix

QUEUED, STARTING, ACTIVE, STOPPING, STOPPED = "queued", "starting", "active", "stopping", "stopped"

STATES = (QUEUED, STARTING, ACTIVE, STOPPING, STOPPED)
"""The states the API documents (`work/schemas`)."""

BEATING = (ACTIVE, STOPPING)
"""The states in which a worker sends heartbeats (`work/heartbeat`)."""

EARLIEST = 946_684_800.0
"""The first moment that is believed, the beginning of 2000."""

LONGEST_LEAD = 86_400.0
"""Seconds by which a time may be in the future: servers' clocks differ, and ages are never negative."""

UNSET = (-62_135_596_800.0, 0.0)
"""What some programs write for a time that there is not: the beginning of the year 1, and of 1970."""

Labels = tuple[str, ...]
"""A work item's values of the configured metadata keys, in their order."""


class Observation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A work item at one moment. All times are unix seconds on the API's clock; None where the API gave none.

    Attributes:
        id: The work item's ID.
        state: Any string but stopped is live.
        labels: Its values of the configured metadata keys.
        read_at: When this was read.
        session_id: The session the item is for.
        unreadable: Whether something that is measured was there and could not be used.
    """

    id: str
    state: str
    labels: Labels
    read_at: float
    session_id: str | None = None
    created: float | None = None
    acknowledged: float | None = None
    started: float | None = None
    heartbeat: float | None = None
    stop_requested: float | None = None
    stopped: float | None = None
    unreadable: bool = False

    @property
    def live(self) -> bool:
        """Whether it can still change: ``stopped`` is terminal (`work/stop`)."""
        return self.state != STOPPED

    @property
    def state_since(self) -> float | None:
        """When it entered its state, or the latest earlier step the API dates; None for a state unknown here."""
        steps = (self.created, self.acknowledged, self.started, self.stop_requested)
        if self.state not in STATES[:4]:
            return None
        reached = [step for step in steps[: STATES.index(self.state) + 1] if step is not None]
        return reached[-1] if reached else None

    @property
    def beating_since(self) -> float | None:
        """The time its heartbeat lag counts from, or None if no heartbeat is due from it."""
        if self.state not in BEATING:
            return None
        return next((time for time in (self.heartbeat, self.started, self.acknowledged) if time is not None), None)


def observe(item: WorkItem, labels: Labels, read_at: float, known: Observation | None = None) -> Observation:
    """Reduce a decoded item to what is measured.

    Args:
        item: The item.
        labels: Its label values.
        read_at: When it was read.
        known: An earlier observation of it; what has not changed since is then in memory only once.
    """
    times = (
        *(item.created_at, item.acknowledged_at, item.started_at),
        *(item.latest_heartbeat_at, item.stop_requested_at, item.stopped_at),
    )
    moments = [None if time is None else unix(time) for time in times]
    usable = [moment if moment is not None and plausible(moment, read_at) else None for moment in moments]
    unreadable = item.unreadable or any(moment is not None and unusable(moment, read_at) for moment in moments)
    created, acknowledged, started, heartbeat, stop_requested, stopped = usable
    fresh = Observation(
        *(item.id, intern(item.state), labels, read_at, item.session_id),
        *(created, acknowledged, started, heartbeat, stop_requested, stopped),
        unreadable,
    )
    if known is None:
        return fresh
    return Observation(*(old if old == new else new for old, new in zip(astuple(known), astuple(fresh), strict=True)))


def plausible(moment: float, now: float) -> bool:
    """Return whether something can have happened at a unix time; ``now`` is one, too, on the API's clock."""
    return EARLIEST <= moment <= now + LONGEST_LEAD


def unusable(moment: float, now: float) -> bool:
    """Return whether a time is neither plausible nor one of those that mean that there is none."""
    return not plausible(moment, now) and moment not in UNSET


class Labeller:
    """Turns metadata into label values, with a bound on how many there are.

    The first ``limit`` values of each key are kept, in the order they come, which for a work list is oldest first: the
    same list gives the same labels after every restart. Further values are ``other``; an absent key is the empty
    string, which to Prometheus is an absent label.

    Of several keys, only the first combinations of values are kept, too, ``limit`` and one for each key: else three
    keys of 50 values could make 125,000. An item of any further combination is ``other`` by all its keys.
    """

    OTHER = "other"
    MAX_LENGTH = 128
    COMBINATIONS = ""
    """Under this name the values of the combinations are remembered, one after the other; no metadata key is empty."""

    def __init__(self, keys: tuple[str, ...], limit: int, known: dict[str, list[str]] | None = None) -> None:
        self.keys = keys
        self._limit = limit
        self._values: dict[str, dict[str, str]] = {key: {} for key in keys}
        for key, values in (known or {}).items():
            if key in self._values:
                self._values[key] = {value: value for value in values}
        combined = iter((known or {}).get(self.COMBINATIONS, ()))
        self._combinations: dict[Labels, Labels] = {
            labels: labels for labels in zip(*[combined] * len(keys), strict=False)
        }
        self._others = (self.OTHER,) * len(keys)

    @property
    def known(self) -> dict[str, list[str]]:
        """The values kept so far, by key, and their combinations, in the order they came."""
        values = {key: list(values) for key, values in self._values.items()}
        if len(self.keys) > 1:
            values[self.COMBINATIONS] = [value for labels in self._combinations for value in labels]
        return values

    def labels(self, metadata: dict[str, Any] | None) -> Labels:
        """The label values of an item with this metadata."""
        if not self.keys:
            return ()
        labels = tuple(self._value(key, (metadata or {}).get(key)) for key in self.keys)
        if len(self.keys) > 1 and len(self._combinations) >= (self._limit + 1) * len(self.keys):
            return self._combinations.get(labels, self._others)
        return self._combinations.setdefault(labels, labels)

    def _value(self, key: str, raw: object) -> str:
        if raw is None or raw == "":
            return ""
        text = (raw if isinstance(raw, str) else msgspec.json.encode(raw).decode())[: self.MAX_LENGTH]
        values = self._values[key]
        if text not in values and text != self.OTHER:
            if len(values) >= self._limit:
                return self.OTHER
            values[text] = text
        return text
