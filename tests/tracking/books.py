"""Ledgers made by hand, for tests that need no API."""

from collections.abc import Collection, Iterable

from exporter.tracking.ledger import Ledger
from exporter.tracking.observation import Observation
from exporter.tracking.reading import Reading, Sighting


def work_id(number: int) -> str:
    """The ID of the item that was created as the ``number``-th."""
    return f"work_{number:08d}"


def item(number: int, state: str = "stopped", **fields: float) -> Observation:
    """An item that was read at second 1000, if nothing else is said."""
    return Observation(work_id(number), state, (), fields.pop("read_at", 1000.0), **fields)  # type: ignore[arg-type]


def reading(after: int | None, through: int | None, items: Iterable[Observation]) -> Reading:
    """A stretch of the list in which every item is a sighting."""
    before = None if after is None else work_id(after)
    sightings = []
    for each in items:
        sightings.append(Sighting(each, before))
        before = each.id
    ids = [sighting.item.id for sighting in sightings]
    return Reading(
        None if after is None else work_id(after), None if through is None else work_id(through), sightings, ids
    )


def ledger(size: int, live: Collection[int] = ()) -> Ledger:
    """A complete ledger of a list of this size, with these items active and the others stopped."""
    made = Ledger()
    items = [item(number, "active" if number in live else "stopped") for number in range(size)]
    made.recount(reading(None, None, items))
    made.complete = True
    return made
