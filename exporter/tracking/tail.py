"""The end of the list, where every ID is known: new items come there, and it shows what list is being read."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

OVERLAP = 10
"""IDs at the end of the list that are known one by one. Each reading of the tail begins before them: that shows that
the cursor was understood, and finds items whose ID became visible after a later one's."""


@dataclass(slots=True)
class Tail:
    """The last IDs of the list.

    Attributes:
        ids: An ID to read on from (None for the start of the list), then every ID after it.
        reached: Whether the newest reading of the tail came to the end of the list.
    """

    ids: list[str | None] = field(default_factory=lambda: [None])
    reached: bool = False

    @property
    def last(self) -> str | None:
        """The last ID of the list as far as it is known."""
        return self.ids[-1]

    def covers(self, work_id: str) -> bool:
        """Whether every ID is known where this one stands or would stand."""
        return self.ids[0] is None or work_id > self.ids[0]

    def precedes(self, work_id: str) -> bool:
        """Whether this ID comes after the last one that is known."""
        return self.last is None or work_id > self.last

    def append(self, *work_ids: str) -> None:
        """Add what follows in the list."""
        self.ids = [*self.ids, *work_ids][-(OVERLAP + 1) :]

    def insert(self, work_id: str) -> None:
        """Add an ID that became visible after later ones."""
        self.ids.insert(bisect_left(self.ids, work_id, lo=1, key=lambda each: each or ""), work_id)

    def forget(self, gone: Collection[str]) -> None:
        """Remove IDs that the API no longer knows, where what stands around them is counted anew."""
        self.ids[1:] = [work_id for work_id in self.ids[1:] if work_id not in gone]

    def end(self, after: str | None, work_ids: Sequence[str]) -> set[str]:
        """Apply a reading that reached the end of the list, and return the IDs that should be in it and are not.

        The tail is A B C D, of which A only is an ID to read on from. A reading after B shows D E: C is missing. What
        stands before the reading, A, is still known: the tail becomes A B D E.

        Args:
            after: The ID just before the reading; None if it began with the list.
            work_ids: All IDs in it.
        """
        following = {each for each in self.ids[1:] if each and (after is None or each > after)}
        earlier = self.ids[: self.ids.index(after)] if after in self.ids else []
        self.ids = [*earlier, after, *work_ids][-(OVERLAP + 1) :]
        self.reached = True
        return following - set(work_ids)
