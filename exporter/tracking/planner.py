"""Which requests make every live item and the end of the list current, as few as possible."""

from collections.abc import Generator
from dataclasses import dataclass

from exporter.tracking.ledger import Ledger
from exporter.tracking.live import UNKNOWN, LiveItem
from exporter.tracking.steps import last_of

STEP = 2000
"""Live items that are looked at in one go: some milliseconds."""


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
    """Cover all live items and the tail with the fewest pages, at once; see :func:`planning`."""
    return last_of(planning(ledger, page_size))


def planning(ledger: Ledger, page_size: int) -> Generator[None, None, Plan]:
    """Cover all live items and the tail with the fewest pages, step by step; nothing may change the ledger meanwhile.

    Going through the list from its start and opening each page at the first item not covered yet is optimal for
    points on a line. A page that would reach the end of the list is the tail itself. Positions are at least as far
    apart as the items really are, so a page may show more than was planned; less only if IDs became visible late
    between them, and what it does not show is then read alone.
    """
    windows: list[tuple[LiveItem, ...]] = []
    single: list[LiveItem] = []
    page: list[LiveItem] = []
    end = 0  # the first position behind the page

    def close() -> None:
        if len(page) > 1:
            windows.append(tuple(page))
        else:
            single.extend(page)
        page.clear()

    tail_after = ledger.tail.ids[0]
    for number, (item, position) in enumerate(zip(ledger.targets(), ledger.positions(), strict=True), 1):
        if tail_after is None or item.seen.id > tail_after:
            break
        if position >= end:
            close()
        if not page and item.before == UNKNOWN:
            single.append(item)
        elif not page and position + page_size >= ledger.size:
            tail_after = item.before
            break
        else:
            if not page:
                end = position + page_size
            page.append(item)
        if not number % STEP:
            yield
    close()
    return Plan(tuple(windows), tuple(single), tail_after)
