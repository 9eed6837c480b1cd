"""A whole dashboard as a picture."""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from tools.drawing import graph, tiles
from tools.drawing.frame import Frame, fetch
from tools.drawing.interpolate import All, Chosen, Scope
from tools.drawing.query_api import Prometheus
from tools.drawing.theme import DPI, FAINT, GAP_PIXELS, PAGE, PAGE_PIXELS, ROW_PIXELS, TEXT, Box, Page

Json = dict[str, Any]
HEAD = 58
COLUMN_PIXELS = (PAGE_PIXELS - GAP_PIXELS) / 24

KINDS: Mapping[str, Callable[[Page, Box, Frame], None]] = {
    "stat": tiles.stat,
    "table": tiles.table,
    "timeseries": graph.timeseries,
    "heatmap": graph.heatmap,
    "state-timeline": graph.state_timeline,
}
"""How each kind of panel is drawn."""


def _box(place: Json) -> Box:
    return Box(
        GAP_PIXELS + place["x"] * COLUMN_PIXELS,
        HEAD + place["y"] * ROW_PIXELS,
        place["w"] * COLUMN_PIXELS - GAP_PIXELS,
        place["h"] * ROW_PIXELS - GAP_PIXELS,
    )


def _choices(scope: Scope) -> str:
    def chosen(choice: All | Chosen) -> str:
        return "All" if isinstance(choice, All) else " + ".join(choice.values)

    return "    ".join(f"{name}: {chosen(choice)}" for name, choice in scope.variables.items())


def _head(page: Page, board: Json, scope: Scope) -> None:
    start, end = (
        datetime.fromtimestamp(moment, UTC).strftime("%H:%M") for moment in (scope.span.start, scope.span.end)
    )
    axes = page.axes(Box(GAP_PIXELS, 0, PAGE_PIXELS - 2 * GAP_PIXELS, HEAD))
    axes.text(4, 20, board["title"], color=TEXT, fontsize=13, weight="bold", va="center")
    axes.text(4, 43, _choices(scope), color=FAINT, fontsize=8.5, va="center")
    note = f"{start} to {end} UTC. Drawn from query results by tools/drawing; not a screenshot of Grafana."
    axes.text(PAGE_PIXELS - 20, 20, note, color=FAINT, fontsize=8.5, va="center", ha="right")


def _panel(page: Page, frame: Frame) -> None:
    content = page.frame(_box(frame.panel["gridPos"]), frame.panel["title"])
    if frame.panel["type"] != "stat" and not any(frame.results):
        page.message(content, frame.defaults["noValue"])
    else:
        KINDS[frame.panel["type"]](page, content, frame)


def height_of(board: Json) -> int:
    """Pixels from the top of a dashboard's picture to its end."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return HEAD + int(rows) * ROW_PIXELS + GAP_PIXELS


def draw(server: Prometheus, board: Json, scope: Scope) -> Figure:
    """Draw a dashboard.

    Args:
        server: Where its queries are asked.
        board: The dashboard's JSON.
        scope: The range and the variables.

    Raises:
        QueryRefused: Prometheus does not take a query.
    """
    height = height_of(board)
    figure = Figure(figsize=(PAGE_PIXELS / DPI, height / DPI), dpi=DPI, facecolor=PAGE)
    page = Page(figure, height)
    _head(page, board, scope)
    for panel in board["panels"]:
        if panel["type"] == "row":
            box = _box(panel["gridPos"])
            axes = page.axes(box)
            axes.text(4, box.height / 2, panel["title"], color=TEXT, fontsize=11, weight="bold", va="center")
        else:
            _panel(page, fetch(server, panel, scope))
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a picture as a small PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=PAGE)
    picture = Image.open(buffer).convert("RGB").quantize(colors=256, kmeans=1, dither=Image.Dither.NONE)
    picture.save(file, optimize=True)
