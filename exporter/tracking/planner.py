"""Which requests make every live item and the end of the list current, as few as possible."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from exporter.tracking.ledger import Ledger
from exporter.tracking.live import UNKNOWN, LiveItem


@dataclass(frozen=True, slots=True)
class Plan:
    """What one refresh reads.

    Attributes:
        windows: Neighbours that one page of the list shows, read from just before the first.
        single: Items with no live neighbour, read alone.
        tail_after: The ID after which the tail is read, or None for the start of the list. Everything after it is
            covered by the tail.
    """

    windows: tuple[tuple[LiveItem, ...], ...]
    single: tuple[LiveItem, ...]
    tail_after: str | None

    @property
    def requests(self) -> int:
        """How many requests this takes, unless the tail has grown by more than a page."""
        return len(self.windows) + len(self.single) + 1


def plan(ledger: Ledger, page_size: int) -> Plan:
    """Cover all live items and the tail with the fewest pages.

    Going through the list from its start and opening each page at the first item not covered yet is optimal for
    points on a line. A page that would reach the end of the list is the tail itself. Positions are at least as far
    apart as the items really are, so a page may show more than was planned; less only if IDs became visible late
    between them, and what it does not show is then read alone.
    """
    windows: list[tuple[LiveItem, ...]] = []
    single: list[LiveItem] = []
    targets, ranks = ledger.targets(), ledger.positions()
    tail_after = ledger.tail.ids[0]
    tail = len(targets) if tail_after is None else bisect_right(targets, tail_after, key=lambda each: each.seen.id)
    position = 0
    while position < len(targets):
        first = targets[position]
        if tail_after is None or first.seen.id > tail_after:
            break
        if first.before == UNKNOWN:
            single.append(first)
            position += 1
            continue
        if ranks[position] + page_size >= ledger.size:
            tail_after = first.before
            break
        # Both go up through the list: the page ends before whichever comes first, its last item or the tail.
        end = min(bisect_left(ranks, ranks[position] + page_size, position), tail)
        if end == position + 1:
            single.append(first)
        else:
            windows.append(tuple(targets[position:end]))
        position = end
    return Plan(tuple(windows), tuple(single), tail_after)
