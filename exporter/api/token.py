"""Where the token comes from. It is read as late as possible and held by nothing that is ever printed."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class TokenError(Exception):
    """There is no usable token; the message says where it was looked for, and never quotes it."""


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
    """A token in a file, read anew each time, so that a rotated secret needs no restart."""

    path: Path

    def read(self) -> str:
        """The file's content without surrounding space.

        Raises:
            TokenError: The file cannot be read or is unusable.
        """
        try:
            if stat.S_ISFIFO(self.path.stat().st_mode):
                raise TokenError(f"the file {self.path} is a pipe, and would be waited for")
            text = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise TokenError(f"the file {self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise TokenError(f"the file {self.path} holds something that is no token: it is not text") from None
        return _usable(text, f"the file {self.path}")
