"""A panel together with the results of its queries, and how its values are named and coloured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.drawing.interpolate import Scope
from tools.drawing.query_api import Prometheus, Series

Json = dict[str, Any]

# The first colours of Grafana's classic palette, for series without a colour of their own.
CLASSIC = ("#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1", "#BA43A9", "#705DA0", "#508642", "#CCA300")


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a panel.

    Attributes:
        name: What the legend calls it.
        series: Its labels and points.
        colour: Its colour.
    """

    name: str
    series: Series
    colour: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A panel and its data.

    Attributes:
        panel: The panel's JSON.
        results: The series of each query, in the queries' order.
        scope: The range and the variables that were asked for.
    """

    panel: Json
    results: Sequence[Sequence[Series]]
    scope: Scope

    @property
    def defaults(self) -> Json:
        """What holds for every field of the panel."""
        found: Json = self.panel["fieldConfig"]["defaults"]
        return found

    def lines(self) -> list[Line]:
        """All series with their names and colours."""
        named = [
            (_name(target["legendFormat"], series), series)
            for target, result in zip(self.panel["targets"], self.results, strict=True)
            for series in result
        ]
        return [
            Line(name, series, self._fixed(name) or CLASSIC[index % len(CLASSIC)])
            for index, (name, series) in enumerate(named)
        ]

    def _fixed(self, name: str) -> str | None:
        for override in self.panel["fieldConfig"]["overrides"]:
            if override["matcher"]["id"] == "byRegexp" and re.search(override["matcher"]["options"], name):
                for one in override["properties"]:
                    if one["id"] == "color":
                        return str(one["value"]["fixedColor"])
        return None


def _name(legend: str, series: Series) -> str:
    if legend:
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: series.labels.get(match[1], ""), legend)
    return ", ".join(f"{label}={value}" for label, value in series.labels.items())


def step_colour(steps: Sequence[Json], value: float) -> str:
    """The colour of a value by its steps."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1])


def mapped(mappings: Sequence[Json], value: float) -> tuple[str, str] | None:
    """The word and the colour that stand for a value, if any do."""
    for mapping in mappings:
        options = mapping["options"]
        if mapping["type"] == "range" and options["from"] <= value <= options["to"]:
            return options["result"]["text"], options["result"]["color"]
        if mapping["type"] == "value" and f"{value:g}" in options:
            return options[f"{value:g}"]["text"], options[f"{value:g}"]["color"]
    return None


def fetch(server: Prometheus, panel: Json, scope: Scope) -> Frame:
    """Ask for everything a panel shows.

    Raises:
        QueryRefused: Prometheus does not take a query.
    """
    results = [
        server.instant(scope.fill(target["expr"]), scope.span.end)
        if target["instant"]
        else server.range(scope.fill(target["expr"]), scope.span)
        for target in panel["targets"]
    ]
    return Frame(panel, results, scope)
