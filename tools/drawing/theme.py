"""Colours and sizes of a dark Grafana, and the small pieces every kind of panel draws."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

PAGE = "#111217"
PANEL = "#181b1f"
BORDER = "#2c3035"
TEXT = "#d5d6de"
FAINT = "#8e8f99"
GRID = "#2a2d33"

ROW_PIXELS = 38
GAP_PIXELS = 8
PAGE_PIXELS = 1640
TITLE_PIXELS = 24
DPI = 100


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page, in pixels from the top left.

    Attributes:
        left: Pixels from the left.
        top: Pixels from the top.
        width: Pixels.
        height: Pixels.
    """

    left: float
    top: float
    width: float
    height: float

    def inside(self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> "Box":
        """The rectangle without these margins."""
        return Box(self.left + left, self.top + top, self.width - left - right, self.height - top - bottom)


@dataclass(frozen=True, slots=True)
class Page:
    """A figure measured in pixels.

    Attributes:
        figure: Where everything is drawn.
        height: Pixels.
    """

    figure: Figure
    height: int

    def axes(self, box: Box, colour: str | None = None) -> Axes:
        """Axes that fill a rectangle, one unit a pixel, without ticks."""
        axes = self.figure.add_axes(
            (
                box.left / PAGE_PIXELS,
                1 - (box.top + box.height) / self.height,
                box.width / PAGE_PIXELS,
                box.height / self.height,
            )
        )
        axes.set_facecolor(colour or "none")
        axes.set_xlim(0, box.width)
        axes.set_ylim(box.height, 0)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def frame(self, box: Box, title: str) -> Box:
        """Draw a panel's background and title, and return the rectangle left for its content."""
        axes = self.axes(box)
        axes.add_patch(Rectangle((0, 0), box.width, box.height, facecolor=PANEL, edgecolor=BORDER, linewidth=1))
        axes.text(9, TITLE_PIXELS / 2 + 2, title, color=TEXT, fontsize=8.6, weight="bold", va="center")
        return box.inside(left=6, right=6, top=TITLE_PIXELS + 4, bottom=6)

    def message(self, box: Box, text: str) -> None:
        """Write a text in the middle of a rectangle."""
        self.axes(box).text(box.width / 2, box.height / 2, text, color=FAINT, fontsize=9, ha="center", va="center")


def contrast(colour: str) -> str:
    """Black or white, whichever is read better on a colour."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#111217" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def shortened(text: str, pixels: float, size: float = 8) -> str:
    """A text cut to what fits, with an ellipsis."""
    fits = max(3, int(pixels / (size * 0.76)))
    return text if len(text) <= fits else text[: fits - 1] + "…"
