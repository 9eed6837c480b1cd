"""Panels as Grafana 10 reads them, from what our dashboards say about each: plain dictionaries, nothing implied.

A panel is built without its place; the layout adds ``gridPos`` and ``id``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.metrics.table import DRAIN, QUEUE_WAIT, RUN, STARTUP
from exporter.mixin.dashboards.steps import Step
from exporter.mixin.palette import OK

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

WITH_EXEMPLARS = tuple(f"{spec.name}_bucket" for spec in (QUEUE_WAIT, STARTUP, RUN, DRAIN))
"""The series that carry exemplars with the IDs of a work item and its session."""

QueryKind = Literal["range", "instant", "table", "heatmap"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query of a panel.

    Attributes:
        expr: The expression, with Grafana's variables in it.
        legend: Grafana's legend template, such as ``{{environment}}``.
        kind: ``range`` for graphs, ``instant`` for the value at the end of the range, ``table`` for the same as
            rows, ``heatmap`` for the buckets of a histogram over the range.
    """

    expr: str
    legend: str = ""
    kind: QueryKind = "range"

    def as_json(self, ref_id: str) -> Json:
        """The query as a panel's target."""
        instant = self.kind in {"instant", "table"}
        # An exemplar is drawn at its seconds: on an axis of shares or rates it would mean nothing.
        of_seconds = self.kind == "heatmap" or self.expr.startswith("histogram_quantile(")
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "exemplar": of_seconds and not instant and any(series in self.expr for series in WITH_EXEMPLARS),
            "expr": self.expr,
            "format": {"table": "table", "heatmap": "heatmap"}.get(self.kind, "time_series"),
            "instant": instant,
            "legendFormat": self.legend,
            "range": not instant,
            "refId": ref_id,
        }


@dataclass(frozen=True, slots=True)
class Text:
    """What a panel says in words.

    Attributes:
        title: A few words, with the unit where the values do not show it.
        description: How to read the panel, and when to worry.
        no_value: What stands there when the query returns nothing.
    """

    title: str
    description: str
    no_value: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel with the size it takes on the grid of 24 columns.

    Attributes:
        width: Columns.
        height: Rows of the grid.
        body: The panel's JSON without ``id`` and ``gridPos``.
    """

    width: int
    height: int
    body: Json = field(compare=False)


def colour_of(series: str, colour: str) -> Json:
    """Give every series whose name matches the regular expression a fixed colour."""
    return {
        "matcher": {"id": "byRegexp", "options": f"^{series}$"},
        "properties": [{"id": "color", "value": {"fixedColor": colour, "mode": "fixed"}}],
    }


def colours_of(colours: Mapping[str, str]) -> list[Json]:
    """Give each of these series its colour."""
    return [colour_of(series, colour) for series, colour in colours.items()]


def value_mappings(mappings: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Show numbers as words in a colour.

    Args:
        mappings: The text and the colour of each number.
    """
    options = {
        str(value): {"color": colour, "index": index, "text": text}
        for index, (value, (text, colour)) in enumerate(mappings.items())
    }
    return [{"type": "value", "options": options}]


def thresholds(steps: Sequence[Step], base: str = OK) -> Json:
    """Steps of colour; ``base`` holds below the first step."""
    return {
        "mode": "absolute",
        "steps": [{"color": base, "value": None}, *({"color": step.colour, "value": step.value} for step in steps)],
    }


def plain(colour: str) -> Json:
    """One colour whatever the value: for numbers that are neither good nor bad."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": None}]}


def panel_body(
    kind: str, text: Text, queries: Sequence[Query], *, defaults: Json, overrides: Sequence[Json], options: Json
) -> Json:
    """What panels of every kind have in common."""
    return {
        "datasource": DATASOURCE,
        "description": text.description,
        "fieldConfig": {"defaults": {"noValue": text.no_value, **defaults}, "overrides": list(overrides)},
        "options": options,
        "targets": [query.as_json(chr(ord("A") + index)) for index, query in enumerate(queries)],
        "title": text.title,
        "transparent": False,
        "type": kind,
    }
