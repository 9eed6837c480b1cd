"""Fill in a query's variables as Grafana and its Prometheus data source do.

Only what the dashboards use is known; anything else is an error rather than text left in place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<braced>\w+)(?::(?P<format>\w+))?\})")
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")
MINIMUM_SAMPLES = 4
"""How many scrapes ``$__rate_interval`` spans at least."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person chose of a variable.

    Attributes:
        values: The chosen values, one or more.
    """

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class All:
    """All values of a variable.

    Attributes:
        pattern: The variable's ``allValue``, used as it is.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class Span:
    """The range a dashboard shows.

    Attributes:
        start: Unix time of its beginning.
        end: Unix time of its end.
        scrape_interval: Seconds, as the data source is told.
        max_points: How many points a panel draws at most.
    """

    start: float
    end: float
    scrape_interval: int = 15
    max_points: int = 800

    @property
    def seconds(self) -> int:
        """Length in whole seconds."""
        return round(self.end - self.start)

    @property
    def interval(self) -> int:
        """Seconds between two points, never less than between two scrapes."""
        return max(self.scrape_interval, -(-self.seconds // self.max_points))

    @property
    def rate_interval(self) -> int:
        """Seconds of ``$__rate_interval``: at least four scrapes, and no sample falls between two windows."""
        return max(self.interval + self.scrape_interval, MINIMUM_SAMPLES * self.scrape_interval)


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything a query's variables can stand for.

    Attributes:
        span: The range shown.
        variables: The choices, by the variables' names.
    """

    span: Span
    variables: Mapping[str, Chosen | All] = field(default_factory=dict)

    def fill(self, expression: str) -> str:
        """Replace every variable of a query.

        Raises:
            ValueError: A variable is unknown, or has a format that makes no query.
        """
        return _VARIABLE.sub(self._replacement, expression)

    def _replacement(self, match: re.Match[str]) -> str:
        name = match["bare"] or match["braced"]
        if match["format"]:
            raise ValueError(f"no query of ours formats a variable, but this one does: {match[0]}")
        built_in = {
            "__interval": f"{self.span.interval}s",
            "__rate_interval": f"{self.span.rate_interval}s",
            "__range": f"{self.span.seconds}s",
        }
        if name in built_in:
            return built_in[name]
        if name not in self.variables:
            raise ValueError(f"unknown variable ${name}")
        match self.variables[name]:
            case All(pattern):
                return pattern
            case Chosen((value,)):
                return escape(value)
            case Chosen(values):
                return f"({'|'.join(map(escape, values))})"


def escape(value: str) -> str:
    """Escape a value for a regular expression inside a PromQL string."""
    return _SPECIAL.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))
