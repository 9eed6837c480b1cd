"""Curves of the figures in docs/performance.md, drawn from the tables there: `python -m benchmarks.pictures`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}
Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of one table.

    Attributes:
        heading: The table's heading.
        file: The name of the picture.
        across: What grows.
        curves: The columns that say what grows, whose cost a row is (None for all rows), and the cost, by curve.
    """

    heading: str
    file: str
    across: str
    curves: dict[str, tuple[int, tuple[int, str] | None, int]]


PICTURES = (
    Picture(
        "A longer history",
        "cost-of-history.svg",
        "items in the list, 60 of them live",
        {"exporter": (0, (2, "exporter"), 5), "pager on the official SDK": (0, (2, "SDK pager"), 5)},
    ),
    Picture(
        "More live items",
        "cost-of-live-items.svg",
        "live items among 100,000",
        {"exporter": (0, (2, "exporter"), 5), "pager on the official SDK": (0, (2, "SDK pager"), 5)},
    ),
    Picture(
        "Writing the metrics",
        "cost-of-environments.svg",
        "environments of 169 series",
        {"exporter, gzip": (0, (2, "gzip"), 4), "client_golang, gzip": (0, (2, "gzip"), 5)},
    ),
    Picture(
        "Many scrapers at once",
        "cost-of-scrapers.svg",
        "scrapers at once, 100 environments",
        {"exporter, gzip": (0, None, 2), "client_golang, gzip": (0, None, 3)},
    ),
)


def rows_of(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, where empty ones repeat those above.

    Raises:
        ValueError: There is no such table.
    """
    found = re.search(rf"^### {re.escape(heading)}[^#]*?\n\n((?:\|.*\n)+)", document, re.MULTILINE)
    if found is None:
        raise ValueError(f"there is no table under {heading}")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]
    for above, row in pairwise(rows):
        row[:2] = [mine or theirs for mine, theirs in zip(row[:2], above[:2], strict=True)]
    return rows


def curve(rows: Sequence[Sequence[str]], across: int, only: tuple[int, str] | None, cost: int) -> Curve:
    """Return the points of a curve: what grows, and seconds of CPU time."""
    chosen = [row for row in rows if only is None or row[only[0]] == only[1]]
    return [(float(row[across].replace(",", "")), seconds(row[cost])) for row in chosen]


def seconds(cell: str) -> float:
    """Return a time as it is written in a table in seconds."""
    number, unit = cell.removeprefix("≈").split()
    return float(number.replace(",", "")) * UNITS[unit]


def draw(picture: Picture, document: str) -> None:
    """Draw a picture beside the document."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    rows = rows_of(document, picture.heading)
    for (label, (across, only, cost)), style in zip(picture.curves.items(), ("o-", "s--"), strict=True):
        points = curve(rows, across, only, cost)
        axes.plot([x for x, _ in points], [y for _, y in points], style, label=label)
    axes.set(xscale="log", yscale="log", xlabel=picture.across, ylabel="CPU seconds per scrape")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(DOCS / "images" / picture.file, metadata={"Date": None})


def main() -> None:
    """Draw all pictures."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "performance", "font.family": "sans-serif"})
    document = (DOCS / "performance.md").read_text(encoding="utf-8")
    for picture in PICTURES:
        draw(picture, document)


if __name__ == "__main__":
    main()
