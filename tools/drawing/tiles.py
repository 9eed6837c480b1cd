"""Stat tiles and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.patches import Rectangle

from exporter.mixin.palette import UNPAINTED
from tools.drawing import units
from tools.drawing.frame import Frame, Line, mapped, step_colour
from tools.drawing.theme import BORDER, FAINT, GRID, TEXT, Box, Page, contrast, shortened

Json = dict[str, Any]
ROW = 30


def _tile(frame: Frame, line: Line) -> tuple[str, str]:
    """The text and the colour of one number."""
    config = frame.defaults
    word = mapped(config.get("mappings", []), line.series.last)
    if word:
        return word
    text = units.text(line.series.last, config["unit"], config.get("decimals"))
    fixed = any(one["matcher"]["id"] == "byRegexp" for one in frame.panel["fieldConfig"]["overrides"])
    return text, line.colour if fixed else step_colour(config["thresholds"]["steps"], line.series.last)


def stat(page: Page, box: Box, frame: Frame) -> None:
    """Draw one or several numbers, on a background of their colour if the panel asks for that."""
    filled = frame.panel["options"]["colorMode"] == "background"
    lines = frame.lines()
    base = step_colour(frame.defaults["thresholds"]["steps"], float("-inf"))
    cells = [(line.name, *_tile(frame, line)) for line in lines] or [("", frame.defaults["noValue"], base)]
    width = box.width / len(cells)
    for number, (name, text, colour) in enumerate(cells):
        cell = Box(box.left + number * width + 2, box.top, width - 4, box.height)
        axes = page.axes(cell)
        if filled:
            axes.add_patch(Rectangle((0, 0), cell.width, cell.height, facecolor=colour))
        ink = contrast(colour) if filled else colour
        named = bool(lines) and frame.panel["options"]["textMode"] == "value_and_name"
        size = min(22.0, cell.width / (len(text) + 1))
        middle = cell.height * (0.62 if named else 0.5)
        axes.text(cell.width / 2, middle, text, color=ink, fontsize=size, weight="bold", ha="center", va="center")
        if named:
            label = shortened(name, cell.width, 9)
            axes.text(cell.width / 2, cell.height * 0.2, label, color=ink, fontsize=9.5, ha="center", va="center")


@dataclass(slots=True)
class _Row:
    labels: dict[str, str]
    values: dict[str, float] = field(default_factory=dict)


def rows_of(frame: Frame) -> tuple[dict[str, str], list[str], list[_Row]]:
    """Join a table's queries as its transformations do.

    Returns:
        The headings of the labels, the headings of the numbers, and the rows, sorted.
    """
    (organize,) = (one["options"] for one in frame.panel["transformations"] if one["id"] == "organize")
    titles: dict[str, str] = organize["renameByName"]
    keys = {name: title for name, title in titles.items() if not name.startswith("Value")}
    columns = [title for name, title in titles.items() if name.startswith("Value")]
    rows: dict[tuple[tuple[str, str], ...], _Row] = {}
    for column, result in zip(columns, frame.results, strict=True):
        for series in result:
            labels = dict(series.labels)
            row = rows.setdefault(tuple(sorted(labels.items())), _Row(labels))
            row.values[column] = series.last
    (order,) = frame.panel["options"]["sortBy"]
    ranked = sorted(
        rows.values(), key=lambda row: row.values.get(order["displayName"], float("-inf")), reverse=order["desc"]
    )
    return keys, columns, ranked


def _overrides(frame: Frame, column: str) -> Json:
    for override in frame.panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            return {one["id"]: one["value"] for one in override["properties"]}
    raise KeyError(column)


def _cell(settings: Json, value: float) -> tuple[str, str | None]:
    word = mapped(settings.get("mappings", []), value)
    if word:
        return word
    text = units.text(value, settings["unit"], settings.get("decimals"))
    if "custom.cellOptions" not in settings:
        return text, None
    colour = step_colour(settings["thresholds"]["steps"], value)
    return text, None if colour == UNPAINTED else colour


def _widths(frame: Frame, headings: Sequence[str], box: Box) -> list[float]:
    wanted = [float(_overrides(frame, heading)["custom.width"]) for heading in headings]
    return [width * box.width / sum(wanted) for width in wanted]


def table(page: Page, box: Box, frame: Frame) -> None:
    """Draw the rows that fit, the worst first."""
    keys, columns, rows = rows_of(frame)
    axes = page.axes(box)
    widths = _widths(frame, [*keys.values(), *columns], box)
    lefts = [sum(widths[:index]) for index in range(len(widths))]
    for heading, left in zip([*keys.values(), *columns], lefts, strict=True):
        axes.text(left + 6, ROW / 2, heading, color="#6e9fff", fontsize=8, weight="bold", va="center")
    axes.plot([0, box.width], [ROW, ROW], color=BORDER, linewidth=1)
    for number, row in enumerate(rows[: int(box.height // ROW) - 1], start=1):
        top = number * ROW
        axes.plot([0, box.width], [top + ROW, top + ROW], color=GRID, linewidth=0.6)
        for key, left in zip(keys, lefts, strict=False):
            axes.text(left + 6, top + ROW / 2, row.labels.get(key, ""), color="#6e9fff", fontsize=8.6, va="center")
        for index, column in enumerate(columns, start=len(keys)):
            if column not in row.values:
                axes.text(lefts[index] + 6, top + ROW / 2, "-", color=FAINT, fontsize=8.6, va="center")
                continue
            text, colour = _cell(_overrides(frame, column), row.values[column])
            if colour:
                place = (lefts[index] + 1, top + 1)
                axes.add_patch(Rectangle(place, widths[index] - 2, ROW - 2, facecolor=colour))
            ink = contrast(colour) if colour else TEXT
            axes.text(lefts[index] + 6, top + ROW / 2, text, color=ink, fontsize=8.6, va="center")
