"""Finding the environment that a request names, by its ID or its name."""

from collections.abc import Sequence
from difflib import get_close_matches

from exporter.tracking.view import EnvironmentView
from exporter.web.text import printable

SUGGESTIONS = 3


class TargetError(LookupError):
    """No single environment is meant; the text says why.

    Attributes:
        status: The HTTP status of the answer.
    """

    status = 404


class AmbiguousError(TargetError):
    """Several environments have this name."""

    status = 409


def find(environments: Sequence[EnvironmentView], target: str) -> EnvironmentView:
    """The environment with this ID, or else the only one with this name.

    Raises:
        TargetError: There is none.
        AmbiguousError: There are several.
    """
    by_id = [each for each in environments if each.environment.id == target]
    found = by_id or [each for each in environments if each.environment.name == target]
    if len(found) == 1:
        return found[0]
    named = shown(target)
    if found:
        ids = ", ".join(f"{each.environment.id} (account {each.environment.account})" for each in found[:10])
        raise AmbiguousError(f"{len(found)} environments are called {named}: use one of the IDs {ids}")
    names = {text for each in environments for text in (each.environment.name, each.environment.id)}
    close = get_close_matches(target[:128], sorted(names)[:2000], SUGGESTIONS)
    hint = f"; did you mean {', '.join(map(shown, close))}?" if close else ""
    raise TargetError(f"no environment with the ID or name {named} is watched{hint}")


def shown(text: str) -> str:
    """A name on one printable line, bounded."""
    line = printable(text).replace("\n", " ")
    return f"`{line}`" if len(line) <= 100 else f"`{line[:99]}…`"
