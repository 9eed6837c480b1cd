"""Log lines that say the same again and again, at a bounded rate and with a count of what was left out."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

INTERVAL_SECONDS = 300.0
"""The same warning is logged once in this time."""

LINES_PER_EVENT = 10
"""… and of warnings that differ only in what they are about, an outage of a hundred environments say, so many."""

MAX_KEYS = 1000
"""How many different warnings are remembered."""

SUBJECTS = ("environment_id", "environment", "account", "reason", "path", "address", "base_url", "pattern", "why")
"""What tells two warnings of one event apart; all else, such as an error's text with its request ID, does not."""


@dataclass(slots=True)
class _Seen:
    begun: float
    logged: int = 0
    suppressed: int = 0


class Repeats(logging.Filter):
    """Lets a warning or an error through once per interval, and says with the next one how many were left out.

    It knows this program's events by their name and what they are about, and libraries' lines by their template.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._same: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()
        self._alike: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is to be written."""
        if record.levelno < logging.WARNING:
            return True
        event = record.msg if isinstance(record.msg, dict) else {"msg": record.msg}
        if "problems" in event:  # why a file was not loaded: somebody has just changed it, or asked for it to be loaded
            return True
        name = (record.name, record.levelname, str(event.get("msg")))
        subject = tuple(str(event.get(each, "")) for each in SUBJECTS)
        same = self._seen(self._same, (*name, *subject))
        alike = self._seen(self._alike, name)
        if same.logged >= 1 or alike.logged >= LINES_PER_EVENT:
            same.suppressed += same.logged >= 1
            alike.suppressed += same.logged < 1
            return False
        same.logged += 1
        alike.logged += 1
        if isinstance(record.msg, dict):
            counts = {"repeated": same.suppressed, "similar_suppressed": alike.suppressed}
            record.msg = {**record.msg, **{key: count for key, count in counts.items() if count}}
        same.suppressed = alike.suppressed = 0
        return True

    def _seen(self, known: OrderedDict[tuple[str, ...], _Seen], key: tuple[str, ...]) -> _Seen:
        """What is known of a key in the interval under way; the count of what was left out outlives it."""
        now = self._clock()
        seen = known.get(key)
        if seen is None:
            seen = known[key] = _Seen(now)
            if len(known) > MAX_KEYS:
                known.popitem(last=False)
        elif now - seen.begun >= INTERVAL_SECONDS:
            seen.begun, seen.logged = now, 0
        known.move_to_end(key)
        return seen
