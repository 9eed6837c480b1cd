"""How a command fails: on standard error, one line per error, without a traceback."""

from collections.abc import Iterable
from typing import IO, Any

import click

from exporter.web.text import printable


class Failure(click.ClickException):
    """Something that the user can fix; exit status 1.

    Attributes:
        lines: What is wrong.
    """

    exit_code = 1

    def __init__(self, lines: Iterable[object]) -> None:
        self.lines = tuple(str(line) for line in lines)
        super().__init__("\n".join(self.lines))

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the lines."""
        for line in self.lines:
            click.echo(one_line(line), file=file, err=True)


def one_line(text: str) -> str:
    """A text that may quote untrusted names, as one line that steers no terminal."""
    return printable(text.replace("\n", " "))
