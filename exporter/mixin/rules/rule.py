"""What a rule is made of, before it becomes YAML."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]
"""critical: somebody must act now; warning: somebody must act this week; info: worth knowing, routed to nobody."""

Symptom = Literal[
    "waiting",
    "heartbeat",
    "startup",
    "drain",
    "loss",
    "counts",
    "collection",
    "discovery",
    "access",
    "api",
    "clock",
    "config",
    "checkpoint",
    "exporter",
]
"""What hurts. Alerts of one environment with the same symptom are one incident: the worse silences the milder."""

Board = Literal["fleet", "environment", "exporter"]
"""The dashboard that shows an alert's data."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule.

    Attributes:
        name: ``level:metric:operations``; the level names what the labels tell apart.
        expr: PromQL.
        labels: The labels its series have.
    """

    name: str
    expr: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule.

    Attributes:
        name: CamelCase with the common prefix; its runbook is the lower-cased name.
        symptom: What hurts.
        severity: Who is told, and when.
        expr: PromQL; every series of the result is one alert.
        pending: How long the expression must hold, in seconds.
        labels: The labels the expression's series have.
        summary: One plain sentence, the same for every alert of this name.
        description: A template: which environment, what value, what to look at first.
        board: The dashboard to open.
    """

    name: str
    symptom: Symptom
    severity: Severity
    expr: str
    pending: float
    labels: tuple[str, ...]
    summary: str
    description: str
    board: Board


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, in this order.

    Attributes:
        name: Tells groups apart.
        rules: The rules.
        interval: Seconds between evaluations; None leaves it to Prometheus' configuration.
    """

    name: str
    rules: tuple[Recording | Alert, ...]
    interval: float | None = None
