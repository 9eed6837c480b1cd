"""Programs in processes of their own that answer each line of JSON with one, until their input ends."""

import os
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec


class Child:
    """A module of this package, run as a program while a ``with`` block lasts."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def ask(self, request: object) -> Any:
        """Send a request and wait for the answer to it.

        Raises:
            RuntimeError: The program has ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("the process has no pipes")
        self._process.stdin.write(msgspec.json.encode(request) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with status {self._process.wait()}")
        return msgspec.json.decode(line)


def answer(respond: Callable[[Any], object]) -> None:
    """Answer the lines of standard input, until it ends."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with output:
        for line in sys.stdin.buffer:
            output.write(msgspec.json.encode(respond(msgspec.json.decode(line))) + b"\n")
            output.flush()
