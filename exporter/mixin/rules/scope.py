"""Which environments a rule is for: all, or those whose thresholds differ."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exporter.thresholds import Thresholds, decode

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """Environments by their name.

    Attributes:
        pattern: A regular expression for the whole name; None for every environment.
        excluded: Patterns of those that have a scope of their own.
    """

    pattern: str | None = None
    excluded: tuple[str, ...] = ()

    def select(self, metric: str, *matchers: str) -> str:
        """The series of a metric that belong to the environments of this scope.

        Args:
            metric: A series name.
            matchers: Further label matchers.
        """
        own = [f"environment=~{_quoted(self.pattern)}"] if self.pattern is not None else []
        others = [f"environment!~{_quoted('|'.join(self.excluded))}"] if self.excluded else []
        chosen = (*matchers, *own, *others)
        return f"{metric}{{{', '.join(chosen)}}}" if chosen else metric


def _quoted(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Override:
    """Thresholds for some environments.

    Attributes:
        pattern: A regular expression for the whole name of an environment.
        thresholds: All thresholds, those that are not changed at their default.
    """

    pattern: str
    thresholds: Thresholds


def decode_overrides(values: object, usual: Mapping[str, float]) -> list[Override]:
    """Turn a list of ``{environments: pattern, thresholds: {name: value}}``, as YAML gives it, into overrides.

    Args:
        values: The list.
        usual: The thresholds of the other environments that are not at their default.

    Raises:
        TypeError: It is no such list.
        ValueError: A pattern is no regular expression, or a name or value is wrong.
        msgspec.ValidationError: A value is no number.
    """
    if not isinstance(values, list) or not all(
        isinstance(entry, Mapping) and set(entry) == {"environments", "thresholds"} for entry in values
    ):
        raise TypeError("environment thresholds must be a list of environments (a pattern) and thresholds (a mapping)")
    return [_override(entry["environments"], entry["thresholds"], usual) for entry in values]


def _override(pattern: object, thresholds: object, usual: Mapping[str, float]) -> Override:
    if not isinstance(pattern, str) or not pattern:
        raise TypeError(f"environments must be a pattern for names, not {pattern!r}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"environments: {pattern!r} is no regular expression: {error}") from error
    if not isinstance(thresholds, Mapping):
        raise TypeError(f"thresholds of {pattern!r} must be a mapping of names to numbers")
    if fixed := sorted(set(thresholds) - OF_ENVIRONMENTS):
        raise ValueError(f"{pattern!r}: {', '.join(map(str, fixed))}: unknown, or cannot differ between environments")
    return Override(pattern, decode({**usual, **thresholds}))


OF_ENVIRONMENTS = frozenset(
    {
        "no_workers_wait",
        "no_workers_for",
        "idle_window",
        "beating_within",
        "growing_window",
        "growing_items",
        "growing_for",
        "queue_stalled_age",
        "queue_stalled_for",
        "backlog_age",
        "backlog_horizon",
        "backlog_for",
        "objective_wait",
        "objective_share",
        "objective_late_items",
        "burn_fast_short",
        "burn_fast_long",
        "burn_slow_short",
        "burn_slow_long",
        "burn_fast_for",
        "burn_slow_for",
        "heartbeat_late",
        "heartbeat_late_for",
        "heartbeat_lost",
        "heartbeat_lost_for",
        "startup_stuck",
        "startup_stuck_for",
        "drain_overdue",
        "drain_overdue_for",
        "vanished_items",
        "requeued_items",
        "requeued_share",
    }
)
"""The thresholds that may differ between environments: those of waiting work and of items in the hands of workers."""


def scoped(
    make: Callable[[Thresholds, Scope], Iterator[T]], thresholds: Thresholds, overrides: Sequence[Override]
) -> Iterator[T]:
    """Make rules for every environment, and apart for those whose thresholds change these rules.

    An environment that several overrides match belongs to the first of them.
    """
    whole = Scope()
    usual = list(make(thresholds, whole))
    for position, rule in enumerate(usual):
        variants = [list(make(override.thresholds, whole))[position] for override in overrides]
        if all(variant == rule for variant in variants):
            yield rule
            continue
        patterns = tuple(override.pattern for override in overrides)
        yield list(make(thresholds, Scope(excluded=patterns)))[position]
        for index, override in enumerate(overrides):
            own = Scope(override.pattern, excluded=patterns[:index])
            yield list(make(override.thresholds, own))[position]
