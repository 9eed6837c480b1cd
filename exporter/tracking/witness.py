"""Two witnesses of one queue: the list, whose queued items are counted, and the API's own statistics of it.

They are read in the same refresh and should agree. They need not agree at every moment: they are not read at the same
instant, items come and go in between, and a statistic may be null. What stays for several refreshes in a row is no
chance: then an item stands where no refresh has reason to look, or the statistics count otherwise than is documented.
"""

from dataclasses import dataclass, field

from exporter.tracking.observation import QUEUED
from exporter.tracking.snapshot import Queue, Stats

LASTING = 3
"""Refreshes in a row in which the witnesses must disagree in the same manner."""

RESOLUTION = 1.0
"""The API's times of queued items have whole seconds (`work/stats`)."""

FIRST_PAUSE, LONGEST_PAUSE = 600.0, 86_400.0
"""Seconds after a search in which there is no other while the witnesses disagree; doubled while none finds anything."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the statistics say and the counts do not.

    Attributes:
        more: How many more items are queued by the statistics than are counted; negative if there are fewer.
        oldest: Unix time at which a queued item was created that is older than all that are known, or None.
    """

    more: int = 0
    oldest: float | None = None

    @property
    def hidden(self) -> int:
        """How many queued items there are at least that the counts do not have."""
        return max(self.more, 0 if self.oldest is None else 1)


def difference(queue: Queue, stats: Stats, since: float | None, *, overlapping: bool = False) -> Difference | None:
    """Compare what was read in one refresh, or return None if it agrees.

    Args:
        queue: What was counted.
        stats: What the API says.
        since: The unix time before which items are not counted (``history.lookback``); None if all are.
        overlapping: Whether ``depth`` may contain the pending items.
    """
    queued = sum(count for (state, _), count in queue.counts.items() if state == QUEUED)
    known = [count for count in (stats.depth, stats.pending) if count is not None]
    most = sum(known) if len(known) == 2 else None  # by the documentation they have no item in common
    least = max(known, default=0) if overlapping or most is None else most
    more = least - queued if queued < least else min(0, most - queued) if most is not None else 0
    oldest = stats.oldest_queued_at
    if since is not None and more > 0 and (oldest is None or oldest < since):
        more = 0  # they may all be older than what is watched
    if abs(more) <= queue.moving:
        more = 0
    if oldest is not None and since is not None and oldest < since:
        oldest = None
    if oldest is not None:
        first = queue.oldest_queued_at
        oldest = (
            oldest if (first is None and not queued) or (first is not None and oldest <= first - RESOLUTION) else None
        )
    return Difference(more, oldest) if more or oldest is not None else None


@dataclass(slots=True)
class Witness:
    """What the statistics have said against the counts lately, and what was done about it.

    Attributes:
        lasting: What they have said for several refreshes in a row, or None.
        overlapping: Whether the statistics have turned out to count pending items twice.
    """

    lasting: Difference | None = None
    overlapping: bool = False
    _lately: list[Difference] = field(default_factory=list)
    _searched: bool = False
    _pause: float = FIRST_PAUSE
    _not_before: float = 0.0

    def observe(self, queue: Queue, stats: Stats, since: float | None) -> None:
        """Compare what was read in one more refresh."""
        found = difference(queue, stats, since, overlapping=self.overlapping)
        if found is not None and self._searched and difference(queue, stats, since, overlapping=True) is None:
            # All there is was read, and what is left is just what it would be if `depth` contained `pending`.
            self.overlapping, found = True, None
        if found is None:
            self.lasting, self._lately = None, []
            self._searched, self._pause, self._not_before = False, FIRST_PAUSE, 0.0
            return
        self._lately = [*self._lately, found][-LASTING:]
        if len(self._lately) == LASTING:
            self.lasting = _common(self._lately)

    def wants_search(self, now: float) -> bool:
        """Return whether the list should be searched for what is not counted; ``now`` is monotonic."""
        return self.lasting is not None and self.lasting.hidden > 0 and now >= self._not_before

    def searched(self, now: float, *, whole: bool, found: bool) -> None:
        """Learn that a part of the list has been read again, or the whole of it, and whether that put anything right.

        If they still disagree after that, there is no other search for a while.
        """
        if self.lasting is None:
            return
        self._searched, self._lately = self._searched or whole, []
        self._pause = FIRST_PAUSE if found else self._pause
        self._not_before, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)


def _common(differences: list[Difference]) -> Difference | None:
    """Return what several differences in a row have in common, or None."""
    counts = [each.more for each in differences]
    more = min(counts) if min(counts) > 0 else min(0, max(counts))
    times = [each.oldest for each in differences if each.oldest is not None]
    # The oldest item of a moving queue is another one each time; one that nobody knows stays.
    stays = len(times) == len(differences) and max(times) - min(times) < RESOLUTION
    return Difference(more, times[-1] if stays else None) if more or stays else None
