"""Graphs over time: lines, stacks and bars; heat maps; state timelines."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tools.drawing import units
from tools.drawing.frame import Frame, Line, mapped
from tools.drawing.theme import FAINT, GRID, TEXT, Box, Page, shortened

LEGEND_LINE = 17
MOST_LEGEND_LINES = 5
_SCALES = {"s": (86_400, 3600, 60), "bytes": (2**30, 2**20, 2**10)}
"""Units whose round numbers are not those of the decimal system."""


def _time_axis(axes: Axes, frame: Frame) -> None:
    span = frame.scope.span
    axes.set_xlim(span.start, span.end)
    step = next(step for step in (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 10_800) if span.seconds / step <= 8)
    ticks = range(int(span.start // step + 1) * step, int(span.end) + 1, step)
    axes.set_xticks(ticks)
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    axes.set_xticklabels([datetime.fromtimestamp(moment, UTC).strftime(form) for moment in ticks])
    axes.tick_params(colors=FAINT, labelsize=7, length=0, pad=3)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _values_axis(axes: Axes, frame: Frame) -> None:
    unit = frame.defaults["unit"]
    low, high = axes.get_ylim()
    scale = next((scale for scale in _SCALES.get(unit, ()) if high >= 1.5 * scale), None)
    if scale:
        ticks = [
            tick * scale for tick in MaxNLocator(5, steps=[1, 2, 3, 5, 6, 10]).tick_values(low / scale, high / scale)
        ]
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=frame.defaults.get("decimals") == 0))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: units.text(value, unit)))
    label = frame.defaults["custom"]["axisLabel"]
    if label:
        axes.set_ylabel(label, color=FAINT, fontsize=7)


def _draw_lines(axes: Axes, frame: Frame, lines: Sequence[Line]) -> None:
    custom = frame.defaults["custom"]
    step = frame.scope.span.interval
    if custom["stacking"]["mode"] == "normal":
        moments = np.array(sorted({moment for line in lines for moment, _ in line.series.points}))
        rows = [[dict(line.series.points).get(moment, 0.0) for moment in moments] for line in lines]
        axes.stackplot(moments, rows, colors=[line.colour for line in lines], alpha=0.75, linewidth=0.5)
        return
    for line in lines:
        moments, values = np.array(line.series.points).T
        if custom["drawStyle"] == "bars":
            axes.bar(moments, values, width=step * 0.9, color=line.colour, alpha=0.85)
            continue
        gaps = custom["spanNulls"] / 1000 if custom["spanNulls"] else step * 1.5
        breaks = np.where(np.diff(moments) > gaps)[0] + 1
        for xs, ys in zip(np.split(moments, breaks), np.split(values, breaks), strict=True):
            axes.plot(xs, ys, color=line.colour, linewidth=1.4)
        if custom["showPoints"] == "always":
            axes.plot(moments, values, ".", color=line.colour, markersize=3)


def _draw_steps(axes: Axes, frame: Frame) -> None:
    low, high = axes.get_ylim()
    for step in frame.defaults["thresholds"]["steps"]:
        # As in Grafana, a step beyond the axis is not drawn: the graph is not squeezed for its sake.
        if step["value"] is not None and low <= step["value"] <= high:
            axes.axhline(step["value"], color=step["color"], linewidth=1.3, linestyle=(0, (5, 4)))


def _legend(page: Page, box: Box, frame: Frame, lines: Sequence[Line]) -> None:
    axes = page.axes(box)
    unit, decimals = frame.defaults["unit"], frame.defaults.get("decimals")
    for heading, x in (("Name", 8), ("Last", box.width - 100), ("Max", box.width - 24)):
        axes.text(x, LEGEND_LINE / 2, heading, color=FAINT, fontsize=6.8, va="center", ha="left" if x == 8 else "right")
    for number, line in enumerate(lines[:MOST_LEGEND_LINES], start=1):
        y = LEGEND_LINE * (number + 0.5)
        axes.plot([8, 20], [y, y], color=line.colour, linewidth=3, solid_capstyle="butt")
        axes.text(27, y, shortened(line.name, box.width - 210), color=TEXT, fontsize=7.4, va="center")
        for value, x in ((line.series.last, 100), (max(value for _, value in line.series.points), 24)):
            written = units.text(value, unit, decimals)
            axes.text(box.width - x, y, written, color=TEXT, fontsize=7.4, va="center", ha="right")


def timeseries(page: Page, box: Box, frame: Frame) -> None:
    """Draw lines, stacks or bars with their legend."""
    lines = frame.lines()
    ranked = sorted(lines, key=lambda line: -line.series.last)
    legend = LEGEND_LINE * (1 + min(len(lines), MOST_LEGEND_LINES)) + 2
    axes = page.axes(box.inside(left=64, right=10, top=4, bottom=legend + 20))
    axes.set_ylim(auto=True)
    axes.invert_yaxis()
    axes.set_autoscaley_on(True)
    _draw_lines(axes, frame, lines)
    axes.relim()
    axes.autoscale(axis="y")
    low, high = sorted(axes.get_ylim())
    if frame.defaults.get("min") == 0:
        low = 0
    high = max(high, frame.defaults["custom"].get("axisSoftMax", high))
    axes.set_ylim(low, high if high > low else low + 1)
    _draw_steps(axes, frame)
    _time_axis(axes, frame)
    _values_axis(axes, frame)
    _legend(page, Box(box.left, box.top + box.height - legend, box.width, legend), frame, ranked)


def heatmap(page: Page, box: Box, frame: Frame) -> None:
    """Draw how many observations each bucket holds, from cumulative buckets."""
    cumulative = sorted(frame.results[0], key=lambda series: float(series.labels["le"]))
    bounds = [float(series.labels["le"]) for series in cumulative]
    moments = sorted({moment for series in cumulative for moment, _ in series.points})
    rows = np.array([[dict(series.points).get(moment, 0.0) for moment in moments] for series in cumulative])
    counts = np.diff(rows, axis=0, prepend=0).clip(min=0)
    cells = np.ma.masked_less_equal(counts, 1e-9)
    axes = page.axes(box.inside(left=64, right=10, top=4, bottom=46))
    step = frame.scope.span.interval
    edges = [*moments, moments[-1] + step]
    norm = PowerNorm(0.5, vmin=0, vmax=max(float(counts.max()), 1e-9))
    axes.pcolormesh(edges, range(len(bounds) + 1), cells, cmap="viridis", norm=norm)
    axes.set_ylim(0, len(bounds))
    _time_axis(axes, frame)
    axes.grid(visible=False)
    unit = frame.panel["options"]["yAxis"]["unit"]
    shown = range(0, len(bounds), 2)
    axes.set_yticks([index + 1 for index in shown])
    axes.set_yticklabels(["+Inf" if bounds[i] == float("inf") else units.text(bounds[i], unit) for i in shown])
    _scale(page, Box(box.left + 64, box.top + box.height - 22, 260, 20), norm, frame)


def _scale(page: Page, box: Box, norm: PowerNorm, frame: Frame) -> None:
    axes = page.axes(box)
    viridis = colormaps["viridis"]
    for index in range(100):
        axes.barh(7, box.width / 100, left=index * box.width / 100, height=8, color=viridis(index / 99))
    unit = frame.panel["options"]["cellValues"]["unit"]
    for share in (0.0, 0.5, 1.0):
        value = units.text(float(norm.inverse(share)), unit)
        axes.text(
            share * box.width, 18, value, color=FAINT, fontsize=6.6, ha=["left", "center", "right"][int(share * 2)]
        )


def state_timeline(page: Page, box: Box, frame: Frame) -> None:
    """Draw a bar a series in the colours of its values."""
    lines = frame.lines()
    label_width = min(0.4 * box.width, 20 + 6.2 * max(len(line.name) for line in lines))
    axes = page.axes(box.inside(left=label_width, right=10, top=4, bottom=42))
    axes.set_ylim(len(lines), 0)
    step = frame.scope.span.interval
    words: dict[str, str] = {}
    for row, line in enumerate(lines):
        for value, run in itertools.groupby(line.series.points, key=lambda point: point[1]):
            moments = [moment for moment, _ in run]
            word, colour = mapped(frame.defaults["mappings"], value) or (f"{value:g}", FAINT)
            words[word] = colour
            starts = [moments[0], *(b for a, b in itertools.pairwise(moments) if b - a > 1.5 * step)]
            ends = [*(a for a, b in itertools.pairwise(moments) if b - a > 1.5 * step), moments[-1]]
            bars = [(start, end - start + step) for start, end in zip(starts, ends, strict=True)]
            axes.broken_barh(bars, (row + 0.08, 0.84), facecolors=colour)
    _time_axis(axes, frame)
    axes.grid(visible=False)
    axes.set_yticks([row + 0.5 for row in range(len(lines))])
    axes.set_yticklabels([shortened(line.name, label_width) for line in lines], color=TEXT)
    legend = page.axes(Box(box.left, box.top + box.height - 18, box.width, 18))
    x = label_width
    for word, colour in words.items():
        legend.barh(9, 14, left=x, height=9, color=colour)
        legend.text(x + 20, 9, word, color=TEXT, fontsize=7.4, va="center")
        x += 50 + 7 * len(word)
