"""Where in the list an item may stand that nothing shows, most likely places first."""

from collections.abc import Sequence

from exporter.tracking.history import Segment
from exporter.tracking.ids import TimedID

MARGIN = 2.0
"""Seconds by which the time in an ID may differ from the time of creation, which has whole seconds."""

MOST = 5
"""Segments that are worth looking into one by one; beyond that the whole list is read."""


def suspects(segments: Sequence[Segment], oldest: float | None) -> list[str]:
    """Return the ends of the segments to recount, in this order.

    Where the statistics date an item, and IDs hold the time of their creation, the item is in one of few segments.
    Otherwise it most likely became visible late, and so stands near the end of the list.

    Args:
        segments: All segments of the list.
        oldest: Unix time at which the item was created, or None.
    """
    dated = [] if oldest is None else _around(segments, oldest)
    last = [segment.end for segment in reversed(segments[-MOST:])]
    return list(dict.fromkeys([*(dated if len(dated) <= MOST else []), *last]))


def _around(segments: Sequence[Segment], moment: float) -> list[str]:
    """Return the ends of the segments in which an item of that moment may stand."""
    around: list[str] = []
    for segment in segments:
        end = TimedID.parse(segment.end)
        if end is None:
            return []
        if end.milliseconds >= (moment - MARGIN) * 1000:
            around.append(segment.end)
            if end.milliseconds > (moment + MARGIN) * 1000:
                break
    return around
