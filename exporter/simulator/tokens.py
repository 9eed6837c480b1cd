"""The bearer tokens of the simulated account."""

from collections.abc import Iterable

DEFAULT_TOKEN = "pt-simulator"  # noqa: S105 -- opens nothing but a simulation


class Tokens:
    """Which tokens are accepted, which have no rights, and which are unknown.

    Args:
        accepted: Those that may use the API from the beginning.
    """

    def __init__(self, accepted: Iterable[str]) -> None:
        self._rights = dict.fromkeys(accepted, True)

    def accept(self, token: str) -> None:
        """Accept this token from now on."""
        self._rights[token] = True

    def forbid(self, token: str) -> None:
        """Know this token, but give it no right to anything (403)."""
        self._rights[token] = False

    def revoke(self, token: str) -> None:
        """Do not know this token any more (401)."""
        self._rights.pop(token, None)

    def rights(self, token: str) -> bool | None:
        """Return whether the token may use the API; None if it is unknown."""
        return self._rights.get(token)
