"""What goes wrong on the wire, switched on and off while the simulation runs."""

import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

GarbageContent = Literal[
    "html",
    "invalid_json",
    "wrong_types",
    "empty",
    "null",
    "repeated_page",
    "stuck_cursor",
    "no_cursor",
    "duplicates",
    "descending",
]

LISTS = ("list", "environments")
"""The endpoints that answer with pages."""

_PAGE_CONTENTS = ("repeated_page", "stuck_cursor", "no_cursor", "duplicates", "descending")


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all faults have in common: which requests they meet.

    Attributes:
        endpoint: Only requests to this endpoint, such as ``list``; None for all.
        environment_id: Only requests about this environment; None for all.
        probability: The share of those requests, above 0 and at most 1.
        skip: This many of those requests go well first.
        count: The fault is over after it has met this many; None for never.
    """

    endpoint: str | None = None
    environment_id: str | None = None
    probability: float = 1.0
    skip: int = 0
    count: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability: must be above 0 and at most 1, got {self.probability}")
        if self.skip < 0:
            raise ValueError(f"skip: must not be negative, got {self.skip}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count: must be at least 1, got {self.count}")

    def meets(self, endpoint: str, environment_id: str | None) -> bool:
        """Return whether the fault concerns such a request."""
        return self.endpoint in (None, endpoint) and self.environment_id in (None, environment_id)


class Latency(Fault, frozen=True, tag="latency"):
    """The answer comes late, by seconds of real time; it combines with other faults.

    Attributes:
        seconds: At least this late.
        jitter: Up to this much later still.
    """

    seconds: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seconds < 0 or self.jitter < 0:
            raise ValueError(f"seconds and jitter: must not be negative, got {self.seconds} and {self.jitter}")


class Status(Fault, frozen=True, tag="status"):
    """The gateway answers with this status instead of the API.

    Attributes:
        status: From 200 to 599.
        body: Whether there is an error envelope; otherwise the answer has no body at all.
        retry_after: The ``Retry-After`` header, seconds or an HTTP date.
        headers: Further headers, such as ``Location``.
    """

    status: int
    body: bool = True
    retry_after: str | None = None
    headers: dict[str, str] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 200 <= self.status <= 599:
            raise ValueError(f"status: must be from 200 to 599, got {self.status}")


class Reset(Fault, frozen=True, tag="reset"):
    """The connection is reset before any answer."""


class Truncate(Fault, frozen=True, tag="truncate"):
    """The connection ends in the middle of the answer's body."""


class Garbage(Fault, frozen=True, tag="garbage"):
    """A 200 whose body is not what it should be.

    Attributes:
        content: ``html``, ``invalid_json``, ``wrong_types``, ``empty`` or ``null`` instead of any body; of a page:
            ``repeated_page`` (the first page again and again, with more to come), ``stuck_cursor`` (the next cursor is
            the one just used), ``no_cursor`` (``has_more`` without ``next_page`` and ``last_id``), ``duplicates``
            (each item twice), ``descending`` (the items in reverse).
    """

    content: GarbageContent

    def meets(self, endpoint: str, environment_id: str | None) -> bool:
        """Return whether the fault concerns such a request; bad pages concern lists alone."""
        return Fault.meets(self, endpoint, environment_id) and (self.content not in _PAGE_CONTENTS or endpoint in LISTS)


AnyFault = Latency | Status | Reset | Truncate | Garbage


@dataclass(frozen=True, slots=True)
class Disruption:
    """What happens to one request: seconds of delay, and at most one fault that replaces or corrupts the answer."""

    seconds: float = 0.0
    fault: Status | Reset | Truncate | Garbage | None = None


@dataclass(slots=True)
class _Active:
    fault: AnyFault
    skip: int
    left: int | None


class Faults:
    """The faults that are switched on.

    Args:
        randomness: Decides for faults that meet only a share of the requests.
    """

    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._active: dict[int, _Active] = {}

    def add(self, fault: AnyFault) -> int:
        """Switch a fault on and return the number by which it can be removed."""
        with self._lock:
            number = next(self._numbers)
            self._active[number] = _Active(fault, fault.skip, fault.count)
            return number

    def remove(self, number: int) -> bool:
        """Switch a fault off; return whether it was still on."""
        with self._lock:
            return self._active.pop(number, None) is not None

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._active.clear()

    @contextmanager
    def during(self, *faults: AnyFault) -> Iterator[None]:
        """Have these faults on inside this block."""
        numbers = [self.add(fault) for fault in faults]
        try:
            yield
        finally:
            for number in numbers:
                self.remove(number)

    def active(self) -> dict[int, AnyFault]:
        """Return the faults that are on, by number, the first one first."""
        with self._lock:
            return {number: active.fault for number, active in self._active.items()}

    def draw(self, endpoint: str, environment_id: str | None) -> Disruption:
        """Decide what befalls this request. All latencies add up; of the others the first one wins."""
        seconds = 0.0
        corruption: Status | Reset | Truncate | Garbage | None = None
        with self._lock:
            for number, active in list(self._active.items()):
                fault = active.fault
                late = isinstance(fault, Latency)
                if (corruption is not None and not late) or not fault.meets(endpoint, environment_id):
                    continue
                if not self._strikes(number, active):
                    continue
                if isinstance(fault, Latency):
                    seconds += fault.seconds + self._random.random() * fault.jitter
                else:
                    corruption = fault
        return Disruption(seconds, corruption)

    def _strikes(self, number: int, active: _Active) -> bool:
        if active.skip > 0:
            active.skip -= 1
            return False
        if active.fault.probability < 1 and self._random.random() >= active.fault.probability:
            return False
        if active.left is not None:
            active.left -= 1
            if active.left == 0:
                del self._active[number]
        return True
