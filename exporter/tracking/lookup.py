"""Asking for items one by one: the only proof that something has vanished.

A list that leaves an item out proves nothing: a replica may lag behind, a page may be cut short, a cursor may have been
misunderstood. What the API does not know by its ID (`work/get`) is gone.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exporter.api.client import Answer
from exporter.api.errors import InvalidResponse, NotFound
from exporter.api.types import WorkItem
from exporter.tracking.source import Source
from exporter.tracking.tasks import together

SAMPLE = 3
"""Items asked for first, of many: if one of them is there, the list is not to be believed, and the others can wait."""


LEFT_OUT_FOR = 3
"""Refreshes in a row that fail because the list leaves out what the API has; then that is asked for alone."""


class LeftOutError(InvalidResponse):
    """The list leaves out items that the API has.

    Attributes:
        left_out: Some of them.
    """

    def __init__(self, left_out: Collection[str]) -> None:
        what = f"{min(left_out)} and {len(left_out) - 1} more" if len(left_out) > 1 else min(left_out)
        super().__init__(f"the list leaves out what the API has: {what}", endpoint="list")
        self.left_out = frozenset(left_out)


class LeftOut:
    """What the list of an environment leaves out although the API has it, over several refreshes."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    @contextmanager
    def noted(self) -> Iterator[Collection[str]]:
        """Give what has been left out so often that a refresh asks for it alone, and note what this one finds."""
        unlisted: Collection[str] = [work_id for work_id, times in self._times.items() if times >= LEFT_OUT_FOR]
        left_out = unlisted
        try:
            yield unlisted
        except LeftOutError as error:
            left_out = [*unlisted, *error.left_out]
            raise
        finally:
            self._times = Counter({work_id: self._times[work_id] + 1 for work_id in left_out})


Queued = Callable[[], Awaitable[int | None]]
"""Asks for how many items the API's statistics count as queued; None where they do not say."""


async def believe_empty(queued: Queued) -> None:
    """Believe that a list is empty, unless the API's own statistics say otherwise.

    Raises:
        InvalidResponse: They do.
    """
    count = await queued()
    if count:
        message = f"the list is empty, yet the API's statistics count {count} queued items"
        raise InvalidResponse(message, endpoint="list")


@dataclass(slots=True)
class Lookup:
    """What the API says of items that were asked for alone.

    Attributes:
        found: Those that it has.
        gone: Those that it does not know.
    """

    found: dict[str, Answer[WorkItem]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    async def ask(self, source: Source, work_ids: Iterable[str]) -> None:
        """Ask for items, all at once.

        Raises:
            APIError: A request failed, or brought another item.
        """
        await together([self._ask(source, work_id) for work_id in work_ids])

    async def _ask(self, source: Source, work_id: str) -> None:
        try:
            answer = await source.get(work_id)
        except NotFound:
            self.gone.add(work_id)
            return
        if answer.value.id != work_id:
            raise InvalidResponse(f"asked for {work_id}, got another item", endpoint="get")
        self.found[work_id] = answer


async def prove_gone(source: Source, work_ids: Collection[str]) -> set[str]:
    """Return these IDs, of which the list has shown none, once the API knows none of them.

    Raises:
        LeftOutError: It has one of them.
        NotFound: It knows none, because it no longer knows the environment.
        APIError: A request failed.
    """
    lookup, left = Lookup(), sorted(work_ids)
    for some in (left[:: max(1, len(left) // SAMPLE)][:SAMPLE], left):
        await lookup.ask(source, [work_id for work_id in some if work_id not in lookup.gone])
        if lookup.found:
            raise LeftOutError(lookup.found)
    if lookup.gone:
        await source.list(None)
    return lookup.gone
