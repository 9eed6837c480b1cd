"""Items in the list that have no ID: they cannot be told apart or asked for, only be found at their places again."""

from collections.abc import Mapping

import structlog

from exporter.api.types import WorkPage

MAX_PLACES = 10_000
"""Places that are remembered; an API that has lost more IDs than that needs no exact number."""

log = structlog.get_logger()


class WithoutID:
    """How many items without an ID stand where in the list.

    A place is the ID before them (empty for the start of the list). A page says all about the places between the ID it
    was asked for and its last item, so that reading a part of the list again counts nothing twice, and forgets what has
    an ID by now.

    Args:
        places: What is known from an earlier run.
    """

    def __init__(self, places: Mapping[str, int] | None = None) -> None:
        self.places = dict(places or {})

    @property
    def number(self) -> int:
        """How many there are."""
        return sum(self.places.values())

    def note(self, environment_id: str, after: str | None, page: WorkPage) -> None:
        """Note what a page shows that was asked for by ``after``; an empty one proves nothing."""
        if not page.data or not (self.places or page.without_id):
            return
        none_before = not self.places
        first, last = page.data[0].id, page.data[-1].id
        start = min(after or "", first)  # the API may have taken the cursor for the start of the list
        for place in [place for place in self.places if start <= place < last]:
            del self.places[place]
        found: dict[str, int] = {}
        for before in page.without_id:
            place = start if before is None else before
            found[place] = found.get(place, 0) + 1
        for place, number in found.items():
            if place in self.places or len(self.places) < MAX_PLACES:
                self.places[place] = number
        if not page.more and last not in found:
            self.places.pop(last, None)
        if none_before and self.places:
            what = "items without an ID are left out of the counts"
            log.warning(what, environment_id=environment_id, items=self.number, after=next(iter(self.places)) or None)
