"""The kinds of panels the dashboards use: stat, time series, heat map, state timeline and table."""

from collections.abc import Mapping, Sequence
from typing import Literal

from exporter.mixin.dashboards.panel import (
    Json,
    Panel,
    Query,
    Text,
    colours_of,
    panel_body,
    plain,
    thresholds,
    value_mappings,
)
from exporter.mixin.dashboards.steps import Step
from exporter.mixin.palette import NEUTRAL, OK

GAP_MS = 900_000
"""Quantiles of a quiet queue are points far apart: join them over at most this many milliseconds."""


def stat(
    text: Text,
    query: Query | Sequence[Query],
    *,
    unit: str,
    steps: Sequence[Step] = (),
    base: str = OK,
    mappings: Mapping[int, tuple[str, str]] | None = None,
    colours: Mapping[str, str] | None = None,
    names: bool = False,
    colour: str = NEUTRAL,
    decimals: int | None = None,
    links: Sequence[Json] = (),
    width: int = 4,
    height: int = 4,
) -> Panel:
    """A tile with one number.

    With steps or mappings its background takes the colour of the value, so that it reads from across the room.

    Args:
        text: Title, description and the text for no data.
        query: One query, or several for a tile with several numbers.
        unit: Grafana's name of the unit.
        steps: The values at which the colour changes.
        base: The colour below the first step.
        mappings: Words for values.
        colours: Fixed colours of series, by a regular expression for their names.
        names: Show the series' names beside the values.
        colour: The colour of a tile without steps.
        decimals: Digits after the point.
        links: Data links.
        width: Columns of the grid.
        height: Rows of the grid.
    """
    defaults: Json = {
        "color": {"mode": "thresholds"},
        "links": list(links),
        "thresholds": thresholds(steps, base) if steps else plain(colour),
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    if mappings:
        defaults["mappings"] = value_mappings(mappings)
    options: Json = {
        "colorMode": "background" if steps or mappings or colours else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "text": {},
        "textMode": "value_and_name" if names else "value",
    }
    queries = [query] if isinstance(query, Query) else query
    body = panel_body("stat", text, queries, defaults=defaults, overrides=colours_of(colours or {}), options=options)
    return Panel(width=width, height=height, body=body)


def timeseries(
    text: Text,
    queries: Sequence[Query],
    *,
    unit: str,
    steps: Sequence[Step] = (),
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    sparse: bool = False,
    bars: bool = False,
    axis: str = "",
    decimals: int | None = None,
    signed: bool = False,
    reaching: float | None = None,
    links: Sequence[Json] = (),
    width: int = 8,
    height: int = 8,
) -> Panel:
    """Lines over time, with the alerts' thresholds as dashed lines.

    Args:
        text: Title, description and the text for no data.
        queries: The queries.
        unit: Grafana's name of the unit.
        steps: The values at which alerts fire.
        colours: Fixed colours of series, by a regular expression for their names.
        stacked: Pile the series up.
        sparse: Draw points, and join those that are not too far apart.
        bars: Draw bars instead of lines.
        axis: A label for the axis, where the unit does not say what is counted.
        decimals: Digits after the point.
        signed: Values may be negative; otherwise the axis starts at 0.
        reaching: The axis goes up to this at least, so that the distance to a threshold is seen.
        links: Data links.
        width: Columns of the grid.
        height: Rows of the grid.
    """
    custom: Json = {
        "axisLabel": axis,
        "axisPlacement": "auto",
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 70 if bars else 45 if stacked else 8,
        "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineInterpolation": "linear",
        "lineWidth": 1 if bars or stacked else 2,
        "pointSize": 5,
        "scaleDistribution": {"type": "linear"},
        "showPoints": "always" if sparse else "never",
        "spanNulls": GAP_MS if sparse else False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    defaults: Json = {
        "color": {"mode": "palette-classic"},
        "custom": custom,
        "links": list(links),
        "thresholds": thresholds(steps) if steps else plain(NEUTRAL),
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    if reaching is not None:
        custom["axisSoftMax"] = reaching
    if not signed:
        defaults["min"] = 0
    options: Json = {
        "legend": {
            "calcs": ["lastNotNull", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "sortBy": "Last *",
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    body = panel_body(
        "timeseries", text, queries, defaults=defaults, overrides=colours_of(colours or {}), options=options
    )
    return Panel(width=width, height=height, body=body)


def heatmap(
    text: Text, expr: str, *, unit: str, cell: Literal["short", "cps"], width: int = 12, height: int = 9
) -> Panel:
    """The buckets of a histogram over time; darker is fewer, brighter is more.

    Args:
        text: Title, description and the text for no data.
        expr: The buckets, summed by ``le``.
        unit: The unit of the buckets' bounds.
        cell: The unit of the cells: how many, or how many a second.
        width: Columns of the grid.
        height: Rows of the grid.
    """
    options: Json = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": cell},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Viridis",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    defaults: Json = {
        "custom": {
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "scaleDistribution": {"type": "linear"},
        },
        "unit": unit,
    }
    queries = [Query(expr, "{{le}}", "heatmap")]
    body = panel_body("heatmap", text, queries, defaults=defaults, overrides=[], options=options)
    return Panel(width=width, height=height, body=body)


def state_timeline(
    text: Text, queries: Sequence[Query], *, mappings: Mapping[int, tuple[str, str]], width: int = 12, height: int = 7
) -> Panel:
    """A bar a series, coloured by what its value means.

    Args:
        text: Title, description and the text for no data.
        queries: The queries.
        mappings: The text and the colour of each value.
        width: Columns of the grid.
        height: Rows of the grid.
    """
    defaults: Json = {
        "color": {"mode": "thresholds"},
        "custom": {
            "fillOpacity": 85,
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "lineWidth": 0,
            "spanNulls": False,
        },
        "mappings": value_mappings(mappings),
        "thresholds": plain(NEUTRAL),
        "unit": "none",
    }
    options: Json = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    body = panel_body("state-timeline", text, queries, defaults=defaults, overrides=[], options=options)
    return Panel(width=width, height=height, body=body)
