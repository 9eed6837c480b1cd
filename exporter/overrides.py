"""Thresholds that differ between environments: for the rules, and for the pages that judge as they do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.thresholds import Thresholds, decode


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
