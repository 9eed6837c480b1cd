"""Durations as people write them: ``500ms``, ``10s``, ``5m``, ``24h``, ``7d``, ``1h30m``."""

import re
from typing import Self

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_TEXT = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,9}}){unit})?" for unit in _UNITS), re.ASCII)
_HOW = "write it with a unit, for example 500ms, 10s, 5m, 24h or 7d"


class Duration(float):
    """A span of time in seconds, never negative.

    It is a float, so that it can be handed to anything that takes seconds; ``str()`` gives it back as written
    in a configuration file.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a duration from a configuration value.

        Args:
            value: A text such as ``1h30m``, units in descending order, each at most once; or the number 0, the only
                one that means the same in every unit.

        Raises:
            ValueError: The value is no duration; the text says how to write one.
        """
        if isinstance(value, str):
            match = _TEXT.fullmatch(value)
            if match is None or not value:
                raise ValueError(f"`{value}` is not a duration; {_HOW}")
            return cls(sum(int(count) * _UNITS[unit] for unit, count in match.groupdict(0).items()) / 1000)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value == 0:
                return cls(0)
            raise ValueError(f"`{value}` has no unit; {_HOW}")
        raise ValueError(f"expected a duration; {_HOW}")

    def __str__(self) -> str:
        rest = round(self * 1000)
        parts = []
        for unit, size in _UNITS.items():
            count, rest = divmod(rest, size)
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"
