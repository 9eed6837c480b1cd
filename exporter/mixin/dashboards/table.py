"""Tables: one query a column, joined by the labels the queries have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.mixin.dashboards.panel import Json, Panel, Query, Text, panel_body, thresholds
from exporter.mixin.dashboards.steps import Step
from exporter.mixin.palette import UNPAINTED


@dataclass(frozen=True, slots=True)
class Column:
    """One column of numbers.

    Attributes:
        title: The heading.
        expr: The query that gives a value for each row.
        unit: Grafana's name of the unit.
        steps: The values at which the cell's colour changes; no steps, no colour.
        mappings: Words for ranges of values: the lowest value, the first beyond the range, the word, its colour.
        width: Pixels.
        decimals: Digits after the point.
    """

    title: str
    expr: str
    unit: str = "short"
    steps: Sequence[Step] = ()
    mappings: Sequence[tuple[float, float, str, str]] = ()
    width: int = 90
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The labels that make a row.

    Attributes:
        titles: The heading of each label that is shown, in order.
        hidden: Labels that tell rows apart and are not shown.
        links: Data links of the first label's cells.
        width: Pixels of each.
    """

    titles: Mapping[str, str]
    hidden: Sequence[str] = ()
    links: Sequence[Json] = ()
    width: int = 190


def _override(title: str, **properties: object) -> Json:
    return {
        "matcher": {"id": "byName", "options": title},
        "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()],
    }


def _range_mappings(ranges: Sequence[tuple[float, float, str, str]]) -> list[Json]:
    # A range of Grafana includes both ends.
    return [
        {
            "type": "range",
            "options": {"from": low, "to": beyond - 1e-6, "result": {"color": colour, "index": index, "text": word}},
        }
        for index, (low, beyond, word, colour) in enumerate(ranges)
    ]


def _column_override(column: Column) -> Json:
    properties: dict[str, object] = {"unit": column.unit, "custom__width": column.width}
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.steps:
        properties["thresholds"] = thresholds(column.steps, UNPAINTED)
    if column.mappings:
        properties["mappings"] = _range_mappings(column.mappings)
    if column.steps or column.mappings:
        properties["custom__cellOptions"] = {"mode": "basic", "type": "color-background"}
    return _override(column.title, **properties)


def table(text: Text, key: Key, columns: Sequence[Column], *, worst: str, width: int = 24, height: int = 9) -> Panel:
    """Rows by the labels of ``key``, a column a query, the largest value of one column on top.

    Args:
        text: Title, description and the text for no data.
        key: The labels that make a row.
        columns: The columns, from left to right after the key's.
        worst: The title of the column to sort by.
        width: Columns of the grid.
        height: Rows of the grid.
    """
    queries = [Query(column.expr, kind="table") for column in columns]
    # Grafana names the only value column of a panel "Value", and those of several queries "Value #A" and so on.
    names = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + n)}" for n in range(len(columns))]
    order = [*key.titles, *names]
    overrides = [
        *(_override(title, custom__width=key.width) for title in key.titles.values()),
        *(_column_override(column) for column in columns),
    ]
    if key.links:
        overrides[0]["properties"].append({"id": "links", "value": list(key.links)})
    body = panel_body(
        "table",
        text,
        queries,
        defaults={
            "color": {"mode": "thresholds"},
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False},
            "thresholds": thresholds(()),
            "unit": "short",
        },
        overrides=overrides,
        options={
            "cellHeight": "sm",
            "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
            "sortBy": [{"desc": True, "displayName": worst}],
        },
    )
    body["transformations"] = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": dict.fromkeys(("Time", *key.hidden), True),
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": {**key.titles, **dict(zip(names, (column.title for column in columns), strict=True))},
            },
        },
    ]
    return Panel(width=width, height=height, body=body)
