"""Where the token comes from. It is read as late as possible and held by nothing that is ever printed."""

import errno
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from exporter.api.aside import Aside

MAX_SIZE = 64 * 1024
"""Bytes of a token's file beyond which it is none."""

READ_AGAIN = 1.0
"""Seconds after which a token's file is read again."""

READ_TIMEOUT = 2.0
"""Seconds in which a file system must give a token."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class TokenError(Exception):
    """There is no usable token; the message says where it was looked for, and never quotes it."""


class ExhaustedError(TokenError):
    """The system has no file descriptor or memory left to read the token with; that says nothing about the token."""


class TokenSource(Protocol):
    """Something that knows the token now."""

    def read(self) -> str:
        """The token, fit for a header.

        Raises:
            TokenError: There is none, or it cannot be sent.
        """


def _usable(text: str, where: str) -> str:
    token = text.strip()
    if not token:
        raise TokenError(f"{where} holds no token")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(
            f"{where} holds something that is no token: it has spaces, line breaks or non-ASCII characters"
        )
    return token


@dataclass(frozen=True, slots=True)
class EnvironmentToken:
    """A token in an environment variable."""

    variable: str

    def read(self) -> str:
        """The variable's value.

        Raises:
            TokenError: The variable is unset or unusable.
        """
        if self.variable not in os.environ:
            raise TokenError(f"the environment variable {self.variable} is not set")
        return _usable(os.environ[self.variable], f"the environment variable {self.variable}")


@dataclass(frozen=True, slots=True)
class FileToken:
    """A token in a file, which may be replaced at any time, also by turning a symbolic link."""

    path: Path

    def read(self) -> str:
        """Return the file's content without surrounding space.

        Raises:
            TokenError: The file cannot be read or is unusable.
            ExhaustedError: The system lacks what it takes to open a file.
        """
        try:
            content = self._content()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                raise ExhaustedError(f"the file {self.path} cannot be read: {error.strerror}") from error
            raise TokenError(f"the file {self.path} cannot be read: {error.strerror}") from error
        except ValueError:
            raise TokenError(f"the file {self.path} cannot be read: its path has a NUL character") from None
        try:
            return _usable(content.decode(), f"the file {self.path}")
        except UnicodeDecodeError:
            raise TokenError(f"the file {self.path} holds something that is no token: it is not text") from None

    def _content(self) -> bytes:
        # Without O_NONBLOCK, opening a FIFO waits for somebody to write to it.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                raise TokenError(f"the file {self.path} cannot be read: it is not a regular file")
            content = os.read(descriptor, MAX_SIZE + 1)
        finally:
            os.close(descriptor)
        if len(content) > MAX_SIZE:
            raise TokenError(f"the file {self.path} holds something that is no token: it is too large")
        return content


class CurrentToken:
    """The token to send now, without ever blocking the event loop.

    A file is read in a thread, at most once per `READ_AGAIN` seconds; anything else is read each time.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._read = Aside(source.read, "token") if isinstance(source, FileToken) else None
        self._known: tuple[str, float] | None = None

    async def get(self) -> str:
        """Return the token.

        Raises:
            TokenError: There is none, or its file system does not answer.
            ExhaustedError: The system lacks what it takes to open a file.
        """
        if self._read is None:
            return self._source.read()
        if self._known is not None and time.monotonic() - self._known[1] < READ_AGAIN:
            return self._known[0]
        try:
            token = await self._read(READ_TIMEOUT)
        except TimeoutError:
            path = getattr(self._source, "path", "")
            message = f"the file {path} cannot be read: its file system does not answer within {READ_TIMEOUT:g} s"
            raise TokenError(message) from None
        self._known = token, time.monotonic()
        return token

    def refused(self) -> None:
        """Read the file again at the next request: the API does not accept what stood in it."""
        self._known = None
