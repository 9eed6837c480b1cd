"""What is wrong with a configuration, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a value stands in the document: keys of mappings, indexes of lists."""


def show(path: KeyPath) -> str:
    """Write a path as users read it: ``accounts[0].environments[2].id``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix.

    Attributes:
        message: What is wrong and how to fix it.
        path: Where in the document; empty for the document as a whole.
        line: The line in the file, counted from 1; None where no line holds it.
        source: The file, or the environment variable; empty until it is known.
    """

    message: str
    path: KeyPath = ()
    line: int | None = None
    source: str = ""

    def __str__(self) -> str:
        """All of it on one line, whatever the keys hold."""
        place = f"{self.source}:{self.line}" if self.line is not None else self.source
        return " ".join(": ".join(part for part in (place, show(self.path), self.message) if part).splitlines())


class ConfigError(Exception):
    """A configuration that cannot be used.

    Attributes:
        problems: Everything found wrong with it, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))
