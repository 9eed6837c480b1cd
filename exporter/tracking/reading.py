"""What was read of the list: stretches of it, and the items in them as they stood there."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from exporter.tracking.live import UNKNOWN
from exporter.tracking.observation import Observation

STEP = 20
"""Readings, mostly of a page each, that are put together in one go."""


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """An item as it stood in a reading, and the ID just before it there (``UNKNOWN`` where it was read alone)."""

    item: Observation
    before: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A contiguous stretch of the list.

    Attributes:
        after: The ID just before the stretch; None if it begins with the list.
        through: The last ID in it; None if it ends with the list.
        sightings: Every item in it that is live, was live, or is new. Stopped items known before may be left out.
        ids: Every ID in it, in order.
    """

    after: str | None
    through: str | None
    sightings: Sequence[Sighting]
    ids: Sequence[str] = ()

    def covers(self, work_id: str) -> bool:
        """Return whether an item of this ID would have been in it."""
        return (self.after is None or work_id > self.after) and (self.through is None or work_id <= self.through)


def newest(readings: Iterable[Reading], single: Iterable[Sighting]) -> Generator[None, None, dict[str, Sighting]]:
    """Find the last sighting of each item, step by step; by ID.

    Stopped is terminal, so it is later whatever the clocks say.
    """
    seen: dict[str, Sighting] = {}
    for number, sightings in enumerate((*(reading.sightings for reading in readings), single), 1):
        for sighting in sightings:
            other = seen.get(sighting.item.id)
            if other is None:
                seen[sighting.item.id] = sighting
            elif (other.item.live, -other.item.read_at) > (sighting.item.live, -sighting.item.read_at):
                before = sighting.before if sighting.before != UNKNOWN else other.before
                seen[sighting.item.id] = Sighting(sighting.item, before)
        if not number % STEP:
            yield
    return seen
