"""Work IDs as times, and as places in the list where no item is.

Work IDs are `work_` and a UUIDv7 in hexadecimal, so they begin with the milliseconds of their creation. That is seen,
not documented, and so is what the API makes of a cursor that is no item's ID: both are tried before they are relied on.
"""

import re
from dataclasses import dataclass

from exporter.api.errors import BadRequest, NotFound
from exporter.tracking.observation import Observation
from exporter.tracking.source import Source
from exporter.tracking.walk import in_order

_PATTERN = re.compile(r"([a-z]+_)([0-9a-f]{32})")
_DIGITS_AFTER_TIME = 80

LATEST = (1 << 48) - 1
"""The greatest time in milliseconds that an ID can hold."""


@dataclass(frozen=True, slots=True)
class TimedID:
    """An ID that begins with a time.

    Attributes:
        prefix: What stands before the hexadecimal digits.
        number: The digits.
    """

    prefix: str
    number: int

    @classmethod
    def parse(cls, work_id: str) -> "TimedID | None":
        """The ID taken apart, or None if it does not look like one."""
        match = _PATTERN.fullmatch(work_id)
        return None if match is None else cls(match[1], int(match[2], 16))

    @property
    def milliseconds(self) -> int:
        """Unix time in milliseconds."""
        return self.number >> _DIGITS_AFTER_TIME

    def at(self, milliseconds: int) -> str:
        """The first ID of this kind and that time; most likely no item's."""
        return f"{self.prefix}{milliseconds << _DIGITS_AFTER_TIME:032x}"

    def next(self) -> str:
        """The ID just after this; most likely no item's."""
        return f"{self.prefix}{self.number + 1:032x}"


def created_before(item: Observation, moment: float) -> bool:
    """Whether an item was created before a unix time, by what it says itself and by the time in its ID."""
    if item.created is None or item.created >= moment:
        return False
    timed = TimedID.parse(item.id)
    return timed is not None and timed.milliseconds / 1000 < moment


async def foreign_cursors_work(source: Source, first: str, second: str) -> bool:
    """Return whether the API reads on from an ID that no item has.

    Args:
        source: The list.
        first: An item's ID.
        second: The ID of the item that follows it: what the API must show first after an ID between the two.

    Raises:
        APIError: A request failed.
    """
    timed = TimedID.parse(first)
    if timed is None or TimedID.parse(second) is None or timed.next() >= second:
        return False
    try:
        shown = in_order((await source.list(timed.next())).value.data)
    except (BadRequest, NotFound):
        return False
    return bool(shown) and shown[0].id == second
