"""Which environments a rule is for: all, or those whose thresholds differ."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exporter.overrides import Override
from exporter.thresholds import Thresholds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """Environments by their name.

    Attributes:
        pattern: A regular expression for the whole name; None for every environment.
        excluded: Patterns of those that have a scope of their own.
    """

    pattern: str | None = None
    excluded: tuple[str, ...] = ()

    def select(self, metric: str, *matchers: str) -> str:
        """The series of a metric that belong to the environments of this scope.

        Args:
            metric: A series name.
            matchers: Further label matchers.
        """
        own = [f"environment=~{_quoted(self.pattern)}"] if self.pattern is not None else []
        others = [f"environment!~{_quoted('|'.join(self.excluded))}"] if self.excluded else []
        chosen = (*matchers, *own, *others)
        return f"{metric}{{{', '.join(chosen)}}}" if chosen else metric


def _quoted(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def scoped(
    make: Callable[[Thresholds, Scope], Iterator[T]], thresholds: Thresholds, overrides: Sequence[Override]
) -> Iterator[T]:
    """Make rules for every environment, and apart for those whose thresholds change these rules.

    An environment that several overrides match belongs to the first of them.
    """
    whole = Scope()
    usual = list(make(thresholds, whole))
    for position, rule in enumerate(usual):
        variants = [list(make(override.thresholds, whole))[position] for override in overrides]
        if all(variant == rule for variant in variants):
            yield rule
            continue
        patterns = tuple(override.pattern for override in overrides)
        yield list(make(thresholds, Scope(excluded=patterns)))[position]
        for index, override in enumerate(overrides):
            own = Scope(override.pattern, excluded=patterns[:index])
            yield list(make(override.thresholds, own))[position]
