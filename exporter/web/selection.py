"""Which environments and items a request asks for, and in which order: the parameters of the page and the JSON API."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args
from urllib.parse import urlencode

from exporter.web.schema import Environment
from exporter.web.severity import RANKS, Severity

SEVERITIES: tuple[str, ...] = get_args(Severity)

_Key = Callable[[Environment], float | int | None]

_LARGEST_FIRST: Mapping[str, _Key] = {
    "queued": lambda each: _count(each, "queued"),
    "starting": lambda each: _count(each, "starting"),
    "active": lambda each: _count(each, "active"),
    "stopping": lambda each: _count(each, "stopping"),
    "waiting": lambda each: each.oldest_queued_seconds,
    "heartbeat": lambda each: each.max_heartbeat_lag_seconds,
    "startup": lambda each: each.longest_starting_seconds,
    "drain": lambda each: each.longest_stopping_seconds,
    "workers": lambda each: each.workers_polling,
    "age": lambda each: each.age_seconds,
    "cost": lambda each: each.refresh_seconds,
}

SORTS: tuple[str, ...] = ("severity", "name", *_LARGEST_FIRST)
"""What environments can be sorted by; a - before it reverses the order. What is not known comes last."""

MAX_SEARCH = 200
"""Characters of a search that are used."""

MAX_REFRESH = 3600
MAX_ITEMS = 1000
"""Most items in one answer."""


class BadSelection(ValueError):
    """A parameter makes no sense; the text says which would."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for.

    Attributes:
        sort: One of `SORTS`.
        descending: Whether the order is reversed.
        search: Only environments whose name, ID or account contains this, in any case.
        severity: Only environments at least this bad; None for all.
        refresh: Seconds after which the page loads itself again; 0 for never.
    """

    sort: str = "severity"
    descending: bool = False
    search: str = ""
    severity: str | None = None
    refresh: int = 15

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Selection":
        """Read the parameters ``sort``, ``q``, ``severity`` and ``refresh``.

        Raises:
            BadSelection: One of them makes no sense.
        """
        text = query.get("sort") or "severity"
        sort = text.removeprefix("-")
        if sort not in SORTS:
            raise BadSelection(f"sort must be one of {', '.join(SORTS)}, with a - before it to reverse the order")
        severity = query.get("severity") or None
        if severity is not None and severity not in SEVERITIES:
            raise BadSelection(f"severity must be one of {', '.join(SEVERITIES)}")
        refresh = number(query, "refresh", cls().refresh, MAX_REFRESH)
        return cls(sort, text.startswith("-"), query.get("q", "").strip()[:MAX_SEARCH], severity, refresh)

    def apply(self, environments: Iterable[Environment]) -> list[Environment]:
        """Those asked for, in the order asked for."""
        words = self.search.casefold()
        found = [each for each in environments if self._wanted(each, words)]
        found.sort(key=lambda each: (each.name.casefold(), each.id))
        if self.sort == "severity":
            found.sort(key=lambda each: RANKS[each.severity], reverse=self.descending)
        elif self.sort == "name":
            found.sort(key=lambda each: (each.name.casefold(), each.id), reverse=self.descending)
        else:
            key = _LARGEST_FIRST[self.sort]
            found.sort(key=lambda each: _by_number(key(each), ascending=self.descending))
        return found

    def link(self, **changes: object) -> str:
        """The query of the same selection with some parts changed; ``?`` alone for the default."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        parameters = {
            "sort": ("-" if changed.descending else "") + changed.sort,
            "q": changed.search,
            "severity": changed.severity or "",
            "refresh": str(changed.refresh),
        }
        usual = {"sort": "severity", "q": "", "severity": "", "refresh": str(Selection().refresh)}
        return "?" + urlencode({name: value for name, value in parameters.items() if value != usual[name]})

    def _wanted(self, each: Environment, words: str) -> bool:
        if self.severity is not None and RANKS[each.severity] > RANKS[self.severity]:  # type: ignore[index]
            return False
        return not words or any(words in text.casefold() for text in (each.name, each.id, each.account))


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """Which live items are asked for.

    Attributes:
        limit: How many at most.
        state: Only those in this state; None for all.
        work_id: Only this one; None for all.
    """

    limit: int = 100
    state: str | None = None
    work_id: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "ItemSelection":
        """Read the parameters ``limit``, ``state`` and ``work_id``.

        Raises:
            BadSelection: The limit makes no sense.
        """
        limit = number(query, "limit", cls().limit, MAX_ITEMS)
        return cls(limit, query.get("state") or None, query.get("work_id") or None)


def number(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    """A parameter that is a number.

    Raises:
        BadSelection: It is none, or too large.
    """
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= largest):
        raise BadSelection(f"{name} must be a number from 0 to {largest}")
    return int(text)


def _count(each: Environment, state: str) -> int | None:
    return None if each.items is None else each.items.get(state, 0)


def _by_number(value: float | None, *, ascending: bool) -> tuple[bool, float]:
    if value is None:
        return True, 0.0
    return False, value if ascending else -value
