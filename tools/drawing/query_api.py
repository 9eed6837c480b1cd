"""Prometheus' query API, as far as drawing a panel needs it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tools.drawing.interpolate import Span


class QueryRefused(ValueError):
    """Prometheus did not accept or could not evaluate a query."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a result.

    Attributes:
        labels: Its labels.
        points: Unix times and values, without NaN: what Grafana draws.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus server.

    Attributes:
        client: A client whose base address is the server's.
    """

    client: httpx.Client

    def instant(self, expression: str, at: float) -> list[Series]:
        """The value of an expression at one moment.

        Raises:
            QueryRefused: Prometheus says why.
        """
        return self._series("query", {"query": expression, "time": at})

    def range(self, expression: str, span: Span) -> list[Series]:
        """The values of an expression over a range.

        Raises:
            QueryRefused: Prometheus says why.
        """
        # Grafana aligns a range to the step, so that points do not move from refresh to refresh.
        start, end = (moment // span.interval * span.interval for moment in (span.start, span.end))
        return self._series("query_range", {"query": expression, "start": start, "end": end, "step": span.interval})

    def exemplars(self, expression: str, span: Span) -> list[Mapping[str, str]]:
        """The labels of the exemplars of all series in an expression.

        Raises:
            QueryRefused: Prometheus says why.
        """
        series = self._get("query_exemplars", {"query": expression, "start": span.start, "end": span.end})
        return [exemplar["labels"] for each in series for exemplar in each["exemplars"]]

    def label_values(self, label: str, selector: str) -> list[str]:
        """The values a label has in the selected series.

        Raises:
            QueryRefused: Prometheus says why.
        """
        values = self._get(f"label/{label}/values", {"match[]": selector})
        return [str(value) for value in values]

    def _get(self, path: str, parameters: Mapping[str, str | float]) -> Any:
        answer = self.client.get(f"/api/v1/{path}", params=dict(parameters))
        body = answer.json()
        if body["status"] != "success":
            raise QueryRefused(f"{body['errorType']}: {body['error']}, in {parameters}")
        return body["data"]

    def _series(self, path: str, parameters: Mapping[str, str | float]) -> list[Series]:
        series = (
            Series(
                row["metric"],
                tuple(
                    (float(moment), float(value))
                    for moment, value in (row["values"] if "values" in row else [row["value"]])
                    if not math.isnan(float(value))
                ),
            )
            for row in self._get(path, parameters)["result"]
        )
        return [one for one in series if one.points]
