"""Sections of panels on Grafana's grid, without an overlap and without a hole."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.mixin.dashboards.panel import Json, Panel

COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of panels under one heading.

    Attributes:
        title: The heading; empty for the top of a dashboard, which needs none.
        lines: Panels side by side; those of one line are equally high and fill the grid's width.
    """

    title: str
    lines: Sequence[Sequence[Panel]]


def _row(title: str, y: int) -> Json:
    return {
        "collapsed": False,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        "panels": [],
        "title": title,
        "type": "row",
    }


def _line(panels: Sequence[Panel], y: int) -> list[Json]:
    names = ", ".join(repr(panel.body["title"]) for panel in panels)
    if sum(panel.width for panel in panels) != COLUMNS:
        raise ValueError(f"the line of {names} is not {COLUMNS} columns wide")
    if len({panel.height for panel in panels}) != 1:
        raise ValueError(f"the panels of the line of {names} are not equally high")
    placed = []
    x = 0
    for panel in panels:
        placed.append({**panel.body, "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y}})
        x += panel.width
    return placed


def place(sections: Sequence[Section]) -> list[Json]:
    """Give every panel its place and its number, from the top left to the bottom right.

    Raises:
        ValueError: A line leaves a hole or does not fit.
    """
    placed: list[Json] = []
    y = 0
    for section in sections:
        if section.title:
            placed.append(_row(section.title, y))
            y += 1
        for line in section.lines:
            placed += _line(line, y)
            y += line[0].height
    return [{"id": number, **panel} for number, panel in enumerate(placed, start=1)]
