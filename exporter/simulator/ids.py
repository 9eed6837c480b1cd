"""Resource IDs: a prefix and a UUIDv7 without dashes, strictly ascending (`conventions/schemas`)."""

import random

WORK, ENVIRONMENT, SESSION = "work_", "env_", "sess_"
"""The prefixes of work items, environments and sessions."""

_RANDOM_BITS = 74
_RANDOM_B_BITS = 62


def format_id(prefix: str, value: int) -> str:
    """Return the ID of a value whose upper 48 bits are milliseconds and whose lower 74 bits are random."""
    milliseconds, random_a = value >> _RANDOM_BITS, (value >> _RANDOM_B_BITS) & 0xFFF
    random_b = value & ((1 << _RANDOM_B_BITS) - 1)
    return f"{prefix}{milliseconds << 80 | 7 << 76 | random_a << 64 | 2 << 62 | random_b:032x}"


class IdSource:
    """Makes IDs from the simulated time and seeded randomness.

    Args:
        randomness: Where the random bits come from.
    """

    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness
        self._newest: dict[str, int] = {}

    def next(self, prefix: str, now_us: int) -> str:
        """Return an ID above every one this method has given for the prefix, even if the clock went back."""
        value = self._value(now_us)
        newest = self._newest.get(prefix, -1)
        if value <= newest:
            value = newest + 1 + self._random.getrandbits(16)
        self._newest[prefix] = value
        return format_id(prefix, value)

    def at(self, prefix: str, time_us: int) -> str:
        """Return an ID of the given time, which may be below others: a transaction that was committed late."""
        return format_id(prefix, self._value(time_us))

    def _value(self, time_us: int) -> int:
        return (time_us // 1000) << _RANDOM_BITS | self._random.getrandbits(_RANDOM_BITS)
